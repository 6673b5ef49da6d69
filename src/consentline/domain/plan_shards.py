"""Which shards of a sharded run must be trained again, and which of its checkpoints rest on posts that have to go."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from consentline.domain.affected import Classes, bits, union
from consentline.domain.datasets import Coverage, VersionRef
from consentline.domain.lineage import Lineage, model_node, run_node
from consentline.domain.plan_bases import Demand
from consentline.domain.plan_inputs import Inputs
from consentline.domain.plan_steps import (
    BaseChoice,
    BaseRelation,
    DoomedCheckpoint,
    InputChoice,
    PlannedShards,
    WholeBecause,
)
from consentline.domain.sharding import (
    Cell,
    ShardedTraining,
    everything,
    expected_shards,
    first_slices,
    retrainings,
)
from consentline.domain.training import TrainingRun

Removed = Mapping[tuple[VersionRef, VersionRef], Collection[tuple[str, str]]]
"""What a version holds and its successor does not: posts by key, each with the dataset's Shard that held it."""


class Shards:
    """Answers for the runs that were sharded, by what all open flags demand."""

    def __init__(
        self, lineage: Lineage, classes: Classes, inputs: Inputs, sharded: Mapping[str, ShardedTraining]
    ) -> None:
        self._lineage = lineage
        self._classes = classes
        self._inputs = inputs
        self._sharded = sharded

    def plan(self, run: TrainingRun, demand: Demand, removed: Removed) -> PlannedShards | None:
        """How far the run must be repeated; None when it was not sharded.

        A shard is trained again when it holds an affected post, or one that the successor of an input does not hold:
        what a run reads must be what its shards rest on.
        """
        training = self._sharded.get(run.key)
        if training is None:
            return None
        left = {(key, shard) for ref in run.inputs for key, shard in self._posts(ref, demand.mask)}
        for each in demand.inputs:
            if each.successor is not None:
                left.update(removed[each.version, each.successor])
        cells = _cells(training, left)
        because = self._whole_because(demand)
        if because is None and cells is None:
            because = WholeBecause.CELL_UNKNOWN
        sharding = training.sharding
        return PlannedShards(
            of_shards=sharding.shards,
            of_slices=sharding.slices,
            retrained=everything(training) if because is not None or cells is None else retrainings(training, cells),
            whole_because=because,
            expected_shards=expected_shards(sharding.shards, len({key for key, _ in left})),
        )

    def cost_alone(self, run: TrainingRun, bases: Iterable[str], events: Collection[int]) -> float:
        """What it costs to leave out posts event by event, each by the classes of its posts; in full runs."""
        training = self._sharded.get(run.key)
        if training is None:
            return float(len(events))
        through = union(self._classes.reaching(model_node(base)) for base in bases)
        cells = self._cells_of_classes(run, training, union(events))
        cost = 0.0
        for mask in events:
            hit = Counter(cell for number in bits(mask) for cell in cells.get(number, ()))
            if mask & through or None in hit:
                cost += 1.0
            else:
                again = retrainings(training, {cell: 1 for cell in hit if cell is not None})
                cost += sum(each.cost for each in again) / training.sharding.shards
        return cost

    def _cells_of_classes(self, run: TrainingRun, training: ShardedTraining, mask: int) -> dict[int, set[Cell | None]]:
        found: defaultdict[int, set[Cell | None]] = defaultdict(set)
        for ref in run.inputs:
            for each in self._inputs.held(ref, mask):
                cells = {training.sharding.cell_of(key, each.holding.shard) for key in each.keys}
                found[self._classes.of_group[each.group]] |= cells
        return found

    def doomed(self, mask: int) -> list[DoomedCheckpoint]:
        """The checkpoints of every run, whatever became of it, that rest on posts of the classes."""
        found: list[DoomedCheckpoint] = []
        for key, training in sorted(self._sharded.items()):
            run, used = self._lineage.runs[key], self._classes.reaching(run_node(key)) & mask
            if not used:
                continue
            through = {*run.started_from}.union(*(self._inputs.generators(ref) for ref in run.inputs))
            cells = None
            if not any(self._classes.reaching(model_node(base)) & used for base in through):
                posts = {(post, shard) for ref in run.inputs for post, shard in self._posts(ref, used)}
                cells = _cells(training, posts)
            rest = training.checkpoints if cells is None else training.resting_on(first_slices(cells))
            found += [DoomedCheckpoint(key, each) for each in sorted(rest)]
        return found

    def _posts(self, ref: VersionRef, mask: int) -> Iterable[tuple[str, str]]:
        return ((key, each.holding.shard) for each in self._inputs.held(ref, mask) for key in each.keys)

    def _whole_because(self, demand: Demand) -> WholeBecause | None:
        if any(
            base.choice is not BaseChoice.KEEP and base.relation is not BaseRelation.GENERATED_INPUT
            for base in demand.bases
        ):
            return WholeBecause.BASE_CHANGES
        for each in demand.inputs:
            if each.choice is InputChoice.REGENERATE:
                return WholeBecause.SYNTHETIC_INPUT_CHANGES
            if each.choice is InputChoice.SUCCESSOR and not self._only_posts(each.version, each.successor):
                return WholeBecause.SYNTHETIC_INPUT_CHANGES
        return None

    def _only_posts(self, *versions: VersionRef | None) -> bool:
        """Whether nothing but posts lies in the versions, as far as is recorded: positions tell of nothing else."""
        return all(
            ref is not None
            and self._lineage.versions[ref].coverage is Coverage.COMPLETE
            and not self._inputs.generators(ref)
            for ref in versions
        )


def _cells(training: ShardedTraining, posts: Iterable[tuple[str, str]]) -> Counter[Cell] | None:
    """How many of the posts lie in each cell; None when that cannot be told of one of them."""
    counts = Counter(training.sharding.cell_of(key, shard) for key, shard in posts)
    return None if None in counts else Counter({cell: count for cell, count in counts.items() if cell is not None})
