"""A story as it grows: facts with the facts that must come before each, and the dice that decide."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from random import Random
from typing import Any

from tests.oracle import Step
from tests.scenarios.world import GRID, PEOPLE, POSTS, RECENT, Scenario


@dataclass
class Fact:
    step: Step
    after: tuple[int, ...]  # the facts that must be recorded before


@dataclass
class KnownVersion:
    dataset: str
    number: int
    coverage: str
    members: set[str]
    registered: int
    ready: int | None  # the fact that seals it; None: left BUILDING
    derived: list[int] = field(default_factory=list)  # registrations that name it


@dataclass
class Story:
    """Facts in the order in which they were thought of."""

    facts: list[Fact] = field(default_factory=list)
    versions: list[KnownVersion] = field(default_factory=list)
    models: dict[str, int] = field(default_factory=dict)  # to the fact that creates it
    runs: int = 0

    def add(self, step: Step, after: Sequence[int] = ()) -> int:
        self.facts.append(Fact(step, tuple(after)))
        return len(self.facts) - 1

    def of_dataset(self, dataset: str) -> list[KnownVersion]:
        return [version for version in self.versions if version.dataset == dataset]

    def readable(self) -> list[KnownVersion]:
        return [version for version in self.versions if version.ready is not None]

    def in_random_order(self, random: Random) -> Scenario:
        """The facts by random priorities, each as soon as those that it needs are recorded."""
        priorities = random.sample(range(len(self.facts)), len(self.facts))
        waiting, recorded, steps = list(range(len(self.facts))), set[int](), []
        while waiting:
            ready = [fact for fact in waiting if recorded.issuperset(self.facts[fact].after)]
            chosen = min(ready, key=lambda fact: priorities[fact])
            waiting.remove(chosen)
            recorded.add(chosen)
            steps.append(self.facts[chosen].step)
        return Scenario(tuple(steps))


class Dice:
    """What the parts of a story are decided with."""

    def __init__(self, random: Random, disputed: bool) -> None:
        self.random, self.disputed = random, disputed
        self.story = Story()
        self.people = PEOPLE[: self.between(3, 5)]
        self.described: tuple[str, ...] = POSTS[: self.between(4, 8)]
        self.posts = POSTS[: len(self.described) + 2]
        self.tidy = self.chance(60)  # most posts may be used, so that the gate lets runs pass

    def between(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def one(self, pool: Sequence[Any]) -> Any:
        return self.random.choice(pool)

    def some(self, pool: Sequence[Any], least: int = 0, most: int | None = None) -> list[Any]:
        most = len(pool) if most is None else min(most, len(pool))
        return sorted(self.random.sample(pool, self.between(min(least, most), most)))

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def moment(self, least: int = 0, most: int = len(GRID) - 1) -> str:
        """An instant of the grid between the given ones, written with any offset."""
        moment = GRID[self.between(least, most)]
        hours = self.one((0, 0, 10, -5))
        return moment.astimezone(timezone(timedelta(hours=hours))).isoformat()

    def moment_or_recent(self, percent: int, least: int = 0, most: int = len(GRID) - 1) -> str:
        """Ten days ago in so many of a hundred cases."""
        return RECENT.isoformat() if self.chance(percent) else self.moment(least, most)
