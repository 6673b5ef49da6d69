"""How runs were sharded, on the real graph: what is written, what is repeated, what is refused."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError, StateError
from consentline.domain.sharding import AssignedBy, Cell, CellRange, Checkpoint, ShardedTraining, Sharding
from consentline.usecases import gate, runs, training
from consentline.usecases.service import Service
from consentline.usecases.sharding import find_sharding
from tests.integration.arrange import STARTED, allow, post, publish, record, refs, train
from tests.integration.snapshots import Refused, assert_refused, assert_unchanged, snapshot

Run = Callable[[Coroutine[Any, Any, Any]], Any]

SHARDING = Sharding(4, 2, AssignedBy.DATASET_SHARD, (CellRange(0, Cell(1, 1)), CellRange(2**63, Cell(4, 2))))
DIGEST = f"sha256:{'a' * 64}"


def saved(shard: int, slice_: int, uri: str = "s3://b/{}/{}", digest: str | None = None) -> Checkpoint:
    return Checkpoint(Cell(shard, slice_), uri.format(shard, slice_), digest)


def of(*checkpoints: Checkpoint, sharding: Sharding = SHARDING) -> ShardedTraining:
    return ShardedTraining(sharding, checkpoints)


async def story(service: Service) -> None:
    await record(service, post("p1"))
    await publish(service, "d", "p1")
    await train(service, "r", "d:1", produced="m:1")


def test_a_sharding_is_a_node_at_its_run_with_a_node_for_each_checkpoint(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await story(service)
        before = await snapshot(service)

        await runs.record_sharding(service, "r", of(saved(1, 1, digest=DIGEST), saved(4, 2)))

        after = await snapshot(service)
        assert after.names() - before.names() == {"Sharding r", "Checkpoint r 1/1", "Checkpoint r 4/2"}
        assert after.shape() - before.shape() == {
            ("TrainingRun r", "SHARDED_AS", "Sharding r"),
            ("Sharding r", "SAVED", "Checkpoint r 1/1"),
            ("Sharding r", "SAVED", "Checkpoint r 4/2"),
        }
        assert await find_sharding(service, "r") == of(saved(1, 1, digest=DIGEST), saved(4, 2))

    run(scenario())


def test_checkpoints_are_added_as_they_are_saved_and_repeating_changes_nothing(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await story(service)
        await runs.record_sharding(service, "r", of())
        assert await find_sharding(service, "r") == of()
        await runs.record_sharding(service, "r", of(saved(2, 2)))
        await runs.record_sharding(service, "r", of(saved(2, 1), saved(2, 2)))

        await assert_unchanged(service, runs.record_sharding(service, "r", of(saved(2, 1))))
        await assert_unchanged(service, runs.record_sharding(service, "r", of()))

        assert await find_sharding(service, "r") == of(saved(2, 1), saved(2, 2))

    run(scenario())


def test_a_run_tells_at_its_end_how_it_was_sharded(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await record(service, post("p1"))
        await publish(service, "d", "p1")
        await gate.authorize(service, gate.AuthorizeTraining("g", refs("d:1")))
        await gate.start(service, "g", None)
        await runs.record_sharding(service, "g", of(saved(1, 1)))
        command = gate.CompleteTraining("g", "m", "2", sharding=of(saved(1, 1), saved(1, 2)))

        await gate.complete(service, command)
        await gate.complete(service, gate.CompleteTraining("g", "m", "2", sharding=of(saved(3, 1))))

        assert await find_sharding(service, "g") == of(saved(1, 1), saved(1, 2), saved(3, 1))

    run(scenario())


def test_history_is_recorded_with_its_shards_also_of_a_run_that_failed(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, post("p1"))
        await publish(service, "d", "p1")
        command = training.RecordTraining("r", refs("d:1"), STARTED, sharding=of(saved(1, 1)))

        await training.record_training(service, command)
        again = training.RecordTraining("r", refs("d:1"), STARTED, sharding=of(saved(1, 2)))
        await training.record_training(service, again)
        await training.record_training(service, training.RecordTraining("r", refs("d:1"), STARTED))

        assert await find_sharding(service, "r") == of(saved(1, 1), saved(1, 2))
        assert await find_sharding(service, "x") is None

    run(scenario())


@dataclass(frozen=True)
class Case:
    name: str
    act: Callable[[Service], Awaitable[Any]]
    refused: Refused


OTHERWISE = of(sharding=Sharding(4, 3))
REFUSED = [
    Case(
        "run never recorded",
        lambda service: runs.record_sharding(service, "x", of()),
        Refused(NotFoundError, "RUN_NOT_FOUND", ("run",), "run x is not recorded"),
    ),
    Case(
        "not started",
        lambda service: runs.record_sharding(service, "authorized", of()),
        Refused(StateError, "RUN_WRONG_STATE", ("run",), "it has not started"),
    ),
    Case(
        "cannot be",
        lambda service: runs.record_sharding(service, "r", of(saved(5, 1))),
        Refused(InvalidInputError, "CELL_OUT_OF_RANGE", ("sharding", "checkpoints"), "no slice 1 of shard 5"),
    ),
    Case(
        "sharded otherwise",
        lambda service: runs.record_sharding(service, "r", OTHERWISE),
        Refused(ConflictError, "SHARDING_CONFLICT", ("sharding",), "run r is sharded otherwise"),
    ),
    Case(
        "another checkpoint",
        lambda service: runs.record_sharding(service, "r", of(saved(1, 2), saved(1, 1, "s3://other"))),
        Refused(
            ConflictError,
            "CHECKPOINT_CONFLICT",
            ("sharding", "checkpoints"),
            "another checkpoint of slice 1 of shard 1",
        ),
    ),
    Case(
        "another digest",
        lambda service: runs.record_sharding(service, "r", of(saved(1, 1, digest=DIGEST))),
        Refused(
            ConflictError,
            "CHECKPOINT_CONFLICT",
            ("sharding", "checkpoints"),
            "another checkpoint of slice 1 of shard 1",
        ),
    ),
    Case(
        "completed with what cannot be",
        lambda service: gate.complete(service, gate.CompleteTraining("g", "m", "2", sharding=of(saved(0, 1)))),
        Refused(InvalidInputError, "CELL_OUT_OF_RANGE", ("sharding", "checkpoints"), "no slice 1 of shard 0"),
    ),
    Case(
        "completed and sharded otherwise",
        lambda service: gate.complete(service, gate.CompleteTraining("g", "m", "2", sharding=OTHERWISE)),
        Refused(ConflictError, "SHARDING_CONFLICT", ("sharding",), "run g is sharded otherwise"),
    ),
    Case(
        "recorded with what cannot be",
        lambda service: training.record_training(
            service, training.RecordTraining("new", refs("d:1"), STARTED, sharding=of(saved(1, 3)))
        ),
        Refused(InvalidInputError, "CELL_OUT_OF_RANGE", ("sharding", "checkpoints"), "no slice 3 of shard 1"),
    ),
    Case(
        "recorded again and sharded otherwise",
        lambda service: training.record_training(
            service,
            training.RecordTraining("r", refs("d:1"), STARTED, model="m", version="1", sharding=OTHERWISE),
        ),
        Refused(ConflictError, "SHARDING_CONFLICT", ("sharding",), "run r is sharded otherwise"),
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_is_refused_leaves_nothing_behind(service: Service, run: Run, case: Case) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await story(service)
        await runs.record_sharding(service, "r", of(saved(1, 1)))
        for key in ("g", "authorized"):
            await gate.authorize(service, gate.AuthorizeTraining(key, refs("d:1")))
        await gate.start(service, "g", None)
        await runs.record_sharding(service, "g", of())
        await assert_refused(service, case.act(service), case.refused)

    run(scenario())
