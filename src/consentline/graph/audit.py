"""Audit entries: appended and read, never changed or deleted; no statement of this package does either.

An entry is found by its time, role, token and outcome through indexes of its own, and by its operations and subjects
through one AuditTerm node each: no node gathers relationships, so writers never wait for each other.
"""

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from neo4j.exceptions import Neo4jError

from consentline.domain.audit import Actor, AuditEntry, AuditFilter
from consentline.domain.errors import AuditUnavailableError
from consentline.domain.instants import ALWAYS, EVER
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.graph.session import Graph, Tx

APPEND_EACH: LiteralString = """
UNWIND entries AS entry
WITH entry, datetime.realtime() AS moment
WITH entry, moment.epochSeconds * 1000000 + moment.microsecond AS now
MERGE (e:AuditEntry {uid: entry.uid})
ON CREATE SET e += entry.said, e.at = now
FOREACH (term IN CASE WHEN e.at = now THEN entry.terms ELSE [] END |
  CREATE (:AuditTerm {term: term, at: now, uid: entry.uid}))
"""

APPEND: LiteralString = "WITH $entries AS entries" + APPEND_EACH


async def append(tx: Tx, entries: Sequence[AuditEntry]) -> None:
    """Write entries; one whose uid is written already stays as it is, for a commit may be repeated unheard.

    Raises:
        AuditUnavailableError: the database refuses them; what else the transaction wrote is not committed.
    """
    try:
        await tx.rows(APPEND, entries=rows_of(entries))
    except Neo4jError as error:
        if error.is_retryable():
            raise
        raise AuditUnavailableError from error


async def enter(graph: Graph, entries: Sequence[AuditEntry]) -> None:
    """Write entries in a transaction of their own, at once or not at all: whoever waits for an answer waits for it.

    Raises:
        AuditUnavailableError: they are not written.
        DatabaseUnavailableError: the database is away.
    """
    try:
        await graph.write_once(lambda tx: append(tx, entries))
    except Neo4jError as error:
        raise AuditUnavailableError from error


# Each list has its index, pinned, and is walked from the newest entry back: see objection_lists.py.
PAGE_OF_ALL: LiteralString = """
MATCH (e:AuditEntry)
USING INDEX e:AuditEntry(at, uid)
WHERE e.at >= $since AND e.at <= $before AND e.uid >= ''
  AND CASE WHEN e.at = $before THEN e.uid < $uid ELSE true END
WITH e ORDER BY e.at DESC, e.uid DESC LIMIT $most
RETURN collect(properties(e)) AS rows
"""

PAGE_OF_ROLE: LiteralString = """
MATCH (e:AuditEntry)
USING INDEX e:AuditEntry(role, at, uid)
WHERE e.role = $role AND e.at >= $since AND e.at <= $before AND e.uid >= ''
  AND CASE WHEN e.at = $before THEN e.uid < $uid ELSE true END
  AND coalesce($outcome, e.outcome) = e.outcome
WITH e ORDER BY e.role DESC, e.at DESC, e.uid DESC LIMIT $most
RETURN collect(properties(e)) AS rows
"""

PAGE_OF_OUTCOME: LiteralString = """
MATCH (e:AuditEntry)
USING INDEX e:AuditEntry(outcome, at, uid)
WHERE e.outcome = $outcome AND e.at >= $since AND e.at <= $before AND e.uid >= ''
  AND CASE WHEN e.at = $before THEN e.uid < $uid ELSE true END
WITH e ORDER BY e.outcome DESC, e.at DESC, e.uid DESC LIMIT $most
RETURN collect(properties(e)) AS rows
"""

PAGE_OF_BEARER: LiteralString = """
MATCH (e:AuditEntry)
USING INDEX e:AuditEntry(token_id, at, uid)
WHERE e.token_id = $token_id AND e.at >= $since AND e.at <= $before AND e.uid >= ''
  AND CASE WHEN e.at = $before THEN e.uid < $uid ELSE true END
  AND coalesce($role, e.role) = e.role AND coalesce($outcome, e.outcome) = e.outcome
  AND CASE WHEN $operation IS NULL THEN true ELSE $operation IN split(e.operation, ',') END
WITH e ORDER BY e.token_id DESC, e.at DESC, e.uid DESC LIMIT $most
RETURN collect(properties(e)) AS rows
"""

PAGE_OF_TERMS: LiteralString = """
UNWIND $terms AS term
CALL (term) {
  MATCH (t:AuditTerm)
  USING INDEX t:AuditTerm(term, at, uid)
  WHERE t.term = term AND t.at >= $since AND t.at <= $before AND t.uid >= ''
    AND CASE WHEN t.at = $before THEN t.uid < $uid ELSE true END
  MATCH (e:AuditEntry {uid: t.uid})
  WHERE coalesce($role, e.role) = e.role AND coalesce($token_id, e.token_id) = e.token_id
    AND coalesce($outcome, e.outcome) = e.outcome
    AND CASE WHEN $operation IS NULL THEN true ELSE $operation IN split(e.operation, ',') END
  RETURN e ORDER BY t.term DESC, t.at DESC, t.uid DESC LIMIT $most
}
WITH DISTINCT e ORDER BY e.at DESC, e.uid DESC LIMIT $most
RETURN collect(properties(e)) AS rows
"""


async def page(tx: Tx, wanted: AuditFilter, subjects: Sequence[str], request: PageRequest) -> Page[AuditEntry]:
    """Entries from the newest back, by the time of writing, then uid; of any of the subjects, when there are some.

    Read through what narrows most: subjects, then the token, the operation, the role, the outcome.
    """
    before, uid = request.after or (EVER if wanted.until is None else wanted.until, "")
    values: dict[str, Any] = {
        "since": ALWAYS if wanted.since is None else wanted.since,
        "before": before,
        "uid": uid,
        "most": request.first + 1,
        "operation": wanted.operation,
        "role": wanted.role,
        "token_id": wanted.token_id,
        "outcome": wanted.outcome,
    }
    if subjects:
        row = await tx.get(PAGE_OF_TERMS, terms=list(subjects), **values)
    elif wanted.token_id is not None:
        row = await tx.get(PAGE_OF_BEARER, **values)
    elif wanted.operation is not None:
        row = await tx.get(PAGE_OF_TERMS, terms=[wanted.operation], **values)
    elif wanted.role is not None:
        row = await tx.get(PAGE_OF_ROLE, **values)
    elif wanted.outcome is not None:
        row = await tx.get(PAGE_OF_OUTCOME, **values)
    else:
        row = await tx.get(PAGE_OF_ALL, **values)
    return page_from([_entry(each) for each in row["rows"]], lambda entry: (entry.at, entry.uid), request, 0)


LOST: LiteralString = """
UNWIND $entries AS entry
UNWIND entry.terms AS term
OPTIONAL MATCH (t:AuditTerm {term: term, at: entry.at, uid: entry.uid})
WITH entry, t WHERE t IS NULL
RETURN collect(DISTINCT entry.uid) AS uids
"""


async def lost(tx: Tx, entries: Sequence[AuditEntry]) -> set[str]:
    """The uids of those entries that one of their operations or subjects does not lead to."""
    rows = [{"uid": entry.uid, "at": entry.at, "terms": entry.terms} for entry in entries]
    return set((await tx.get(LOST, entries=rows))["uids"])


def rows_of(entries: Iterable[AuditEntry]) -> list[dict[str, Any]]:
    """The entries as they are written."""
    return [_row(entry) for entry in entries]


def _row(entry: AuditEntry) -> dict[str, Any]:
    said = {
        "role": entry.actor.role,
        "token_id": entry.actor.token_id,
        "request_id": entry.actor.request_id,
        "operation": entry.operation,
        "outcome": entry.outcome,
        "subjects": list(entry.subjects),
        "subject_count": entry.subject_count,
        "clock": entry.clock,
        "counted": [name for name, _ in entry.counts],
        "counts": [count for _, count in entry.counts],
        "digest": entry.digest,
        "seal": entry.seal,
    }
    return {"uid": entry.uid, "said": said, "terms": entry.terms}


def _entry(row: dict[str, Any]) -> AuditEntry:
    return AuditEntry(
        uid=row["uid"],
        actor=Actor(row["role"], row["token_id"], row["request_id"]),
        operation=row["operation"],
        outcome=row["outcome"],
        subjects=tuple(row["subjects"]),
        subject_count=row["subject_count"],
        clock=row["clock"],
        counts=tuple(zip(row["counted"], row["counts"], strict=True)),
        digest=row.get("digest"),
        at=row["at"],
        seal=row["seal"],
    )
