"""Emptying the graph between tests; its schema stays."""

from consentline.graph.session import Tx
from consentline.usecases.service import Service


async def wipe(service: Service) -> None:
    """Delete every fact and give the upper graph a new revision."""

    async def work(tx: Tx) -> None:
        await tx.rows("MATCH (n) WHERE NOT n:Migration AND NOT n:Revision DETACH DELETE n")
        await tx.rows("MATCH (r:Revision) SET r.value = randomUUID() REMOVE r.first_recorded_at")

    await service.graph.write(work)
