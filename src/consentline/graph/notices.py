"""The people of a jurisdiction, by the facts that ever placed them there, in pages by recorded time.

Only `ORDER BY` of all that the index holds is answered by the index's own order, which LIMIT then cuts short.
"""

from typing import Any, LiteralString, NamedTuple

from consentline.domain.consent import ServedNotice
from consentline.domain.instants import Instant
from consentline.domain.people import Dated, PersonFacts
from consentline.graph.session import Tx

SUBDIVISION: LiteralString = """
MATCH (f:UserFact)
USING INDEX SEEK f:UserFact(field, value, recorded_at)
WHERE f.field = 'jurisdiction' AND f.value > $after AND f.value < $end AND f.recorded_at IS NOT NULL
WITH f ORDER BY f.field, f.value, f.recorded_at LIMIT 1
RETURN f.value AS value
"""


async def next_subdivision(tx: Tx, country: str, after: str | None) -> str | None:
    """The first subdivision of the country, after one of them or of all, that was ever recorded of anybody.

    A seek that reads one fact, however many people live there.
    """
    begin, end = f"{country}-", f"{country}."  # "." follows "-"
    row = await tx.find(SUBDIVISION, after=after or begin, end=end)
    return None if row is None else row["value"]


class Placed(NamedTuple):
    """A person, and since when a fact says that they are in the jurisdiction."""

    person: PersonFacts
    since: Instant


class PlacedPage(NamedTuple):
    """People placed in a jurisdiction by facts recorded up to `until`; the next page begins after it."""

    until: Instant
    people: list[Placed]


PLACED: LiteralString = """
MATCH (f:UserFact)
USING INDEX SEEK f:UserFact(field, value, recorded_at)
WHERE f.field = 'jurisdiction' AND f.value = $jurisdiction AND f.recorded_at > $after AND f.recorded_at <= $known_at
WITH f ORDER BY f.field, f.value, f.recorded_at LIMIT $most
WITH max(f.recorded_at) AS until
WHERE until IS NOT NULL
MATCH (f:UserFact)
USING INDEX SEEK f:UserFact(field, value, recorded_at)
WHERE f.field = 'jurisdiction' AND f.value = $jurisdiction AND f.recorded_at > $after AND f.recorded_at <= until
MATCH (u:User)-[:KNOWN]->(f)
RETURN until, collect(CASE WHEN u.erased_at IS NULL THEN [
  u.key, f.valid_from,
  [(u)-[:KNOWN]->(j:UserFact {field: 'jurisdiction'}) | [j.value, j.valid_from, j.recorded_at]],
  [(u)-[s:SERVED]->(n:Notice) WHERE n.purpose = $purpose AND n.described_at IS NOT NULL
    | [n.purpose, s.served_at, CASE WHEN n.described_at > s.recorded_at THEN n.described_at ELSE s.recorded_at END,
       s.seen_at, coalesce(s.seen_recorded_at, s.recorded_at)]]
] END) AS people
"""


async def placed(
    tx: Tx, jurisdiction: str, purpose: str, *, after: Instant, known_at: Instant, most: int
) -> PlacedPage | None:
    """Whoever a fact recorded after one time, and up to another, places in exactly this jurisdiction; None: nobody.

    About `most` people: facts that one transaction recorded share their recorded time, and come in one page. Of a
    person only where they were, and the notices of the purpose that reached them, are read.
    """
    row = await tx.find(PLACED, jurisdiction=jurisdiction, purpose=purpose, after=after, known_at=known_at, most=most)
    if row is None:
        return None
    return PlacedPage(row["until"], [_placed(*each) for each in row["people"]])


def _placed(key: str, since: Instant, places: list[Any], notices: list[Any]) -> Placed:
    person = PersonFacts(
        key=key,
        jurisdictions=tuple(Dated(*each) for each in places),
        notices=tuple(ServedNotice(*each) for each in notices),
    )
    return Placed(person, since)
