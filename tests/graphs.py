"""Emptying the graph between tests; its schema stays."""

from consentline.graph.session import Tx
from consentline.usecases.service import Service

_AT_ONCE = 10_000

WIPE = """
MATCH (n) WHERE NOT n:Migration AND NOT n:Revision
WITH n LIMIT $most
DETACH DELETE n
RETURN count(*) AS deleted
"""
RESET = """
MATCH (r:Revision) SET r = {name: r.name, value: randomUUID()}
"""


async def wipe(service: Service) -> None:
    """Delete every fact and give the upper graph a new revision; in pieces, for a transaction is held in memory."""

    async def work(tx: Tx) -> int:
        deleted: int = (await tx.get(WIPE, most=_AT_ONCE))["deleted"]
        await tx.rows(RESET)
        return deleted

    while await service.graph.write(work) == _AT_ONCE:
        pass
