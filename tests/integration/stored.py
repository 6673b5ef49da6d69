"""What is stored beside the facts, read straight from the graph and compared with the oracle."""

from collections import Counter
from typing import Any, LiteralString

from consentline.graph.session import Tx
from consentline.usecases.service import Service
from tests.integration import asking
from tests.oracle import AsKnown, Oracle

HELD: LiteralString = """
MATCH (p:Post)-[m:IN_SHARD]->(s:Shard)
RETURN p.key AS post, coalesce(p.ineligible, []) AS ineligible, m.dataset AS dataset, s.dataset AS shard_of,
       m.from_version AS begin, m.to_version AS end, m.recheck_at AS recheck_at
"""
TALLIES: LiteralString = """
MATCH (t:TallyBlock) UNWIND range(0, size(t.deltas) - 1) AS i
RETURN t.dataset AS dataset, t.purpose AS purpose, t.block * 64 + i + 1 AS number, t.deltas[i] AS by
"""
UNJUDGED: LiteralString = "MATCH (d:Dataset) RETURN d.key AS dataset, coalesce(d.unjudged, []) AS purposes"
RUNS: LiteralString = """
MATCH (r:TrainingRun) WHERE r.started_at IS NOT NULL AND r.status <> 'FAILED'
RETURN r.key AS run, r.violations AS violations, coalesce(r.unjudged, false) AS unjudged
"""
OPEN_FLAGS: LiteralString = """
MATCH (f:RetrainingFlag) WHERE f.open_for IS NOT NULL
RETURN f.model AS model, [(f)-[c:CAUSED_BY]->() WHERE c.dropped_at IS NULL | c.due_at] AS due, f.due_at AS due_at
"""


async def check(service: Service, oracle: Oracle, now: int) -> None:
    """Tallies are what posts and memberships say, posts and runs what the oracle says, flags what their causes say."""

    async def read(tx: Tx) -> tuple[list[Any], ...]:
        return tuple([await tx.rows(query) for query in (HELD, TALLIES, UNJUDGED, RUNS, OPEN_FLAGS)])

    held, tallies, unjudged, runs, flags = await service.graph.read(read)
    check_tallies(held, tallies)
    names = asking.names_of(service, oracle)
    held = [dict(row) | {"post": names.get(row["post"], row["post"])} for row in held]
    check_posts(held, {row["dataset"]: set(row["purposes"]) for row in unjudged}, oracle, now)
    # A run that failed has no product that its violations could taint: they are not kept.
    ended_well = {key for key, run in oracle.runs.items() if run.status != "FAILED"}
    violations = {run: len(posts) for run, posts in AsKnown(oracle).violations().items() if run in ended_well}
    unjudged_runs = {row["run"] for row in runs if row["unjudged"]}
    assert not unjudged_runs, unjudged_runs
    found = {row["run"]: row["violations"] or 0 for row in runs}
    assert found == violations, (found, violations)
    for row in flags:
        assert row["due"], row["model"]
        assert row["due_at"] == min(row["due"]), row["model"]


def check_tallies(held: list[Any], tallies: list[Any]) -> None:
    """+1 at `from_version` and -1 at `to_version` for each purpose that a post may not be used for."""
    wanted: Counter[tuple[str, str, int]] = Counter()
    for row in held:
        for purpose in row["ineligible"]:
            wanted[(row["dataset"], purpose, row["begin"])] += 1
            if row["end"] is not None:
                wanted[(row["dataset"], purpose, row["end"])] -= 1
    stored: Counter[tuple[str, str, int]] = Counter()
    for row in tallies:
        stored[(row["dataset"], row["purpose"], row["number"])] += row["by"]
    assert {key: delta for key, delta in stored.items() if delta} == {key: each for key, each in wanted.items() if each}


def check_posts(held: list[Any], unjudged: dict[str, set[str]], oracle: Oracle, now: int) -> None:
    """A member's judgement is what the oracle judges now, unless it is known to be behind."""
    known = AsKnown(oracle)
    purposes = {policy.purpose for _, policy in oracle.policies.values()}
    rows_of: dict[str, list[Any]] = {}
    for row in held:
        assert row["dataset"] == row["shard_of"], row
        rows_of.setdefault(row["post"], []).append(row)
    for post, rows in rows_of.items():
        assert len({row["recheck_at"] for row in rows}) == 1, post
        if rows[0]["recheck_at"] is not None and rows[0]["recheck_at"] <= now:
            continue
        behind = set[str]().union(*(unjudged[row["dataset"]] for row in rows))
        wanted = {purpose for purpose in purposes if known.eligibility(post, purpose, now).reasons}
        assert set(rows[0]["ineligible"]) - behind == wanted - behind, post
