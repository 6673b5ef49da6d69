"""Causes that may concern very many posts: what a run must not have read, and what an expired assessment covered."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing

from consentline.domain.causes import ForPurposes, Reach
from consentline.domain.concerns import Concern
from consentline.domain.datasets import Membership
from consentline.domain.flags import CauseKind, FlagCause
from consentline.domain.lineage import Lineage
from consentline.domain.policies import PolicyRef
from consentline.domain.violations import read_datasets
from consentline.graph import concerns
from consentline.graph.session import Tx
from consentline.usecases.evaluation import shards_of
from consentline.usecases.service import Service
from consentline.usecases.violations import violating, violating_of

BROAD = frozenset({CauseKind.VIOLATION, CauseKind.ASSESSMENT_EXPIRED})
"""The kinds whose posts are streamed; those of every other kind are few, and named."""


def policy_of(cause: FlagCause) -> PolicyRef:
    """The policy that an ASSESSMENT_EXPIRED cause points to."""
    return PolicyRef(cause.source.key, cause.source.version)


async def posts_of(service: Service, lineage: Lineage, model: str, cause: FlagCause) -> AsyncGenerator[list[str]]:
    """The posts that a broad cause of a flag of the model version concerns, in pages; one may come again."""
    pages = (
        violating(service, lineage, cause.source.key)
        if cause.kind is CauseKind.VIOLATION
        else _governed(service, lineage, model, policy_of(cause))
    )
    async with aclosing(pages):
        async for page in pages:
            yield page


async def count_of(tx: Tx, lineage: Lineage, model: str, cause: FlagCause, keys: Collection[str]) -> int:
    """How many of the posts a broad cause of a flag of the model version concerns."""
    if cause.kind is CauseKind.VIOLATION:
        return await violating_of(tx, lineage, cause.source.key, keys)
    used = _Used(lineage, model, policy_of(cause))
    return sum(
        used.concern in group.concerns and used(group.memberships) for group in await concerns.of_posts(tx, keys)
    )


class _Used:
    """Whether the model version used posts with given memberships, by runs for which the policy speaks."""

    def __init__(self, lineage: Lineage, model: str, policy: PolicyRef) -> None:
        self.concern = _expired(policy)
        self._reach, self._model = Reach(lineage), model
        self._counts = runs_under(lineage, policy)

    def __call__(self, memberships: Sequence[Membership]) -> bool:
        return self._model in self._reach.models(memberships, self._counts)


def _expired(policy: PolicyRef) -> Concern:
    return Concern(CauseKind.ASSESSMENT_EXPIRED, policy=policy)


def runs_under(lineage: Lineage, policy: PolicyRef) -> ForPurposes:
    """The runs for which the policy speaks."""
    return ForPurposes(frozenset(each.purpose for each in lineage.policies if each.ref == policy))


async def governed(
    service: Service, lineage: Lineage, policy: PolicyRef
) -> AsyncGenerator[dict[str, tuple[Membership, ...]]]:
    """The members that a policy governs whose assessment expired, with their memberships, in pages.

    Those of datasets that runs read; a post in several comes again.
    """
    for dataset in read_datasets(lineage):
        async with aclosing(shards_of(service, dataset)) as pages:
            async for shards in pages:
                yield await service.graph.read(
                    lambda tx, shards=shards: concerns.of_shards(tx, shards, _expired(policy))
                )


async def _governed(service: Service, lineage: Lineage, model: str, policy: PolicyRef) -> AsyncGenerator[list[str]]:
    used = _Used(lineage, model, policy)
    async with aclosing(governed(service, lineage, policy)) as pages:
        async for page in pages:
            yield sorted(post for post, memberships in page.items() if used(memberships))
