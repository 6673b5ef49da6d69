"""Cascades of objections, while what serves them is killed: 200 of them, the service in 40 and Neo4j in 10.

`make soak` kills in every one. The seed is fixed here, so that a failure can be repeated; soak draws one.
"""

from pathlib import Path

from tests.faults.cascades import CASCADES, Plan, soak

SEED = 20261125


def test_of_200_cascades_with_kills_in_50_nothing_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    assert soak(tmp_path, Plan.drawn(SEED, CASCADES, services=40, databases=10))


def test_a_plan_is_the_same_for_the_same_seed_and_kills_as_often_as_it_says() -> None:
    plan = Plan.drawn(SEED, CASCADES, services=40, databases=10)

    assert plan == Plan.drawn(SEED, CASCADES, services=40, databases=10) != Plan.drawn(1, CASCADES, 40, 10)
    assert sum(kill.database for kill in plan.kills.values()) == 10
    assert len(plan.kills) == 50
    assert set(plan.kills) <= set(range(CASCADES))
