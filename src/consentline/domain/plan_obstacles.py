"""What the records leave open: what no run is recorded for, and what cannot rule out posts that have to go."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from consentline.domain.affected import Classes
from consentline.domain.datasets import Coverage, VersionRef
from consentline.domain.lineage import Lineage
from consentline.domain.plan_bases import Demand
from consentline.domain.plan_inputs import Inputs
from consentline.domain.plan_steps import BaseChoice, InputChoice, Method, Obstacle, ObstacleKind
from consentline.domain.replacement import consumed_upstream
from consentline.domain.training import DerivationKind

_NEEDS_DATA = frozenset({DerivationKind.FINE_TUNE, DerivationKind.DISTILLATION, DerivationKind.ADAPTER})


@dataclass(frozen=True, slots=True)
class Undecided:
    """What versions without a COMPLETE manifest cannot rule out: posts of each group of `affected`, in its order.

    `posts` disregards when a post was published, for what reads the version next starts later; `possible` does not
    count those that were published after every run that read it had started. `objections` counts the live ones.
    """

    posts: Mapping[VersionRef, Sequence[int]] = field(default_factory=dict[VersionRef, Sequence[int]])
    possible: Mapping[VersionRef, Sequence[int]] = field(default_factory=dict[VersionRef, Sequence[int]])
    objections: Mapping[VersionRef, int] = field(default_factory=dict[VersionRef, int])

    def count_posts(self, ref: VersionRef, mask: int, classes: Classes) -> int:
        """How many posts of the classes the version cannot rule out."""
        return _sum(self.posts.get(ref, ()), mask, classes)

    def count_possible(self, ref: VersionRef, mask: int, classes: Classes) -> int:
        """As `count_posts`, of those that a run may have read there."""
        return _sum(self.possible.get(ref, ()), mask, classes)


class Obstacles:
    """Finds what stands in the way of a step."""

    def __init__(self, lineage: Lineage, classes: Classes, inputs: Inputs, undecided: Undecided) -> None:
        self._lineage = lineage
        self._classes = classes
        self._inputs = inputs
        self._undecided = undecided

    def of(self, model: str, method: Method, demand: Demand) -> Iterator[Obstacle]:
        """What is not recorded of the model version, then the versions that are kept and cannot rule posts out."""
        kind = self._unrecorded(model, method)
        if kind is not None:
            yield Obstacle(kind)
        for each in demand.inputs:
            if each.choice is InputChoice.UNDOCUMENTED:
                posts = self._undecided.count_posts(each.version, demand.mask, self._classes)
                yield Obstacle(ObstacleKind.INPUT_UNDOCUMENTED, each.version, posts)
        for ref in sorted(self._kept(demand)):
            posts = self._undecided.count_posts(ref, demand.mask, self._classes)
            if self._lineage.versions[ref].coverage is not Coverage.COMPLETE and posts:
                yield Obstacle(ObstacleKind.CANNOT_RULE_OUT, ref, posts)

    def _unrecorded(self, model: str, method: Method) -> ObstacleKind | None:
        run = self._lineage.trained_by.get(model)
        match method:
            case Method.UNRECORDED:
                return ObstacleKind.NO_ORIGIN_RECORDED
            case Method.DERIVE:
                kinds = {each.kind for each in self._lineage.derivations if each.model == model}
                return ObstacleKind.NO_RUN_RECORDED if kinds & _NEEDS_DATA else None
            case Method.RETRAIN if run is not None and not run.inputs:
                return ObstacleKind.NO_INPUT_RECORDED
            case _:
                return None

    def _kept(self, demand: Demand) -> set[VersionRef]:
        """Every version that a run read upstream of what is kept: bases, and the generators of inputs."""
        models = {base.instead for base in demand.bases if base.choice is not BaseChoice.RETRAINED}
        for each in demand.inputs:
            if each.choice in (InputChoice.KEEP, InputChoice.SUCCESSOR):
                models |= self._inputs.generators(each.successor or each.version)
        return {ref for model in models for ref in consumed_upstream(self._lineage, model)}


def _sum(counts: Sequence[int], mask: int, classes: Classes) -> int:
    return sum(count for count, number in zip(counts, classes.of_group, strict=False) if mask >> number & 1)
