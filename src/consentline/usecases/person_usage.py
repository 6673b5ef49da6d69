""" "Was anything of this person used?" — counted in groups, listed in pages, never all posts at once."""

from collections import Counter
from dataclasses import dataclass

from consentline.domain.datasets import Coverage, Selection
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.paging import Page, PageRequest
from consentline.domain.people import PersonFacts
from consentline.domain.usage import Usage, Verdict, possible_versions, usage_of
from consentline.graph import person_usage, posts, upper
from consentline.graph.person_usage import PostGroup
from consentline.graph.session import Tx
from consentline.usecases.service import Service, known_or_now
from consentline.usecases.suppression import surely
from consentline.usecases.usage import PostUsageAnswer

_SCANNED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class UserUsageAnswer:
    """The usage of everything that a person is believed to have written, as known at `known_at`."""

    user_key: str
    verdict: Verdict
    model_versions: tuple[str, ...]
    counts: dict[Verdict, int]
    person: PersonFacts
    known_at: Instant
    first_recorded_at: Instant | None
    lineage: Lineage


async def user_usage(service: Service, user: str, known_at: Instant | None) -> UserUsageAnswer:
    """The verdict on a person, recorded or not: USED when any recorded post is; else UNKNOWN when any of them is, or
    when a version without a COMPLETE manifest could hold a post of theirs that was never recorded.

    Raises:
        InvalidInputError: `known_at` lies in the future.
    """

    async def work(tx: Tx) -> UserUsageAnswer:
        now = await upper.now(tx)
        asked = known_or_now(known_at, now.instant)
        lineage = await service.lineages.at(now.revision)
        person, found = await _posts_of(tx, service, user, asked, _thresholds(lineage))
        counts: Counter[Verdict] = Counter()
        models: set[str] = set()
        for group in found:
            usage = usage_of(lineage, group.example, group.memberships, asked)
            counts[usage.verdict] += group.posts
            models.update(use.model_version for use in usage.uses if use.model_version is not None)
        verdict = Verdict.USED if counts[Verdict.USED] else _of_unrecorded(lineage, person, found, asked)
        return UserUsageAnswer(
            user, verdict, tuple(sorted(models)), dict(counts), person, asked, now.first_recorded_at, lineage
        )

    return await surely(service, work, lambda answer: bool(answer.counts))


async def _posts_of(
    tx: Tx, service: Service, user: str, known_at: Instant, thresholds: list[Instant]
) -> tuple[PersonFacts, list[PostGroup]]:
    """The person and their posts; none of somebody whose erasure is confirmed between the two readings."""
    keys = service.pseudonyms.either("User", user)
    person = (await posts.person(tx, keys)).left
    found = await person_usage.groups(tx, person, known_at, thresholds)
    return person, found or []


async def list_post_usages(
    service: Service, answer: UserUsageAnswer, verdict: Verdict | None, request: PageRequest
) -> Page[PostUsageAnswer]:
    """The usages of the person's posts by key, of one verdict or of all, read a bounded number at a time."""
    after = "" if request.after is None else str(request.after[0])
    total = sum(answer.counts.values()) if verdict is None else answer.counts.get(verdict, 0)
    chosen: list[PostUsageAnswer] = []

    async def work(tx: Tx) -> None:
        position, more = after, True
        while more and len(chosen) <= request.first:
            found = await person_usage.page(tx, answer.person, answer.known_at, position, _SCANNED_AT_ONCE)
            for group in found:
                usage = usage_of(answer.lineage, group.example, group.memberships, answer.known_at)
                if verdict in (None, usage.verdict):
                    chosen.append(_answer(answer, group, usage))
            more = len(found) == _SCANNED_AT_ONCE
            position = found[-1].example.key if found else position

    await service.graph.read(work)
    page = tuple(chosen[: request.first])
    return Page(
        items=page,
        positions=tuple((each.post_key,) for each in page),
        has_next=len(chosen) > len(page),
        has_previous=request.after is not None,
        total=total,
    )


def _answer(answer: UserUsageAnswer, group: PostGroup, usage: Usage) -> PostUsageAnswer:
    key = group.example.key
    return PostUsageAnswer(key, usage, answer.first_recorded_at, answer.known_at, answer.lineage, key)


def _thresholds(lineage: Lineage) -> list[Instant]:
    """The instants at which a declared selection or the start of a run may tell two publications apart."""
    instants: set[Instant] = set()
    for version in lineage.versions.values():
        selection = version.selection or Selection()
        instants.update(each for each in (selection.published_from, selection.published_before) if each is not None)
    for run in lineage.runs.values():
        read = (lineage.versions[ref].coverage for ref in run.inputs)
        if run.started_at is not None and any(coverage is not Coverage.COMPLETE for coverage in read):
            # A post published at the start itself is not ruled out; one published after it is.
            instants.add(run.started_at + 1)
    return sorted(instants)


def _of_unrecorded(lineage: Lineage, person: PersonFacts, found: list[PostGroup], known_at: Instant) -> Verdict:
    """What can be said when no recorded post was used; whatever leaves a recorded post unknown leaves the person so."""
    memberships = [membership for group in found for membership in group.memberships]
    possible = possible_versions(
        lineage,
        known_at,
        covers_person=lambda version: version.declares_person(person, known_at),
        held_in=frozenset(lineage.holding(memberships, known_at)),
    )
    return Verdict.UNKNOWN if possible else Verdict.NOT_USED
