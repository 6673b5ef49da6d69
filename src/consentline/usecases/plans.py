"""The retraining plan: what open flags demand together, as of now. It reads and writes nothing down."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from consentline.domain.datasets import VersionRef
from consentline.domain.errors import NotFoundError
from consentline.domain.flags import RetrainingFlag
from consentline.domain.instants import Instant
from consentline.domain.judgement import purposes_of
from consentline.domain.lineage import Lineage
from consentline.domain.plan_bases import rests_on
from consentline.domain.plan_inputs import Ineligible
from consentline.domain.plan_shards import Removed
from consentline.domain.plan_steps import Plan
from consentline.domain.plans import Planner
from consentline.graph import flags, plans, sharding, upper
from consentline.graph.plans import StoredCounts
from consentline.graph.session import Tx
from consentline.usecases.plan_posts import affected_posts, undecided
from consentline.usecases.service import Service


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """A plan as of `planned_at`, under the upper graph of which it speaks; `asked` and `by` as it was asked for."""

    asked: str | None
    by: Instant | None
    plan: Plan
    planned_at: Instant
    lineage: Lineage


async def make_plan(service: Service, model_version: str | None = None, by: Instant | None = None) -> PlanAnswer:
    """Plan the retraining for one model version (None: all with an open flag) and flags due by an instant (None: all).

    Reads the affected posts of every flag that has a base, or something made from it, in common with what was asked
    about: those together decide from what a base is to be made.

    Raises:
        NotFoundError: the model version is not recorded.
    """

    async def begin(tx: Tx) -> tuple[Instant, Lineage, list[RetrainingFlag]]:
        # Flags first: the upper graph read afterwards knows every model version that they name.
        found = await flags.find_all(tx, await plans.open_flags(tx))
        now = await upper.now(tx)
        return now.instant, await service.lineages.at(now.revision), found

    planned_at, lineage, found = await service.graph.read(begin)
    if model_version is not None and model_version not in lineage.models:
        raise NotFoundError(
            f"model version {model_version} is not recorded", code="MODEL_VERSION_NOT_FOUND", path=("modelVersion",)
        )
    opened = {flag.model_version: flag for flag in found}
    replaced = await service.graph.read(lambda tx: plans.replaced(tx, lineage.models))
    tied = set(lineage.models) if model_version is None else _connected(lineage, replaced, model_version)
    affected = await affected_posts(service, lineage, [opened[model] for model in sorted(tied & opened.keys())])
    planner = Planner(
        lineage=lineage,
        flags=opened,
        replaced=replaced,
        affected=affected,
        ineligible=await _ineligible(service, lineage, planned_at),
        undecided=await undecided(service, lineage, affected, tied),
    )

    async def finish(tx: Tx) -> Plan:
        trained = await sharding.of_runs(tx, planner.runs)
        left: Removed = {pair: await plans.removed(tx, *pair) for pair in planner.differences(trained)}
        return planner.plan(model_version, by, sharded=trained, removed=left)

    return PlanAnswer(model_version, by, await service.graph.read(finish), planned_at, lineage)


def _connected(lineage: Lineage, replaced: Mapping[str, str], start: str) -> set[str]:
    """The model versions that are tied to one by any chain of bases and replacements, whichever way it runs."""
    tied: defaultdict[str, set[str]] = defaultdict(set)
    pairs = [(model, base) for model in lineage.models for base, _ in rests_on(lineage, model)]
    for model, base in (*pairs, *replaced.items()):
        tied[model].add(base)
        tied[base].add(model)
    seen = {start}
    pending = [start]
    while pending:
        fresh = tied[pending.pop()] - seen
        seen |= fresh
        pending.extend(fresh)
    return seen


async def _ineligible(service: Service, lineage: Lineage, now: Instant) -> Ineligible:
    """How many members of what runs read, and of later versions of it, may not be used now: by the stored counts."""
    datasets = {ref.dataset for run in lineage.runs.values() for ref in run.inputs}
    stored: Mapping[str, StoredCounts] = await service.graph.read(lambda tx: plans.stored_counts(tx, datasets, now))
    spoken_of = purposes_of(lineage.policies)

    def count(ref: VersionRef, purpose: str) -> int | None:
        if purpose not in spoken_of:
            return lineage.versions[ref].post_count or 0
        return stored[ref.dataset].ineligible(ref.number, purpose) if ref.dataset in stored else None

    return count
