"""What must hold of the stored graph after whatever happened; read straight from it, not through the product."""

from typing import Any

from consentline.domain.judgement import Judge
from consentline.graph import posts, upper
from consentline.graph.session import Tx
from consentline.usecases.service import Service

TRACKED = """
MATCH (p:Post) WHERE EXISTS { (p)-[:IN_SHARD]->(:Shard) }
RETURN p.key AS key, coalesce(p.ineligible, []) AS ineligible,
       [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version, m.recheck_at]] AS held
"""
TALLIES = """
MATCH (t:TallyBlock) UNWIND range(0, size(t.deltas) - 1) AS i
RETURN t.dataset AS dataset, t.purpose AS purpose, t.block * 64 + i + 1 AS number, t.deltas[i] AS by
"""
UNJUDGED = "MATCH (d:Dataset) RETURN d.key AS dataset, coalesce(d.unjudged, []) AS purposes"


async def check_counts(service: Service) -> None:
    """Tallies equal what is stored of posts, and that equals their judgement now where nothing is due."""

    async def read(tx: Tx) -> tuple[list[Any], list[Any], dict[str, list[str]]]:
        unjudged = {row["dataset"]: row["purposes"] for row in await tx.rows(UNJUDGED)}
        return await tx.rows(TRACKED), await tx.rows(TALLIES), unjudged

    tracked, tallies, unjudged = await service.graph.read(read)
    expected: dict[tuple[str, str], dict[int, int]] = {}
    for row in tracked:
        for purpose in row["ineligible"]:
            for dataset, begin, end, _ in row["held"]:
                at = expected.setdefault((dataset, purpose), {})
                at[begin] = at.get(begin, 0) + 1
                if end is not None:
                    at[end] = at.get(end, 0) - 1
    stored: dict[tuple[str, str], dict[int, int]] = {}
    for row in tallies:
        if row["by"]:
            stored.setdefault((row["dataset"], row["purpose"]), {})[row["number"]] = row["by"]
    nonzero = {key: {number: by for number, by in at.items() if by} for key, at in expected.items()}
    assert stored == {key: at for key, at in nonzero.items() if at}
    await _check_judgements(service, tracked, unjudged)


async def _check_judgements(service: Service, tracked: list[Any], unjudged: dict[str, list[str]]) -> None:
    now = await service.graph.read(upper.now)
    lineage = await service.lineages.at(now.revision)
    facts = await service.graph.read(lambda tx: posts.facts(tx, [row["key"] for row in tracked]))
    judge = Judge(lineage.policies, now.instant)
    for row in tracked:
        if any(recheck is not None and recheck <= now.instant for *_, recheck in row["held"]):
            continue
        judged = judge.judge(facts[row["key"]])
        behind = {purpose for dataset, *_ in row["held"] for purpose in unjudged[dataset]}
        if behind:
            continue
        assert set(row["ineligible"]) == set(judged.ineligible), row["key"]
        stored = {recheck for *_, recheck in row["held"]}
        assert len(stored) == 1, row["key"]
        (recheck_at,) = stored
        if judged.recheck_at is not None:
            assert recheck_at is not None, row["key"]
            assert recheck_at <= judged.recheck_at, row["key"]
