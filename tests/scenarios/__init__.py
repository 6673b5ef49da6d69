"""Scenarios for the comparison of the product with `tests/oracle`: small pools, few dates, facts in any order.

A scenario is a list of steps as `Oracle.apply` takes them. It is drawn as a story, facts with the facts that must come
before each (a version before its members, members before the seal, a run after its inputs and bases), and then put
into a random order that keeps only those. What happened lies on a grid of instants before November 2026, 30 days or
more apart, so that windows, expiries and equal times are met; some of it ten days ago, some objections are received
half a day ahead of our clock, and some ends and expiries lie twenty days ahead: nothing begins or ends while a scenario
is replayed.

A disputed story also holds what depends on the order or is refused: builds and the gate, conflicting duplicates,
corrections of one post's author, depicts sent again, cycle attempts, second decisions, members after the seal,
confirmed erasures, and what people do about flags. Without them the final flags and verdicts are the same in every
order.

A gated run's start may name AT_AUTHORISATION, which `with_times` turns into an instant when it is applied.
"""

from tests.scenarios.drawing import reorderings, scenarios, tell
from tests.scenarios.world import (
    AT_AUTHORISATION,
    NEVER_MENTIONED,
    PEOPLE,
    POSTS,
    PURPOSES,
    Questions,
    Scenario,
    questions,
    with_times,
)

__all__ = [
    "AT_AUTHORISATION",
    "NEVER_MENTIONED",
    "PEOPLE",
    "POSTS",
    "PURPOSES",
    "Questions",
    "Scenario",
    "questions",
    "reorderings",
    "scenarios",
    "tell",
    "with_times",
]
