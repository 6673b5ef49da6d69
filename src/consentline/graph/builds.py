"""Builds of dataset versions: who is at work on one, how far it is, and the members shard by shard."""

from collections.abc import Sequence
from typing import LiteralString

from consentline.domain.builds import BuildProgress
from consentline.domain.datasets import Selection, VersionRef
from consentline.domain.eligibility import Reason
from consentline.domain.instants import Instant
from consentline.graph.session import Tx

_SHARDS_AT_ONCE = 25

CLAIM: LiteralString = """
MATCH (d:Dataset {key: $dataset})
SET d.title = coalesce($title, d.title)
WITH d
MATCH (v:DatasetVersion {dataset: $dataset, number: $number})
SET v.build_purpose = $purpose, v.build_as_of = $as_of, v.build_jurisdictions = $jurisdictions,
    v.build_platforms = $platforms, v.build_published_from = $published_from,
    v.build_published_before = $published_before, v.build_lease = $lease, v.build_lease_until = $lease_until,
    v.build_examined = 0, v.build_taken = 0, v.build_updated_at = $now
"""


async def claim(
    tx: Tx,
    ref: VersionRef,
    *,
    title: str | None,
    purpose: str,
    as_of: Instant | None,
    selection: Selection,
    lease: str,
    lease_until: Instant,
    now: Instant,
) -> None:
    """Give a BUILDING version to the build that holds the lease; its progress begins anew."""
    await tx.rows(
        CLAIM,
        dataset=ref.dataset,
        number=ref.number,
        title=title,
        purpose=purpose,
        as_of=as_of,
        jurisdictions=list(selection.jurisdictions),
        platforms=list(selection.platforms),
        published_from=selection.published_from,
        published_before=selection.published_before,
        lease=lease,
        lease_until=lease_until,
        now=now,
    )


LEASED: LiteralString = """
MATCH (v:DatasetVersion {dataset: $dataset, number: $number})
WHERE v.build_lease <> $lease
RETURN v.build_lease_until AS until
"""


async def leased_until(tx: Tx, ref: VersionRef, lease: str) -> Instant | None:
    """When the lease on the version ends; None when nobody holds one but whoever has this one."""
    row = await tx.find(LEASED, dataset=ref.dataset, number=ref.number, lease=lease)
    return None if row is None else row["until"]


RENEW: LiteralString = """
MATCH (v:DatasetVersion {dataset: $dataset, number: $number})
WHERE v.build_lease = $lease
WITH v, datetime.realtime() AS clock
WITH v, clock.epochSeconds * 1000000 + clock.microsecond AS now
SET v.build_lease_until = now + $lasting, v.build_updated_at = now, v.build_examined = $examined, v.build_taken = $taken
RETURN true AS held
"""


async def renew(tx: Tx, ref: VersionRef, lease: str, lasting: int, examined: int, taken: int) -> bool:
    """Extend the lease, `lasting` microseconds from now, and write down how far the build is; False: it is lost.

    The dataset's guard is held, as it is by whoever takes a lease over.
    """
    found = await tx.find(
        RENEW,
        dataset=ref.dataset,
        number=ref.number,
        lease=lease,
        lasting=lasting,
        examined=examined,
        taken=taken,
    )
    return found is not None


RELEASE: LiteralString = """
MATCH (v:DatasetVersion {dataset: $dataset, number: $number})
WHERE v.build_lease = $lease
REMOVE v.build_lease, v.build_lease_until
"""


async def release(tx: Tx, ref: VersionRef, lease: str) -> None:
    """Give the lease back, so that the next call goes on at once; nothing when another build took it over."""
    await tx.rows(RELEASE, dataset=ref.dataset, number=ref.number, lease=lease)


FINISH: LiteralString = """
MATCH (v:DatasetVersion {dataset: $dataset, number: $number})
SET v.excluded_reasons = $reasons, v.excluded_counts = $counts, v.build_taken = $taken
REMOVE v.build_lease, v.build_lease_until
"""


async def finish(tx: Tx, ref: VersionRef, taken: int, excluded: Sequence[tuple[Reason, int]]) -> None:
    """Record what was taken and what was left out, and end the lease."""
    await tx.rows(
        FINISH,
        dataset=ref.dataset,
        number=ref.number,
        taken=taken,
        reasons=[reason.value for reason, _ in excluded],
        counts=[count for _, count in excluded],
    )


PROGRESS: LiteralString = """
MATCH (v:DatasetVersion {dataset: $dataset, number: $number})
WHERE v.build_updated_at IS NOT NULL
RETURN v.build_examined AS examined, v.build_taken AS taken, v.build_updated_at AS updated_at
"""


async def progress(tx: Tx, ref: VersionRef) -> BuildProgress | None:
    """How far the build of the version is, or was when it ended; None when no build made it."""
    row = await tx.find(PROGRESS, dataset=ref.dataset, number=ref.number)
    return None if row is None else BuildProgress(row["examined"], row["taken"], row["updated_at"])


# Shard keys begin with their dataset's key and "/"; "0" is the next character after "/". No other dataset's shards of
# the range pass the comparison of `dataset`.
MEMBERS_OF_SHARDS: LiteralString = """
MATCH (s:Shard)
WHERE s.key > $after AND s.key < $end AND s.dataset = $dataset
WITH s ORDER BY s.key LIMIT $most
RETURN collect([s.key, [(p:Post)-[m:IN_SHARD]->(s)
  WHERE m.from_version <= $number AND coalesce(m.to_version, 9223372036854775807) > $number | p.key]]) AS rows
"""


async def members_page(tx: Tx, ref: VersionRef, after: str | None) -> tuple[list[str], str | None]:
    """The members of a version in the next shards after `after`, in no order, and where to go on: None at the end."""
    return _flat(*await _page(tx, MEMBERS_OF_SHARDS, ref, after))


async def shards_page(tx: Tx, ref: VersionRef, after: str | None) -> tuple[list[tuple[str, list[str]]], str | None]:
    """As `members_page`, each shard by its key with its members."""
    return await _page(tx, MEMBERS_OF_SHARDS, ref, after)


INELIGIBLE_OF_SHARDS: LiteralString = """
MATCH (s:Shard)
WHERE s.key > $after AND s.key < $end AND s.dataset = $dataset
WITH s ORDER BY s.key LIMIT $most
RETURN collect([s.key, [(p:Post)-[m:IN_SHARD]->(s)
  WHERE m.from_version <= $number AND coalesce(m.to_version, 9223372036854775807) > $number
    AND $purpose IN p.ineligible | p.key]]) AS rows
"""


async def ineligible_page(tx: Tx, ref: VersionRef, purpose: str, after: str | None) -> tuple[list[str], str | None]:
    """As `members_page`, only those that were ineligible for the purpose when they were last judged."""
    return _flat(*await _page(tx, INELIGIBLE_OF_SHARDS, ref, after, purpose=purpose))


async def _page(
    tx: Tx, statement: LiteralString, ref: VersionRef, after: str | None, **more: str
) -> tuple[list[tuple[str, list[str]]], str | None]:
    row = await tx.get(
        statement,
        dataset=ref.dataset,
        number=ref.number,
        after=after or f"{ref.dataset}/",
        end=f"{ref.dataset}0",
        most=_SHARDS_AT_ONCE,
        **more,
    )
    rows = [(shard, posts) for shard, posts in row["rows"]]
    return rows, rows[-1][0] if len(rows) == _SHARDS_AT_ONCE else None


def _flat(rows: Sequence[tuple[str, list[str]]], after: str | None) -> tuple[list[str], str | None]:
    return [post for _, posts in rows for post in posts], after
