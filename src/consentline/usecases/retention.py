"""How long events are kept: until everybody was told of them, and for some days so that who was away can resume."""

from consentline.domain.instants import DAY
from consentline.graph import delivery_lists
from consentline.usecases.service import Service

_AT_ONCE = 1000


async def prune(service: Service, days: int) -> int:
    """Take away events older than that and delivered to every webhook that wants them; tell how many.

    What is still to be sent, and dead letters, stay until they are delivered or their webhook is disabled. It may be
    stopped at any moment, and run in several processes.
    """
    before = await service.now() - days * DAY
    position, pruned = 0, 0
    while True:
        aged = await service.graph.read(
            lambda tx, position=position: delivery_lists.list_aged(tx, before, position, _AT_ONCE)
        )
        if not aged:
            return pruned
        done = [each.id for each in aged if not each.needed]
        await service.graph.write(lambda tx, done=done: delivery_lists.delete(tx, done))
        position, pruned = aged[-1].position, pruned + len(done)
