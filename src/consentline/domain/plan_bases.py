"""Which model versions must be made again, and on what each is to rest: the closure of what open flags demand."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from consentline.domain.affected import Classes
from consentline.domain.at_use import UNKNOWN_PURPOSE
from consentline.domain.flags import RetrainingFlag
from consentline.domain.gate import generators_of
from consentline.domain.lineage import Lineage
from consentline.domain.plan_inputs import Clean, Inputs
from consentline.domain.plan_steps import Base, BaseChoice, BaseRelation, InputChoice, PlannedInput
from consentline.domain.training import ModelStatus


class Demand(NamedTuple):
    """What is to become of a model version: `mask` are the classes of posts that have to go.

    `instead` stands in for it without any training: an existing replacement, or one that a step will make.
    """

    mask: int
    bases: tuple[Base, ...] = ()
    inputs: tuple[PlannedInput, ...] = ()
    instead: str | None = None

    @property
    def needs(self) -> frozenset[str]:
        """The model versions whose steps come before."""
        return frozenset(base.instead for base in self.bases if base.choice is BaseChoice.RETRAINED)


def rests_on(lineage: Lineage, model: str) -> Iterator[tuple[str, BaseRelation]]:
    """The model versions of which another was made, directly; generators count as what its inputs came of."""
    run = lineage.trained_by.get(model)
    for base in () if run is None else run.started_from:
        yield base, BaseRelation.STARTED_FROM
    for each in lineage.derivations:
        if each.model == model:
            yield each.base, BaseRelation.DERIVED_FROM
    for ref in () if run is None else run.inputs:
        for generator in generators_of(lineage, ref):
            yield generator, BaseRelation.GENERATED_INPUT


def dependents_first(lineage: Lineage, replaced: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """All model versions, each before those on which it rests; and the replacements that can be followed in that order.

    A replacement counts as something on which the replaced one rests; one that would close a circle is left out.
    """
    upstream = {model: {base for base, _ in rests_on(lineage, model)} for model in sorted(lineage.models)}
    followed: dict[str, str] = {}
    for model, replacement in sorted(replaced.items()):
        if model in upstream and replacement in upstream and model not in _closure(upstream, replacement):
            upstream[model].add(replacement)
            followed[model] = replacement
    order: list[str] = []
    entered: set[str] = set()
    for root in upstream:
        stack = [(root, iter(sorted(upstream[root])))] if root not in entered else []
        entered.add(root)
        while stack:
            model, rest = stack[-1]
            below = next((each for each in rest if each not in entered), None)
            if below is None:
                order.append(stack.pop()[0])
            else:
                entered.add(below)
                stack.append((below, iter(sorted(upstream[below]))))
    return order[::-1], followed


def _closure(upstream: Mapping[str, set[str]], start: str) -> set[str]:
    seen = {start}
    pending = [start]
    while pending:
        fresh = upstream[pending.pop()] - seen
        seen |= fresh
        pending.extend(fresh)
    return seen


class Demands:
    """What all open flags together demand: `of` each model version in the plan, each before what it needs.

    `dependents` are the model versions that wait for another, directly.
    """

    def __init__(
        self,
        lineage: Lineage,
        flags: Mapping[str, RetrainingFlag],
        replaced: Mapping[str, str],
        classes: Classes,
        inputs: Inputs,
        clean: Clean,
    ) -> None:
        self._lineage = lineage
        self._inputs = inputs
        self._clean = clean
        every, self._replaced = dependents_first(lineage, replaced)
        self.of: dict[str, Demand] = {}
        self.dependents: defaultdict[str, set[str]] = defaultdict(set)
        passed_on: defaultdict[str, int] = defaultdict(int)
        for model in every:
            if model in self.dependents or (model in flags and not self._retired(model)):
                demand = self.of[model] = self._demand(model, passed_on[model] | classes.flagging(model))
                for need in demand.needs:
                    passed_on[need] |= demand.mask
                    self.dependents[need].add(model)

    def _retired(self, model: str) -> bool:
        return self._lineage.models[model].status is ModelStatus.RETIRED

    def _demand(self, model: str, mask: int) -> Demand:
        stand_in = self._stand_in(model, mask)
        if stand_in[1] != model:
            return Demand(mask, (Base(model, BaseRelation.REPLACED_BY, *stand_in),), (), stand_in[1])
        run = self._lineage.trained_by.get(model)
        purpose = UNKNOWN_PURPOSE if run is None or run.purpose is None else run.purpose
        inputs = tuple(self._inputs.choose(ref, purpose, mask) for ref in (() if run is None else run.inputs))
        regenerated = [each.version for each in inputs if each.choice is InputChoice.REGENERATE]
        generators = frozenset[str]().union(*(generators_of(self._lineage, ref) for ref in regenerated))
        bases = tuple(
            Base(base, relation, *self._stand_in(base, mask))
            for base, relation in sorted(set(rests_on(self._lineage, model)))
            if relation is not BaseRelation.GENERATED_INPUT or base in generators
        )
        return Demand(mask, bases, inputs)

    def _stand_in(self, base: str, mask: int) -> tuple[BaseChoice, str]:
        """What is to stand where the base stood: itself, the first clean one of its replacements, or the last anew."""
        current = base
        while not self._clean(current, mask):
            following = self._replaced.get(current)
            if following is None:
                return BaseChoice.RETRAINED, current
            current = following
        return (BaseChoice.KEEP if current == base else BaseChoice.REPLACEMENT), current
