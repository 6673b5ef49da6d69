"""Shard-wise training as it is recorded: shards of slices, which post lies where, and the checkpoints between them.

SISA (Bourtoule et al., "Machine Unlearning", IEEE S&P 2021, section IV): each shard trains a constituent model of its
own, slice after slice; stage r trains on slices 1 … r and begins from the checkpoint of stage r - 1. What a deletion
costs there is derived in docs/plans.md. Shards and slices count from 1.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from consentline.domain.errors import InvalidInputError
from consentline.domain.pseudonyms import PREFIX
from consentline.domain.shards import position_of_shard

POSITIONS = 2**64
MOST_CELLS = 10_000
"""How many (shard, slice) a run may have: as many checkpoints."""

_LONGEST_URI = 2_000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{16}", re.ASCII)


class AssignedBy(StrEnum):
    """What of a member tells its position: its own key, or the dataset's Shard that holds it."""

    POST_KEY = "POST_KEY"
    DATASET_SHARD = "DATASET_SHARD"


class Cell(NamedTuple):
    """A slice of a shard of a training run."""

    shard: int
    slice: int


class CellRange(NamedTuple):
    """The positions from `begin` up to the next range's belong to the cell."""

    begin: int
    cell: Cell


class Checkpoint(NamedTuple):
    """What was saved when the stage of a slice had ended: it rests on that slice and those before it in its shard."""

    cell: Cell
    uri: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Sharding:
    """Which member lies in which cell; without `ranges` the positions are split evenly, shard by shard."""

    shards: int
    slices: int
    assigned_by: AssignedBy = AssignedBy.POST_KEY
    ranges: tuple[CellRange, ...] = ()

    def cell_at(self, position: int) -> Cell:
        """The cell of a position, which lies between 0 and 2**64."""
        if self.ranges:
            found = bisect_right(self.ranges, position, key=lambda each: each.begin)
            return self.ranges[found - 1].cell
        shard, rest = divmod(position * self.shards * self.slices // POSITIONS, self.slices)
        return Cell(shard + 1, rest + 1)

    def cell_of(self, post: str, dataset_shard: str) -> Cell | None:
        """The cell of a member; None when its own key tells and is gone: a digest stands in its place."""
        if self.assigned_by is AssignedBy.DATASET_SHARD:
            return self.cell_at(position_of_shard(dataset_shard))
        return None if post.startswith(PREFIX) else self.cell_at(position_of_key(post))


@dataclass(frozen=True, slots=True)
class ShardedTraining:
    """How a run was sharded, and the checkpoints that were recorded of it, by cell."""

    sharding: Sharding
    checkpoints: tuple[Checkpoint, ...] = ()

    def last_before(self, shard: int, slice_: int) -> Checkpoint | None:
        """The last recorded checkpoint of the shard that does not rest on the slice; None: begin anew."""
        before = (each for each in self.checkpoints if each.cell.shard == shard and each.cell.slice < slice_)
        return max(before, key=lambda each: each.cell, default=None)

    def resting_on(self, hit: Mapping[int, int]) -> list[Checkpoint]:
        """The checkpoints that rest on the hit slices: of each hit shard, those from its first hit slice on."""
        return [each for each in self.checkpoints if each.cell.shard in hit and each.cell.slice >= hit[each.cell.shard]]


class ShardRetraining(NamedTuple):
    """A shard that must be trained again: `first_slice` is the first that holds a post to be left out.

    `posts` counts these; training resumes from `resume` with the stage of `from_slice`; `cost` is the fraction of the
    shard's own full training.
    """

    shard: int
    first_slice: int
    posts: int
    resume: Checkpoint | None
    from_slice: int
    cost: float


def position_of_key(post: str) -> int:
    """The first 8 bytes of the SHA-256 of the post's key in UTF-8, big-endian: anybody can compute it."""
    return int.from_bytes(hashlib.sha256(post.encode()).digest()[:8], "big")


def retrainings(training: ShardedTraining, posts: Mapping[Cell, int]) -> tuple[ShardRetraining, ...]:
    """What must be trained again when so many posts leave each of these cells, by shard."""
    found: list[ShardRetraining] = []
    for shard, first in sorted(first_slices(posts).items()):
        resume = training.last_before(shard, first)
        from_slice = 1 if resume is None else resume.cell.slice + 1
        count = sum(number for cell, number in posts.items() if cell.shard == shard)
        found.append(
            ShardRetraining(shard, first, count, resume, from_slice, slice_cost(from_slice, training.sharding.slices))
        )
    return tuple(found)


def everything(training: ShardedTraining) -> tuple[ShardRetraining, ...]:
    """Every shard from its beginning, for what no shard keeps to itself: a base, or rows that no position tells."""
    return tuple(ShardRetraining(shard, 1, 0, None, 1, 1.0) for shard in range(1, training.sharding.shards + 1))


def first_slices(cells: Iterable[Cell]) -> dict[int, int]:
    """The first slice among the cells, by shard."""
    first: dict[int, int] = {}
    for cell in cells:
        first[cell.shard] = min(cell.slice, first.get(cell.shard, cell.slice))
    return first


def slice_cost(slice_: int, slices: int) -> float:
    """What training again from the stage of a slice costs, as a fraction of the shard's full training.

    1 - r(r-1)/(R(R+1)), with equal slices and as many epochs in each stage; derived in docs/plans.md.
    """
    return 1 - slice_ * (slice_ - 1) / (slices * (slices + 1))


def expected_shards(shards: int, deletions: int) -> float:
    """How many shards that many deletions hit, spread evenly and each for itself: S(1-(1-1/S)^K)."""
    return shards * (1 - (1 - 1 / shards) ** deletions)


def expected_cost(shards: int, slices: int, deletions: int) -> float:
    """What that many deletions cost together, as a fraction of a full run, spread evenly and each for itself.

    2/(R(R+1)) · Σ_j j(1-(1-j/(SR))^K), j = 1 … R: stage j of a shard is trained again when a deletion lies in one of
    its first j slices; derived in docs/plans.md.
    """
    stages = range(1, slices + 1)
    trained = sum(j * (1 - (1 - j / (shards * slices)) ** deletions) for j in stages)
    return 2 * trained / (slices * (slices + 1))


def check_sharding(training: ShardedTraining | None) -> None:
    """Return when the sharding, if any, can be recorded with its checkpoints.

    Raises:
        InvalidInputError: SHARDING_SIZE (shards and slices from 1 up, together at most 10,000), SHARDING_RANGES (the
            first does not begin at position 0, or they do not ascend), CELL_OUT_OF_RANGE, CHECKPOINT_REPEATED, or
            CHECKPOINT_REFERENCE (no URI, one that is too long or holds a control character, or a malformed digest).
    """
    if training is None:
        return
    sharding, checkpoints = training.sharding, training.checkpoints
    if min(sharding.shards, sharding.slices) < 1 or sharding.shards * sharding.slices > MOST_CELLS:
        message = f"shards and slices count from 1 up, and a run has at most {MOST_CELLS} of them together"
        raise _invalid(message, "SHARDING_SIZE", "shards")
    begins = [each.begin for each in sharding.ranges]
    if begins and (begins[0] != 0 or any(here >= there for here, there in pairwise(begins))):
        raise _invalid("ranges begin at position 0 and ascend", "SHARDING_RANGES", "ranges")
    _check_cells(sharding, "ranges", [each.cell for each in sharding.ranges])
    _check_cells(sharding, "checkpoints", [each.cell for each in checkpoints])
    if len({each.cell for each in checkpoints}) < len(checkpoints):
        raise _invalid("a slice of a shard has one checkpoint", "CHECKPOINT_REPEATED", "checkpoints")
    for each in checkpoints:
        _check_reference(each)


def _check_cells(sharding: Sharding, field: str, cells: Iterable[Cell]) -> None:
    for cell in cells:
        if not (1 <= cell.shard <= sharding.shards and 1 <= cell.slice <= sharding.slices):
            message = f"there is no slice {cell.slice} of shard {cell.shard}"
            raise _invalid(message, "CELL_OUT_OF_RANGE", field)


def _check_reference(checkpoint: Checkpoint) -> None:
    if not (0 < len(checkpoint.uri) <= _LONGEST_URI and checkpoint.uri.isprintable()):
        message = f"a checkpoint's URI is printable and has 1 to {_LONGEST_URI} characters"
        raise _invalid(message, "CHECKPOINT_REFERENCE", "checkpoints")
    if checkpoint.digest is not None and not _DIGEST.fullmatch(checkpoint.digest):
        message = "a checkpoint's digest is sha256: and 64 lower-case hexadecimal digits"
        raise _invalid(message, "CHECKPOINT_REFERENCE", "checkpoints")


def parse_position(text: str) -> int:
    """A position as 16 lower-case hexadecimal digits.

    Raises:
        InvalidInputError: SHARDING_RANGES, when it is none.
    """
    if not _HEX.fullmatch(text):
        raise _invalid("a position is 16 lower-case hexadecimal digits", "SHARDING_RANGES", "ranges")
    return int(text, 16)


def format_position(position: int) -> str:
    """A position as 16 hexadecimal digits."""
    return f"{position:016x}"


def _invalid(message: str, code: str, field: str) -> InvalidInputError:
    return InvalidInputError(message, code=code, path=("sharding", field))
