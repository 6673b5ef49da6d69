"""Recipients of datasets: few, and read whole."""

from typing import Any, LiteralString

from consentline.domain.recipients import Recipient
from consentline.graph.session import Tx

RECORD: LiteralString = """
MATCH (d:Dataset {key: $dataset})
MERGE (r:Recipient {dataset: d.key, key: $key})
ON CREATE SET r.recorded_at = $now
SET r.name = $name, r.webhook = $webhook
MERGE (r)-[:RECEIVED]->(d)
RETURN properties(r) AS recipient
"""


async def record(tx: Tx, recipient: Recipient) -> Recipient | None:
    """Write a recipient, or its name and webhook anew; None when there is no such dataset."""
    row = await tx.find(
        RECORD,
        dataset=recipient.dataset,
        key=recipient.key,
        name=recipient.name,
        webhook=recipient.webhook,
        now=recipient.recorded_at,
    )
    return None if row is None else _recipient(row["recipient"])


ALL: LiteralString = """
MATCH (r:Recipient)
USING INDEX r:Recipient(dataset, key)
WHERE r.dataset >= '' AND r.key >= ''
RETURN collect(properties(r)) AS recipients
"""


async def list_all(tx: Tx) -> list[Recipient]:
    """The recipients of all datasets, by dataset and key."""
    return _sorted((await tx.get(ALL))["recipients"])


OF_DATASET: LiteralString = """
MATCH (r:Recipient)
USING INDEX r:Recipient(dataset, key)
WHERE r.dataset = $dataset AND r.key >= ''
RETURN collect(properties(r)) AS recipients
"""


async def of_dataset(tx: Tx, dataset: str) -> list[Recipient]:
    """The recipients of a dataset, by key."""
    return _sorted((await tx.get(OF_DATASET, dataset=dataset))["recipients"])


def _sorted(rows: list[dict[str, Any]]) -> list[Recipient]:
    return sorted((_recipient(row) for row in rows), key=lambda each: (each.dataset, each.key))


def _recipient(row: dict[str, Any]) -> Recipient:
    return Recipient(row["dataset"], row["key"], row["name"], row.get("webhook"), row["recorded_at"])
