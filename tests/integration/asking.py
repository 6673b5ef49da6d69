"""Asks the product what the oracle is asked; its answers in the oracle's form."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any

from consentline.domain.eligibility import evaluate
from consentline.domain.flags import FlagStatus, RetrainingFlag, Source, SourceKind
from consentline.domain.lineage import Kind, Lineage, Node
from consentline.domain.paging import PageRequest
from consentline.domain.posts import PostFacts
from consentline.domain.standing import ConsentState
from consentline.graph import causes
from consentline.graph import posts as graph_posts
from consentline.graph.session import Tx
from consentline.usecases import consent, counts, erasures, flags, notices, objections, posts, usage
from consentline.usecases.service import Service
from tests.oracle import (
    Consent,
    ErasureAnswer,
    NoticeCoverage,
    ObjectionAnswer,
    OpenFlag,
    Oracle,
    PostUsage,
    Use,
    VersionId,
    micros,
)
from tests.scenarios import PEOPLE, POSTS


def _node(node: Node) -> tuple[Any, ...]:
    if node.kind is Kind.DATASET_VERSION:
        return (str(node.kind), node.key, node.number)
    return (str(node.kind), node.key)


async def post_usage(service: Service, post: str, known_at: int | None) -> tuple[PostUsage, dict[Use, list[str]]]:
    """The product's answer in the oracle's form, and for each use the reasons against it at that time."""
    answer = await usage.post_usage(service, post, known_at)
    uses = [
        Use(
            model_version=use.model_version,
            relation=str(use.relation),
            training_run=use.training_run,
            dataset_version=tuple(use.dataset_version),
            used_at=use.used_at,
            path=tuple((str(edge.step), _node(edge.source), _node(edge.target)) for edge in use.path),
        )
        for use in answer.usage.uses
    ]
    at_use = await usage.eligibilities_at_use(service, answer, answer.usage.uses)
    found = PostUsage(
        verdict=str(answer.usage.verdict),
        uses=sorted(uses, key=repr),
        held_in=[tuple(ref) for ref in answer.usage.held_in],
        undocumented=[tuple(ref) for ref in answer.usage.undocumented],
    )
    reasons_at_use = [[str(reason) for reason in each.reasons] for each in at_use]
    return found, dict(zip(uses, reasons_at_use, strict=True))


async def reasons(service: Service, post: str, purpose: str, at: int | None, known_at: int) -> list[str] | None:
    """Why the post may not be used, asked as a client asks; None when nothing names it."""
    found = await posts.eligibility(service, post, purpose, at, known_at)
    return None if found is None else [str(reason) for reason in found.reasons]


class Evaluator:
    """Asks many questions about a few posts from one reading of their facts."""

    def __init__(self, lineage: Lineage, facts: Mapping[str, PostFacts]) -> None:
        self._lineage = lineage
        self._facts = facts

    @classmethod
    async def read(cls, service: Service, keys: Sequence[str]) -> "Evaluator":
        """Read everything that is recorded of the posts."""
        asked = {stored: key for key in keys for stored in service.pseudonyms.either("Post", key)}
        facts = await service.graph.read(lambda tx: graph_posts.facts(tx, list(asked)))
        return cls(await service.lineage(), {asked[stored]: each for stored, each in facts.items()})

    def reasons(self, post: str, purpose: str, at: int, known_at: int) -> list[str]:
        """Why the post may not be used, by the product's rules on its own reading of the facts."""
        facts = self._facts.get(post) or PostFacts(post)
        found = evaluate(facts, self._lineage.policies, purpose=purpose, at=at, known_at=known_at)
        return [str(reason) for reason in found.reasons]


async def all_flags(service: Service) -> dict[str, list[RetrainingFlag]]:
    """By model version, in the order in which they were raised."""
    found: dict[str, list[RetrainingFlag]] = {}
    page = await flags.list_flags(service, None, None, PageRequest(first=100))
    assert not page.has_next
    for flag in sorted(page.items, key=lambda flag: flag.raised_at):
        found.setdefault(flag.model_version, []).append(flag)
    return found


def source_name(source: Source, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """A source as the oracle names it."""
    return f"{source.key}:{source.version}" if source.kind is SourceKind.POLICY else names.get(source.key, source.key)


def names_of(service: Service, oracle: Oracle) -> dict[str, str]:
    """The keys of everything that may be erased, by the digests that stand for them then."""
    keys = {"User": PEOPLE, "Post": POSTS, "Objection": oracle.objections, "Erasure": oracle.erasures}
    return {service.pseudonyms.of(label, key): key for label, each in keys.items() for key in each}


async def open_flags(service: Service, names: Mapping[str, str]) -> dict[str, OpenFlag]:
    """Those that are not resolved by model version, in the oracle's form; `names` as `names_of` gives them."""
    found: dict[str, OpenFlag] = {}
    for model_version, raised in (await all_flags(service)).items():
        flag, number = raised[-1], len(raised) - 1
        if flag.status is FlagStatus.RESOLVED:
            continue

        async def of_flag(tx: Tx, uid: str = flag.uid) -> list[causes.HeldCause]:
            return await causes.of_flag(tx, uid, None)

        standing = await service.graph.read(of_flag)
        found[model_version] = OpenFlag(
            causes={(source_name(cause.source, names), str(cause.kind)): cause.posts for cause, _ in standing},
            affected_posts=await flags.affected_post_count(service, flag, None),
            due_at=flag.due_at,
            raised_at=0,
            status=str(flag.status),
            number=number,
        )
    return found


async def resolved_flags(service: Service) -> list[tuple[str, int, str, str | None, str | None]]:
    """Model version, how many flags came before, resolution, justification and replacement of each, sorted."""
    return sorted(
        (model_version, number, str(flag.resolution), flag.justification, flag.replacement)
        for model_version, raised in (await all_flags(service)).items()
        for number, flag in enumerate(raised)
        if flag.status is FlagStatus.RESOLVED
    )


async def retired(service: Service) -> set[str]:
    """The model versions that are retired."""
    models = (await service.lineage()).models
    return {key for key, model in models.items() if str(model.status) == "RETIRED"}


async def objection(service: Service, key: str) -> ObjectionAnswer:
    """The objection as it stands, in the oracle's form."""
    found = await objections.find_objection(service, key)
    assert found is not None
    versions = await objections.possible_versions(service, found)
    return ObjectionAnswer(
        status=str(found.status),
        due_at=found.due_at,
        affected_post_count=await objections.affected_post_count(service, found),
        possible_versions=[tuple(version.ref) for version in versions],
        extended_to=found.extended_to,
    )


async def erasure(service: Service, key: str) -> ErasureAnswer:
    """The erasure as it stands, in the oracle's form."""
    found = await erasures.find_erasure(service, key)
    assert found is not None
    return ErasureAnswer(str(found.status), found.due_at)


async def ineligible_counts(service: Service, purposes: Sequence[str]) -> dict[tuple[VersionId, str], int | None]:
    """For each dataset version and purpose."""
    versions = sorted((await service.lineage()).versions)
    return {
        (tuple(ref), purpose): await counts.ineligible_count(service, ref, purpose)
        for ref in versions
        for purpose in purposes
    }


async def run_states(service: Service) -> dict[str, tuple[Any, ...]]:
    """Of each run what the oracle keeps of it too."""
    runs = (await service.lineage()).runs
    return {
        key: (
            str(run.status),
            run.purpose,
            frozenset(tuple(ref) for ref in run.inputs),
            frozenset(run.started_from),
            run.started_at,
            run.produced,
            run.gated,
        )
        for key, run in runs.items()
    }


async def consent_of(service: Service, user: str, purpose: str, at: int, known_at: int) -> Consent:
    """Where the person stands, in the oracle's form."""
    return _consent(await consent.find_consent(service, user, purpose, at, known_at))


async def consent_history(service: Service, user: str, purpose: str) -> list[Consent]:
    """How the person came to stand there, in the oracle's form."""
    page = await consent.list_consent_history(service, user, purpose, PageRequest(first=100))
    assert not page.has_next
    assert page.total == len(page.items)
    return [_consent(each) for each in page.items]


def _consent(state: ConsentState) -> Consent:
    basis = None if state.lawful_basis is None else str(state.lawful_basis)
    return Consent(str(state.status), basis, state.valid_from, state.recorded_at)


async def to_be_served(service: Service, key: str, version: int, at: int, known_at: int) -> list[str]:
    """The campaign of one policy, sorted; it lists nobody twice."""
    found: list[str] = []
    async with aclosing(notices.to_be_served(service, await notices.ask(service, key, version, at, known_at))) as pages:
        async for page in pages:
            found += page
    assert len(set(found)) == len(found)
    return sorted(found)


async def notice_coverage(service: Service, key: str, version: int, at: int, known_at: int) -> NoticeCoverage:
    """The figures of one policy, in the oracle's form."""
    found = await notices.coverage(service, await notices.ask(service, key, version, at, known_at))
    return NoticeCoverage(
        served=found.served,
        seen=found.seen,
        window_open=found.window_open,
        not_served=found.not_served,
        served_by_day=dict(found.served_on),
        seen_by_day=dict(found.seen_on),
    )


def moment(text: str | None) -> int | None:
    """The instant of a question; None stands for now."""
    return None if text is None else micros(text)
