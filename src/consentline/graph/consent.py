"""The history of what a person was told and what they said, append-only."""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

from consentline.domain.consent import ConsentStatus
from consentline.domain.instants import ALWAYS, Instant
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.graph.session import Tx


class ConsentEvent(NamedTuple):
    """A change of a person's standing for a purpose; `source` names the notice or objection behind it.

    A notice informs since it is known what it says: `recorded_at` is when both it and its serving were recorded.
    """

    valid_from: Instant
    recorded_at: Instant
    status: ConsentStatus
    source: str


HISTORY: LiteralString = """
UNWIND $users AS user
OPTIONAL MATCH (u:User {key: user})
WITH head(collect(u)) AS u
WITH [(u)-[:SAID]->(s:ConsentState {purpose: $purpose}) WHERE u.erased_at IS NULL OR s.objection IS NOT NULL
     | [s.valid_from, s.recorded_at,
       CASE s.status WHEN 'GIVEN' THEN 'CONSENT_GIVEN' WHEN 'WITHDRAWN' THEN 'CONSENT_WITHDRAWN' ELSE s.status END,
       coalesce(s.objection, '')]]
   + [(u)-[s:SERVED]->(n:Notice {purpose: $purpose}) WHERE u.erased_at IS NULL AND n.described_at IS NOT NULL
       | [s.served_at, CASE WHEN n.described_at > s.recorded_at THEN n.described_at ELSE s.recorded_at END,
          'INFORMED', n.key + ':' + toString(n.version)]] AS events
UNWIND CASE WHEN size(events) = 0 THEN [null] ELSE events END AS event
WITH size(events) AS total, event
ORDER BY event[0], event[1], event[2], event[3]
WITH total, collect(event) AS sorted
RETURN total, [e IN sorted WHERE e[0] > $after[0] OR (e[0] = $after[0] AND (e[1] > $after[1] OR (e[1] = $after[1]
  AND (e[2] > $after[2] OR (e[2] = $after[2] AND e[3] > $after[3])))))][..$most] AS events
"""


async def history(tx: Tx, users: Sequence[str], purpose: str, request: PageRequest) -> Page[ConsentEvent]:
    """What the person, stored under one of the keys, was told and said, by valid, then recorded time.

    Of somebody erased, what became of their objections.
    """
    after = list(request.after or (ALWAYS, ALWAYS, "", ""))
    row = await tx.get(HISTORY, users=users, purpose=purpose, after=after, most=request.first + 1)
    events = [ConsentEvent(each[0], each[1], ConsentStatus(each[2]), each[3]) for each in row["events"]]
    return page_from(events, tuple, request, row["total"])
