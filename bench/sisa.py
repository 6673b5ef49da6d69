"""What deletions cost with shard-wise training: simulated training against the formulas of docs/plans.md.

Nothing is timed. Training is simulated by counting the points that it visits: stage r of a shard goes so many epochs
over its slices 1 … r. After deletions every shard that lost a point goes through its stages again from the first slice
that lost one. Goal: each average within four standard errors of its formula; a unit test does it with fewer
draws.
"""

import statistics
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from bench.results import record
from consentline.domain.sharding import expected_cost, expected_shards, slice_cost

ROUNDS = 20_000
SEED = 1
CASES = [
    (shards, slices, deletions) for shards, slices in ((5, 1), (5, 4), (20, 1), (20, 10)) for deletions in (1, 10, 100)
]


@dataclass(frozen=True)
class Training:
    """A run over so many points, which divide evenly among its shards and slices."""

    shards: int
    slices: int
    points: int
    epochs: int

    @property
    def slice_points(self) -> int:
        """How many points a slice has."""
        return self.points // (self.shards * self.slices)

    def visits(self, from_slice: int) -> int:
        """How many points training one shard visits from the stage of a slice on, epoch after epoch."""
        visited = 0
        for stage in range(from_slice, self.slices + 1):
            for _ in range(self.epochs):
                for _slice in range(stage):
                    visited += self.slice_points
        return visited

    def cell_of(self, point: int) -> tuple[int, int]:
        """The shard and the slice of a point, by its number."""
        cell = point // self.slice_points
        return cell // self.slices + 1, cell % self.slices + 1


class Costs(NamedTuple):
    """Averages over many draws, each with its standard error: shards hit, and the fraction of a full run."""

    shards: float
    shards_error: float
    cost: float
    cost_error: float
    rounds: int

    def agrees(self, shards: float, cost: float) -> bool:
        """Whether both averages lie within four standard errors, or of one round where no draw differed."""
        once = 1 / self.rounds
        return abs(self.shards - shards) <= max(4 * self.shards_error, once) and abs(self.cost - cost) <= max(
            4 * self.cost_error, once
        )


def one_deletion_costs(training: Training) -> dict[int, float]:
    """The fraction of its shard's training that deleting one point costs, by the slice in which it lies."""
    full = training.visits(1)
    return {
        training.cell_of(point)[1]: training.visits(training.cell_of(point)[1]) / full
        for point in range(0, training.points, training.slice_points)
    }


def deletion_costs(training: Training, deletions: int, rounds: int, random: Random) -> Costs:
    """Delete points, each drawn for itself, over and over: how many shards that hits, and what it costs together."""
    full = training.visits(1) * training.shards
    visits = {slice_: training.visits(slice_) for slice_ in range(1, training.slices + 1)}
    hit, costs = list[int](), list[float]()
    for _ in range(rounds):
        first: dict[int, int] = {}
        for _ in range(deletions):
            shard, slice_ = training.cell_of(random.randrange(training.points))
            first[shard] = min(slice_, first.get(shard, slice_))
        hit.append(len(first))
        costs.append(sum(visits[slice_] for slice_ in first.values()) / full)
    error = rounds**0.5
    shards, cost = statistics.fmean(hit), statistics.fmean(costs)
    return Costs(shards, statistics.pstdev(hit) / error, cost, statistics.pstdev(costs) / error, rounds)


def main() -> None:
    """Simulate every case, print and record it beside the formulas."""
    slices = 10
    simulated = one_deletion_costs(Training(shards=1, slices=slices, points=1_000, epochs=2))
    of_slices = [
        {"slice": each, "simulated": simulated[each], "formula": slice_cost(each, slices)} for each in simulated
    ]
    cases: list[dict[str, float | int | bool]] = []
    random = Random(SEED)  # noqa: S311 - a simulation
    print("shards slices deletions   shards hit (formula)   cost of a full run (formula)")
    for shards, slices, deletions in CASES:
        training = Training(shards, slices, shards * slices * 100, epochs=1)
        found = deletion_costs(training, deletions, ROUNDS, random)
        hit, cost = expected_shards(shards, deletions), expected_cost(shards, slices, deletions)
        met = found.agrees(hit, cost)
        print(
            f"{shards:6} {slices:6} {deletions:9}   {found.shards:10.3f} ({hit:7.3f})   "
            f"{found.cost:16.4f} ({cost:7.4f})  {'met' if met else 'MISSED'}"
        )
        figures = {"expected_shards": hit, "expected_cost": cost, "met": met}
        cases.append({"shards": shards, "slices": slices, "deletions": deletions, **found._asdict(), **figures})
    record("sisa", {"seed": SEED, "rounds": ROUNDS, "one_deletion_by_slice": of_slices, "deletions": cases})


if __name__ == "__main__":
    main()
