"""How a training run was sharded, and the checkpoints that it saved; `runs.record_sharding` records it by itself."""

from consentline.domain.errors import ConflictError
from consentline.domain.sharding import Cell, Checkpoint, ShardedTraining
from consentline.graph import sharding, upper
from consentline.graph.session import Tx
from consentline.usecases.service import Service


async def put_sharding(tx: Tx, run: str, training: ShardedTraining | None) -> None:
    """Record what is told and not recorded yet of a run in the graph; the upper graph's guard is held.

    Raises:
        ConflictError: the run is sharded otherwise, or a checkpoint of the same slice is another one.
    """
    if training is None:
        return
    recorded = (await sharding.of_runs(tx, [run])).get(run)
    if recorded is None:
        await sharding.create(tx, run, training.sharding, await upper.recording_time(tx))
    elif recorded.sharding != training.sharding:
        raise ConflictError(f"run {run} is sharded otherwise", code="SHARDING_CONFLICT", path=("sharding",))
    saved = {each.cell: each for each in recorded.checkpoints} if recorded else dict[Cell, Checkpoint]()
    for each in training.checkpoints:
        if saved.get(each.cell, each) != each:
            raise ConflictError(
                f"another checkpoint of slice {each.cell.slice} of shard {each.cell.shard} is recorded",
                code="CHECKPOINT_CONFLICT",
                path=("sharding", "checkpoints"),
            )
    fresh = [each for each in training.checkpoints if each.cell not in saved]
    if fresh:
        await sharding.save(tx, run, fresh, await upper.recording_time(tx))


async def find_sharding(service: Service, run: str) -> ShardedTraining | None:
    """How the run was sharded, with its checkpoints; None when nobody recorded that it was."""
    return (await service.graph.read(lambda tx: sharding.of_runs(tx, [run]))).get(run)
