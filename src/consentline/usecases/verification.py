"""Whether anything in the graph still holds a key: every property of every node and relationship, names and indexes."""

from collections.abc import Collection, Iterator, Sequence

from consentline.domain.traces import Trace, Traces
from consentline.graph import verification
from consentline.graph.session import Tx
from consentline.usecases.service import Service

_KEYS_AT_ONCE = 500


async def find_traces(service: Service, keys: Collection[str]) -> list[Trace]:
    """Where the graph holds one of the keys; empty when it holds none.

    Reads the whole graph, once for every few hundred keys, without any limit of time.
    """
    ordered = sorted(keys)
    found: list[Trace] = []
    for begin in range(0, len(ordered), _KEYS_AT_ONCE):
        traces = Traces(ordered[begin : begin + _KEYS_AT_ONCE])
        forms = traces.forms
        places = await service.graph.read(lambda tx, forms=forms: verification.places(tx, forms), unbounded=True)
        found += _in_values(traces, places)
    found += await service.graph.read(lambda tx: _in_schema(tx, Traces(ordered)))
    return sorted(set(found))


def _in_values(traces: Traces, places: Sequence[verification.Place]) -> Iterator[Trace]:
    for place in places:
        for part in place.parts:
            for key in traces.of(part):
                yield Trace(key, f"{place.what} {place.id}, property {place.name}")


async def _in_schema(tx: Tx, traces: Traces) -> list[Trace]:
    found = [
        Trace(key, f"the name of a {kind}: {name}")
        for kind, names in (await verification.names(tx)).items()
        for name in names
        for key in traces.of(name)
    ]
    # What such an index keeps cannot be read: that there is one is told for each key.
    kept = await verification.keeping_indexes(tx)
    return found + [Trace(key, f"perhaps in the index {name}") for name in kept for key in traces.keys]
