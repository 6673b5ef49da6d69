""" "Was this post used?" — one small statement and a walk in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from consentline.domain.at_use import eligibility_at_use
from consentline.domain.eligibility import Eligibility
from consentline.domain.instants import Instant, to_datetime
from consentline.domain.lineage import Lineage
from consentline.domain.posts import PostFacts
from consentline.domain.usage import Relation, Usage, Use, Verdict, usage_of
from consentline.graph import posts
from consentline.graph.posts import PostForUsage
from consentline.graph.session import Tx
from consentline.usecases.service import Service, known_or_now
from consentline.usecases.suppression import surely

LISTED = 1000
"""How many dataset versions an answer lists at most; the verdict is never cut."""


@dataclass(frozen=True, slots=True)
class PostUsageAnswer:
    """The usage of a post as known at `known_at`, under the upper graph that answered it; `stored`: its stored key."""

    post_key: str
    usage: Usage
    first_recorded_at: Instant | None
    known_at: Instant
    lineage: Lineage
    stored: str

    @property
    def explanation(self) -> str:
        """The verdict in a sentence for people."""
        return explain(self.usage, self.known_at, self.first_recorded_at)

    @property
    def complete(self) -> bool:
        """Whether `heldIn` and `undocumented` list everything."""
        return len(self.usage.held_in) <= LISTED and len(self.usage.undocumented) <= LISTED


async def post_usage(service: Service, post: str, known_at: Instant | None) -> PostUsageAnswer:
    """Whether and how the post was used; a key that was never recorded has an answer like any other.

    Raises:
        InvalidInputError: `known_at` lies in the future.
    """
    keys = service.pseudonyms.either("Post", post)
    while True:
        found = await _found(service, keys)
        lineage = await service.lineages.at(found.now.revision)
        # Memberships and structure must be of one revision; it may have changed in between.
        if lineage.revision == found.now.revision:
            break
    asked = known_or_now(known_at, found.now.instant)
    usage = usage_of(lineage, found.post, found.memberships, asked)
    return PostUsageAnswer(post, usage, found.now.first_recorded_at, asked, lineage, found.stored)


async def _found(service: Service, keys: Sequence[str]) -> PostForUsage:
    """What is recorded of the post. Questions that arrive while others are being answered share one statement."""

    async def gathered() -> PostForUsage:
        return await service.usages.ask(keys, lambda asked: _found_together(service, asked))

    async def alone(tx: Tx) -> PostForUsage:
        return (await posts.for_usage(tx, [keys]))[0]

    return await surely(service, alone, lambda found: found.recorded, at_first=gathered)


async def _found_together(service: Service, asked: Sequence[Sequence[str]]) -> list[PostForUsage]:
    return await service.graph.read(lambda tx: posts.for_usage(tx, asked))


async def eligibilities_at_use(service: Service, answer: PostUsageAnswer, uses: Sequence[Use]) -> list[Eligibility]:
    """The post's eligibility for each use: at the use's time and its run's purpose.

    As known when a gated run's start was committed, else as known at the answer's own `known_at`.
    """
    if not uses:
        return []
    # It may have been erased since.
    keys = service.pseudonyms.either("Post", answer.stored)
    found = await service.graph.read(lambda tx: posts.facts(tx, keys))
    facts = next(iter(found.values()), PostFacts(answer.stored))
    return [_at_use(answer, facts, use) for use in uses]


def _at_use(answer: PostUsageAnswer, facts: PostFacts, use: Use) -> Eligibility:
    run = answer.lineage.runs[use.training_run]
    return eligibility_at_use(facts, answer.lineage.policies, run, known_at=answer.known_at)


def explain(usage: Usage, known_at: Instant, first_recorded_at: Instant | None) -> str:
    """The verdict in a sentence for people."""
    if first_recorded_at is None or known_at < first_recorded_at:
        return f"Nothing was recorded at {to_datetime(known_at).isoformat()}, so no use was known then."
    if usage.verdict is Verdict.USED:
        models = sum(use.model_version is not None for use in usage.uses)
        trained = sum(use.relation is Relation.TRAINED_ON and use.model_version is not None for use in usage.uses)
        failed = len(usage.uses) - models
        more = f"; {_count(failed, 'started run')} that produced none read it too" if failed else ""
        return f"Used by {_count(models, 'model version')} ({trained} by training on it){more}."
    if usage.verdict is Verdict.UNKNOWN:
        return (
            f"No use is recorded, but {_count(len(usage.undocumented), 'dataset version')} that training runs read "
            "cannot rule the post out."
        )
    if usage.held_in:
        return (
            f"Held in {_count(len(usage.held_in), 'dataset version')}; no training run that started read any of them."
        )
    return "In no dataset version that a training run read, and every version that one read can rule it out."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
