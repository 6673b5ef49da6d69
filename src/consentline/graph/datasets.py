"""Dataset versions: registering, sealing and withdrawing them."""

from collections.abc import Sequence
from typing import LiteralString

from consentline.domain.datasets import Coverage, Selection, VersionRef, VersionStatus
from consentline.domain.instants import Instant
from consentline.graph.session import Tx

CREATE_VERSION: LiteralString = """
MATCH (d:Dataset {key: $dataset})
SET d.title = coalesce($title, d.title), d.recorded_at = coalesce(d.recorded_at, $recorded_at)
CREATE (d)-[:HAS_VERSION]->(v:DatasetVersion {
  dataset: $dataset, number: $number, coverage: $coverage, status: $status, registered_at: $recorded_at,
  sealed_at: $sealed_at, content: $content, based_on: $based_on, declared: $declared,
  jurisdictions: $jurisdictions, platforms: $platforms,
  published_from: $published_from, published_before: $published_before
})
WITH v
CALL (v) {
  UNWIND $derived_from AS ref
  MATCH (u:DatasetVersion {dataset: ref[0], number: ref[1]})
  CREATE (v)-[:DERIVED_FROM]->(u)
}
CALL (v) {
  UNWIND $generated_by AS key
  MATCH (m:ModelVersion {key: key})
  CREATE (v)-[:GENERATED_BY]->(m)
}
"""


async def create_version(
    tx: Tx,
    ref: VersionRef,
    *,
    coverage: Coverage,
    status: VersionStatus,
    title: str | None,
    selection: Selection | None,
    based_on: int | None,
    derived_from: Sequence[VersionRef],
    generated_by: Sequence[str],
    content: str,
    recorded_at: Instant,
) -> None:
    """Write a version and what it comes from; one that is not BUILDING is sealed at `recorded_at`."""
    declared = selection or Selection()
    await tx.rows(
        CREATE_VERSION,
        dataset=ref.dataset,
        number=ref.number,
        coverage=coverage,
        status=status,
        title=title,
        declared=selection is not None,
        jurisdictions=list(declared.jurisdictions),
        platforms=list(declared.platforms),
        published_from=declared.published_from,
        published_before=declared.published_before,
        based_on=based_on,
        derived_from=[[each.dataset, each.number] for each in derived_from],
        generated_by=list(generated_by),
        content=content,
        recorded_at=recorded_at,
        sealed_at=None if status is VersionStatus.BUILDING else recorded_at,
    )


CONTENT: LiteralString = """
MATCH (v:DatasetVersion {dataset: $dataset, number: $number})
RETURN v.content AS content, v.based_on AS based_on
"""


async def registered_as(tx: Tx, ref: VersionRef) -> tuple[str, int | None]:
    """The digest of what a version was registered with, and the version that it is based on."""
    row = await tx.get(CONTENT, dataset=ref.dataset, number=ref.number)
    return row["content"], row["based_on"]


SEAL: LiteralString = """
MATCH (v:DatasetVersion {dataset: $dataset, number: $number})
SET v.status = 'SEALED', v.sealed_at = $sealed_at, v.post_count = $post_count, v.manifest_digest = $manifest_digest
"""


async def seal(tx: Tx, ref: VersionRef, *, post_count: int, manifest_digest: str, sealed_at: Instant) -> None:
    """Make a version immutable with its count and digest."""
    await tx.rows(
        SEAL,
        dataset=ref.dataset,
        number=ref.number,
        post_count=post_count,
        manifest_digest=manifest_digest,
        sealed_at=sealed_at,
    )


WITHDRAW: LiteralString = """
MATCH (v:DatasetVersion {dataset: $dataset, number: $number})
SET v.status = 'WITHDRAWN', v.withdrawn_at = $withdrawn_at, v.withdrawn_reason = $reason
"""


async def withdraw(tx: Tx, ref: VersionRef, *, reason: str, withdrawn_at: Instant) -> None:
    """Mark a version as not to be used again."""
    await tx.rows(WITHDRAW, dataset=ref.dataset, number=ref.number, reason=reason, withdrawn_at=withdrawn_at)
