"""What a retraining plan consists of: steps, what each is made from, and what stands in the way."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from consentline.domain.affected import Event
from consentline.domain.datasets import VersionRef
from consentline.domain.flags import RetrainingFlag
from consentline.domain.instants import Instant
from consentline.domain.sharding import Checkpoint, ShardRetraining


class Method(StrEnum):
    """How a model version is made again."""

    RETRAIN = "RETRAIN"
    DERIVE = "DERIVE"
    REPLACE = "REPLACE"
    UNRECORDED = "UNRECORDED"


class BaseRelation(StrEnum):
    """How a model version rests on another."""

    STARTED_FROM = "STARTED_FROM"
    DERIVED_FROM = "DERIVED_FROM"
    GENERATED_INPUT = "GENERATED_INPUT"
    REPLACED_BY = "REPLACED_BY"


class BaseChoice(StrEnum):
    """What is to stand where a base stood."""

    KEEP = "KEEP"
    REPLACEMENT = "REPLACEMENT"
    RETRAINED = "RETRAINED"


class Base(NamedTuple):
    """A model version on which another rests, and `instead`: what takes its place (itself when it is kept).

    RETRAINED: what the step of `instead` will make.
    """

    model: str
    relation: BaseRelation
    choice: BaseChoice
    instead: str


class InputChoice(StrEnum):
    """What is to be read where a dataset version was read."""

    KEEP = "KEEP"
    SUCCESSOR = "SUCCESSOR"
    BUILD = "BUILD"
    REGENERATE = "REGENERATE"
    UNDOCUMENTED = "UNDOCUMENTED"


class ShardCount(NamedTuple):
    """A Shard of a dataset, and how many affected posts of a version lie in it."""

    shard: str
    posts: int


@dataclass(frozen=True, slots=True)
class PlannedInput:
    """A version that the run read; `successor` is what to read instead.

    `posts` of it are affected. `ineligible` counts the members of what is to be read that may not be used now, of the
    version itself where nothing else is named; None: not known without judging them.
    """

    version: VersionRef
    choice: InputChoice
    successor: VersionRef | None
    posts: int
    shards: tuple[ShardCount, ...]
    ineligible: int | None


class WholeBecause(StrEnum):
    """Why a run that was sharded must be repeated in full all the same."""

    BASE_CHANGES = "BASE_CHANGES"
    SYNTHETIC_INPUT_CHANGES = "SYNTHETIC_INPUT_CHANGES"
    CELL_UNKNOWN = "CELL_UNKNOWN"


@dataclass(frozen=True, slots=True)
class PlannedShards:
    """How far a sharded run must be repeated: `of` so many shards of so many slices, those in `retrained`.

    `expected_shards` is what as many posts would hit on average, spread evenly and each for itself.
    """

    of_shards: int
    of_slices: int
    retrained: tuple[ShardRetraining, ...]
    whole_because: WholeBecause | None
    expected_shards: float

    @property
    def cost(self) -> float:
        """The fraction of a full run, with shards of equal size."""
        return sum(each.cost for each in self.retrained) / self.of_shards


class ObstacleKind(StrEnum):
    """What the records leave open, so that a plan that rests on them cannot be whole."""

    NO_RUN_RECORDED = "NO_RUN_RECORDED"
    NO_ORIGIN_RECORDED = "NO_ORIGIN_RECORDED"
    NO_INPUT_RECORDED = "NO_INPUT_RECORDED"
    INPUT_UNDOCUMENTED = "INPUT_UNDOCUMENTED"
    CANNOT_RULE_OUT = "CANNOT_RULE_OUT"


class Obstacle(NamedTuple):
    """Something that stands in the way; `version` and the number of posts where it is about these."""

    kind: ObstacleKind
    version: VersionRef | None = None
    posts: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One model version that must be made again, once, for all events that demand it.

    `level` is 1 when it waits for no other step. `needed_by` is the earliest due date of its flag and of what waits for
    it (`required_by`, directly). `keys` are the affected posts that it used. Costs are fractions of making it again in
    full; `cost_one_by_one` would be spent by doing so for each event.
    """

    model: str
    level: int
    flag: RetrainingFlag | None
    needed_by: Instant
    required_by: tuple[str, ...]
    method: Method
    run: str | None
    bases: tuple[Base, ...]
    inputs: tuple[PlannedInput, ...]
    shards: PlannedShards | None
    events: frozenset[Event]
    keys: tuple[str, ...]
    cost: float
    cost_one_by_one: float
    obstacles: tuple[Obstacle, ...]

    @property
    def early(self) -> bool:
        """Whether it must be done before its own flag is due, or has none: something due earlier waits for it."""
        return self.flag is None or self.flag.due_at > self.needed_by


class Saving(NamedTuple):
    """What doing everything once saves: retrainings, and full runs of a model version that they cost."""

    retrainings: int
    one_by_one: int
    cost: float
    cost_one_by_one: float


class Deadline(NamedTuple):
    """What must be done by an instant, beyond what must be done before it."""

    due_at: Instant
    models: tuple[str, ...]


class DoomedCheckpoint(NamedTuple):
    """A checkpoint of a run that rests on affected posts: to be deleted."""

    run: str
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Possibility:
    """A version without a COMPLETE manifest that runs read and that cannot rule posts out: no flag says so.

    `posts` of the plan may lie in it, and posts of whoever filed so many live `objections`; `models` came of the runs.
    """

    version: VersionRef
    runs: tuple[str, ...]
    models: tuple[str, ...]
    posts: int
    objections: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What must be made again, bases before what rests on them; steps by level, then by key.

    `retired` are flagged model versions that nothing has to be made for; `unproductive` runs read affected posts and
    produced nothing; `later` flags are not due by the time asked about, and nothing due by then waits for them.
    """

    steps: tuple[Step, ...]
    retired: tuple[str, ...]
    unproductive: tuple[str, ...]
    doomed: tuple[DoomedCheckpoint, ...]
    possibilities: tuple[Possibility, ...]
    posts: int
    later: int

    @property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The model versions of each level: those of one can be made at the same time."""
        most = max((step.level for step in self.steps), default=0)
        return tuple(tuple(step.model for step in self.steps if step.level == level + 1) for level in range(most))

    @property
    def deadlines(self) -> tuple[Deadline, ...]:
        """What must be done by when, the earliest first."""
        dates = sorted({step.needed_by for step in self.steps})
        return tuple(
            Deadline(date, tuple(step.model for step in self.steps if step.needed_by == date)) for date in dates
        )

    @property
    def saving(self) -> Saving:
        """What handling all events at once saves."""
        trained = [step for step in self.steps if step.method is not Method.REPLACE]
        return Saving(
            retrainings=len(trained),
            one_by_one=sum(len(step.events) for step in trained),
            cost=sum(step.cost for step in trained),
            cost_one_by_one=sum(step.cost_one_by_one for step in trained),
        )
