from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.causes import CauseFinder, ForPurposes, Reach, ScopedPosts, any_run, claim_of, live_claims
from consentline.domain.datasets import Membership
from consentline.domain.flags import CauseKind
from consentline.domain.instants import EVER
from consentline.domain.lineage import Lineage
from consentline.domain.objections import Objection, ObjectionStatus
from consentline.domain.people import PersonFacts
from consentline.domain.usage import ReadBy
from tests.unit.domain.factories import (
    AI,
    PUBLISHED,
    dated,
    derivation,
    filed,
    person,
    policy,
    run,
    undocumented,
    upper,
    version,
)
from tests.unit.domain.plan_worlds import World, models_reached, worlds

OBJECTION, THIRD_PARTY = CauseKind.OBJECTION, CauseKind.THIRD_PARTY_OBJECTED
STORY = (
    version("d:1"),
    version("d:2"),
    run("r1", "d:1", produced="m:1"),
    run("r2", "d:2", produced="m:2", purpose="ADS"),
    run("r3", "d:2", produced="m:3", purpose=None),
    derivation("m:4", "m:1"),
    run("r5", "d:1"),
)


def scoped(
    posts: int = 1,
    *,
    user: str = "ana",
    depicting: bool = False,
    author: str = "ana",
    platform: str = "FACEBOOK",
    memberships: Sequence[Membership] = (Membership("d", 1, 2),),
) -> ScopedPosts:
    return ScopedPosts(user, depicting, author, platform, tuple(memberships), posts)


@dataclass(frozen=True)
class Case:
    name: str
    objection: Objection
    scoped: Sequence[ScopedPosts]
    expected: dict[tuple[str, CauseKind], int]
    lineage: Lineage = field(default_factory=lambda: upper(*STORY))
    authors: Sequence[PersonFacts] = (person(),)


BOTH = {("m:1", OBJECTION): 1, ("m:4", OBJECTION): 1}
IN_D2 = (Membership("d", 2, None),)
PAST = policy(flags_past_use=False)
CASES = (
    Case("every model version that used a post, in any relation", filed(), [scoped()], BOTH),
    Case(
        "posts are counted for each",
        filed(),
        [scoped(2), scoped(3, memberships=[Membership("d", 1, None)])],
        {("m:1", OBJECTION): 5, ("m:4", OBJECTION): 5, ("m:3", OBJECTION): 3},
    ),
    Case("nothing in scope", filed(), [], {}),
    Case("upheld", filed(status=ObjectionStatus.UPHELD), [scoped()], BOTH),
    Case("refused", filed(status=ObjectionStatus.REFUSED), [scoped()], {}),
    Case("withdrawn", filed(status=ObjectionStatus.WITHDRAWN), [scoped()], {}),
    Case("somebody else's posts", filed(user="ben"), [scoped()], {}),
    Case("a platform that it names", filed(platforms=["FACEBOOK"]), [scoped()], BOTH),
    Case("a platform that it does not name", filed(platforms=["THREADS"]), [scoped()], {}),
    Case(
        "a purpose narrows runs whose purpose is known", filed(), [scoped(memberships=IN_D2)], {("m:3", OBJECTION): 1}
    ),
    Case(
        "two purposes",
        filed(purposes=[AI, "ADS"]),
        [scoped(memberships=IN_D2)],
        {("m:2", OBJECTION): 1, ("m:3", OBJECTION): 1},
    ),
    Case(
        "the run that read the post decides, not what came of it",
        filed(purposes=["ADS"]),
        [scoped()],
        {},
    ),
    Case(
        "posts that depict somebody are third-party causes",
        filed(user="ben"),
        [scoped(2, user="ben", depicting=True)],
        {("m:1", THIRD_PARTY): 2, ("m:4", THIRD_PARTY): 2},
    ),
    Case(
        "unknown use raises nothing",
        filed(),
        [scoped()],
        {},
        upper(undocumented("d:1"), run("r1", "d:1", produced="m:1")),
    ),
    Case("a policy that does not flag past use", filed(), [scoped()], {}, upper(*STORY, PAST)),
    Case(
        "a policy of another place",
        filed(),
        [scoped()],
        BOTH,
        upper(*STORY, policy(jurisdiction="IE", flags_past_use=False)),
    ),
    Case(
        "a policy of another purpose",
        filed(),
        [scoped()],
        BOTH,
        upper(*STORY, policy(purpose="ADS", flags_past_use=False)),
    ),
    Case(
        "a policy not yet in force at receipt",
        filed(),
        [scoped()],
        BOTH,
        upper(*STORY, policy(flags_past_use=False, effective_from=PUBLISHED + 1)),
    ),
    Case(
        "a policy in force from receipt on",
        filed(),
        [scoped()],
        {},
        upper(*STORY, policy(flags_past_use=False, effective_from=PUBLISHED)),
    ),
    Case(
        "an author of unknown jurisdiction", filed(), [scoped()], BOTH, upper(*STORY, PAST), [person(jurisdiction=None)]
    ),
    Case("an author never recorded", filed(), [scoped()], BOTH, upper(*STORY, PAST), []),
    Case(
        "the author's jurisdiction at receipt",
        filed(),
        [scoped()],
        BOTH,
        upper(*STORY, PAST),
        [PersonFacts("ana", jurisdictions=(dated("IE"), dated("GB", PUBLISHED + 1)))],
    ),
    Case(
        "the author's policy, not the objector's",
        filed(user="ben"),
        [scoped(user="ben", depicting=True)],
        {},
        upper(*STORY, PAST),
        [person("ana"), person("ben", jurisdiction="IE")],
    ),
    Case(
        "past use and the run's purpose are matched for one purpose",
        filed(purposes=[AI, "ADS"]),
        [scoped(), scoped(memberships=IN_D2)],
        {("m:2", OBJECTION): 1, ("m:3", OBJECTION): 1},
        upper(*STORY, PAST),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_objection_causes_what_its_scope_was_used_by(case: Case) -> None:
    finder = CauseFinder(case.lineage.policies, {each.key: each for each in case.authors}, Reach(case.lineage))

    for _ in range(2):
        found = [finder.causes(claim, case.scoped) for claim in live_claims([case.objection])]
        assert (found or [{}]) == [case.expected]


def test_one_walk_serves_all_objections_that_ask_the_same() -> None:
    lineage = upper(*STORY)
    finder = CauseFinder(lineage.policies, {}, Reach(lineage))

    together = [finder.models(claim_of(filed(key)), scoped()) for key in ("o1", "o2")]
    apart = finder.models(claim_of(filed("o3", purposes=["ADS"])), scoped())

    assert together == [{"m:1", "m:4"}] * 2
    assert apart == frozenset()


@given(worlds, st.sampled_from([any_run, ForPurposes(frozenset({AI})), ForPurposes(frozenset({"ADS"}))]))
def test_what_is_reached_is_what_the_walk_from_the_holding_versions_finds(world: World, counts: ReadBy) -> None:
    reach = Reach(world.lineage)

    for holdings in world.posts.values():
        memberships = [each.membership for each in holdings]
        held_in = world.lineage.holding(memberships, EVER)
        assert reach.models(memberships, counts) == models_reached(world.lineage, held_in, EVER, counts)
