"""How many violations stand of each training run, which runs are to be judged yet, and who read which post.

All of it is written under the upper graph's guard.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import LiteralString, NamedTuple

from consentline.domain.datasets import Membership
from consentline.graph.facts import Rows
from consentline.graph.session import Tx


class Judged(NamedTuple):
    """How a run stands: its violations as last counted, whether they are to be counted anew, and a count of changes.

    `touched` grows with every fact that may have changed the violations.
    """

    violations: int
    unjudged: bool
    touched: int


OF_RUNS: LiteralString = """
UNWIND $runs AS key
MATCH (t:TrainingRun {key: key})
RETURN collect([t.key, coalesce(t.violations, 0), coalesce(t.unjudged, false), coalesce(t.touched, 0)]) AS rows
"""


async def of_runs(tx: Tx, runs: Collection[str]) -> dict[str, Judged]:
    """How the runs stand."""
    rows = (await tx.get(OF_RUNS, runs=sorted(runs)))["rows"]
    return {key: Judged(*each) for key, *each in rows}


UNJUDGED: LiteralString = """
MATCH (t:TrainingRun)
USING INDEX t:TrainingRun(unjudged)
WHERE t.unjudged = true
RETURN collect(t.key) AS runs
"""


async def unjudged(tx: Tx) -> list[str]:
    """The runs whose violations are to be counted anew, sorted."""
    return sorted((await tx.get(UNJUDGED))["runs"])


MARK: LiteralString = """
UNWIND $runs AS key
MATCH (t:TrainingRun {key: key})
SET t.unjudged = true, t.touched = coalesce(t.touched, 0) + 1
"""


async def mark_unjudged(tx: Tx, runs: Collection[str]) -> None:
    """The violations of the runs are to be counted anew."""
    await tx.rows(MARK, runs=sorted(runs))


SET_COUNT: LiteralString = """
MATCH (t:TrainingRun {key: $run})
SET t.violations = $violations
REMOVE t.unjudged
"""


async def set_count(tx: Tx, run: str, violations: int) -> None:
    """The violations of the run were counted."""
    await tx.rows(SET_COUNT, run=run, violations=violations)


# A run that is to be counted anew learns only that a count under way may have missed something.
CHANGE: LiteralString = """
UNWIND $rows AS row
MATCH (t:TrainingRun {key: row[0]})
WITH t, row, coalesce(t.unjudged, false) AS unjudged
WHERE unjudged OR row[1] <> 0
SET t.touched = coalesce(t.touched, 0) + 1,
    t.violations = CASE WHEN unjudged THEN t.violations ELSE coalesce(t.violations, 0) + row[1] END
"""


async def change(tx: Tx, differences: Mapping[str, int]) -> None:
    """Change the counts of the runs that facts concerned, by what the facts changed (perhaps nothing)."""
    await tx.rows(CHANGE, rows=[[run, differences[run]] for run in sorted(differences)])


MEMBERSHIPS: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})
WITH p, [(p)-[m:IN_SHARD]->(:Shard) WHERE m.dataset IN $datasets | [m.dataset, m.from_version, m.to_version]] AS held
WHERE size(held) > 0
RETURN collect([p.key, held]) AS rows
"""


async def memberships(tx: Tx, posts: Sequence[str], datasets: Sequence[str]) -> dict[str, tuple[Membership, ...]]:
    """Where the posts are or were members of the datasets; the others are absent."""
    rows = (await tx.get(MEMBERSHIPS, posts=Rows(posts), datasets=list(datasets)))["rows"]
    return {key: tuple(Membership(*each) for each in held) for key, held in rows}
