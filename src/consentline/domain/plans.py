"""What must be retrained, in which order and from what: the upper graph restricted to what open flags demand.

A model version is in the plan when it has an open flag; or when something in the plan rests on it, and it has one or
used a post that has to go from there. What it is made from is chosen by all posts that have to go from it or from
anything that waits for it. So its step is the same whatever was asked about, and the plan of all model versions is the
union of the plans of each. It speaks of the records, not of weights: see docs/plans.md.
"""

from collections.abc import Collection, Mapping, Sequence

from consentline.domain.affected import AffectedPosts, Classes, Influence, union
from consentline.domain.datasets import VersionRef
from consentline.domain.flags import RetrainingFlag
from consentline.domain.instants import Instant
from consentline.domain.lineage import Kind, Lineage, model_node
from consentline.domain.plan_bases import Demand, Demands, rests_on
from consentline.domain.plan_inputs import Ineligible, Inputs
from consentline.domain.plan_obstacles import Obstacles, Undecided
from consentline.domain.plan_shards import Removed, Shards
from consentline.domain.plan_steps import (
    Method,
    Plan,
    Possibility,
    Step,
)
from consentline.domain.sharding import ShardedTraining
from consentline.domain.training import ModelStatus


class Planner:
    """Plans under one state of the records: open `flags` and what was RETRAINED before, by model version."""

    def __init__(
        self,
        lineage: Lineage,
        flags: Mapping[str, RetrainingFlag],
        replaced: Mapping[str, str],
        affected: Sequence[AffectedPosts],
        ineligible: Ineligible,
        undecided: Undecided | None = None,
    ) -> None:
        self._lineage = lineage
        self._flags = flags
        self._affected = affected
        self._undecided = undecided or Undecided()
        self._classes = Classes(lineage, affected)
        self._inputs = Inputs(lineage, affected, self._classes, self._clean, ineligible)
        self._obstacles = Obstacles(lineage, self._classes, self._inputs, self._undecided)
        self._demands = Demands(lineage, flags, replaced, self._classes, self._inputs, self._clean)

    @property
    def runs(self) -> list[str]:
        """The runs whose shards and checkpoints the plan asks about: those that used an affected post; sorted."""
        return self._classes.reached(Kind.TRAINING_RUN, -1)

    def differences(self, sharded: Collection[str]) -> list[tuple[VersionRef, VersionRef]]:
        """The versions that were read by one of the sharded runs, each with its successor; sorted."""
        return sorted(
            {
                (each.version, each.successor)
                for model, demand in self._demands.of.items()
                if (run := self._lineage.trained_by.get(model)) is not None and run.key in sharded
                for each in demand.inputs
                if each.successor is not None
            }
        )

    def plan(
        self,
        asked: str | None = None,
        by: Instant | None = None,
        *,
        sharded: Mapping[str, ShardedTraining] | None = None,
        removed: Removed | None = None,
    ) -> Plan:
        """The plan for the flags of one model version (None: of all) that are due by an instant (None: ever).

        `sharded` tells how those of `runs` were sharded that were, `removed` answers `differences`.
        """
        flagged = sorted(self._flags if asked is None else {asked} & self._flags.keys())
        due = [model for model in flagged if by is None or self._flags[model].due_at <= by]
        chosen = self._closure([model for model in due if not self._retired(model)])
        shards = Shards(self._lineage, self._classes, self._inputs, sharded or {})
        levels, needed_by = self._levels(), self._needed_by()
        steps = sorted(
            (self._step(model, levels[model], needed_by[model], shards, removed or {}) for model in chosen),
            key=lambda step: (step.level, step.model),
        )
        mask = union(self._demands.of[model].mask for model in chosen)
        runs = (self._lineage.runs[key] for key in self._classes.reached(Kind.TRAINING_RUN, mask))
        return Plan(
            steps=tuple(steps),
            retired=tuple(model for model in due if self._retired(model)),
            unproductive=tuple(run.key for run in runs if run.produced is None),
            doomed=tuple(shards.doomed(mask)),
            possibilities=tuple(self._possibilities(asked, mask)),
            posts=len({key for step in steps for key in step.keys}),
            later=sum(model not in chosen and model not in due for model in flagged),
        )

    def _clean(self, model: str, mask: int) -> bool:
        return model not in self._flags and not self._classes.reaching(model_node(model)) & mask

    def _retired(self, model: str) -> bool:
        return self._lineage.models[model].status is ModelStatus.RETIRED

    def _closure(self, models: Collection[str]) -> set[str]:
        """The model versions with all that they wait for."""
        seen = set(models)
        pending = [*models]
        while pending:
            fresh = self._demands.of[pending.pop()].needs - seen
            seen |= fresh
            pending.extend(fresh)
        return seen

    def _levels(self) -> dict[str, int]:
        levels: dict[str, int] = {}
        for model, demand in reversed(self._demands.of.items()):
            levels[model] = 1 + max((levels[need] for need in demand.needs), default=0)
        return levels

    def _needed_by(self) -> dict[str, Instant]:
        """When each must be done: the earliest due date of its own flag and of those of all that waits for it.

        Nothing has to be made for the flag of a retired one.
        """
        dates: dict[str, Instant] = {}
        for model in self._demands.of:
            waiting = [dates[each] for each in self._demands.dependents.get(model, ())]
            own = [self._flags[model].due_at] if model in self._flags and not self._retired(model) else []
            dates[model] = min([*waiting, *own])
        return dates

    def _waiting(self, model: str) -> set[str]:
        """The model version and all that waits for it."""
        seen = {model}
        pending = [model]
        while pending:
            fresh = self._demands.dependents.get(pending.pop(), set[str]()) - seen
            seen |= fresh
            pending.extend(fresh)
        return seen

    def _step(self, model: str, level: int, needed_by: Instant, shards: Shards, removed: Removed) -> Step:
        demand = self._demands.of[model]
        used = demand.mask & (self._classes.reaching(model_node(model)) | self._classes.flagging(model))
        run = self._lineage.trained_by.get(model)
        method = self._method(model, demand)
        planned = None if run is None or method is not Method.RETRAIN else shards.plan(run, demand, removed)
        bases = {base for base, _ in rests_on(self._lineage, model)}
        events = self._classes.by_event(used, self._waiting(model))
        alone = 0.0
        if method is not Method.REPLACE:
            alone = float(len(events)) if run is None else shards.cost_alone(run, bases, events.values())
        return Step(
            model=model,
            level=level,
            flag=self._flags.get(model),
            needed_by=needed_by,
            required_by=tuple(sorted(self._demands.dependents.get(model, ()))),
            method=method,
            run=None if run is None else run.key,
            bases=demand.bases,
            inputs=demand.inputs,
            shards=planned,
            events=frozenset(events),
            keys=tuple(sorted(self._keys(used))),
            cost=0.0 if method is Method.REPLACE else 1.0 if planned is None else planned.cost,
            cost_one_by_one=alone,
            obstacles=tuple(self._obstacles.of(model, method, demand)),
        )

    def _method(self, model: str, demand: Demand) -> Method:
        if demand.instead is not None:
            return Method.REPLACE
        if model in self._lineage.trained_by:
            return Method.RETRAIN
        return Method.DERIVE if demand.bases else Method.UNRECORDED

    def _keys(self, mask: int) -> set[str]:
        return {
            key
            for group, number in zip(self._affected, self._classes.of_group, strict=True)
            if mask >> number & 1
            for key in group.keys
        }

    def _possibilities(self, asked: str | None, mask: int) -> list[Possibility]:
        influence = Influence(self._lineage)
        found: list[Possibility] = []
        for ref in sorted({*self._undecided.possible, *self._undecided.objections}):
            runs = [run.key for run in self._lineage.runs.values() if run.started_at is not None and ref in run.inputs]
            reached = {node for run in runs for node in influence.reached(run)}
            posts = self._undecided.count_possible(ref, mask, self._classes)
            objections = self._undecided.objections.get(ref, 0)
            if (posts or objections) and (asked is None or model_node(asked) in reached):
                models = sorted(node.key for node in reached if node.kind is Kind.MODEL_VERSION)
                found.append(Possibility(ref, tuple(sorted(runs)), tuple(models), posts, objections))
        return found
