"""How many posts that an expired assessment covered have which memberships, and who used them."""

from consentline.domain.causes import Reach
from consentline.domain.concerns import Concern
from consentline.domain.datasets import Membership
from consentline.domain.flags import CauseKind
from consentline.domain.holdings import HoldingKey, canonical, closed, used
from consentline.domain.policies import PolicyRef
from consentline.domain.tallies import Differences, Member
from tests.unit.domain.factories import AI, derivation, run, upper, version

GB, IE = PolicyRef("gb", 1), PolicyRef("ie", 1)
OPEN, ENDED, OTHER = Membership("d", 1, None), Membership("d", 1, 2), Membership("e", 3, None)


def expired(*policies: PolicyRef) -> tuple[Concern, ...]:
    return tuple(Concern(CauseKind.ASSESSMENT_EXPIRED, policy=policy) for policy in policies)


def test_a_post_counts_under_each_policy_that_concerns_it_and_all_its_memberships() -> None:
    differences = Differences()

    differences.replace(Member(), Member((), expired(GB, IE), (OTHER, OPEN)))
    differences.replace(Member(), Member((), expired(GB), (OPEN, OTHER)))
    differences.replace(Member(), Member((AI,), (Concern(CauseKind.MINOR),), (OPEN,)))

    assert differences.holdings() == {HoldingKey(GB, (OPEN, OTHER)): 2, HoldingKey(IE, (OPEN, OTHER)): 1}


def test_what_cancels_out_is_no_change_and_what_is_held_nowhere_does_not_count() -> None:
    differences, member = Differences(), Member((AI,), expired(GB), (OPEN,))

    differences.replace(member, member)
    differences.replace(Member((AI,), expired(GB)), Member((AI,), expired(GB)))

    assert differences.holdings() == {}
    assert differences.changes() == {}


def test_a_post_that_leaves_or_moves_is_counted_where_it_is() -> None:
    differences = Differences()

    differences.replace(Member((), expired(GB), (OPEN,)), Member((), expired(GB), (ENDED,)))
    differences.replace(Member((), expired(GB), (OTHER,)), Member((), expired(IE), (OTHER,)))

    assert differences.holdings() == {
        HoldingKey(GB, (OPEN,)): -1,
        HoldingKey(GB, (ENDED,)): 1,
        HoldingKey(GB, (OTHER,)): -1,
        HoldingKey(IE, (OTHER,)): 1,
    }


def test_memberships_are_compared_in_one_order() -> None:
    assert canonical([OTHER, OPEN]) == canonical([OPEN, OTHER]) == (OPEN, OTHER)
    assert canonical([Membership("d", 4, None), ENDED]) == (ENDED, Membership("d", 4, None))


def test_when_all_members_leave_those_that_stood_with_the_ended_join_them() -> None:
    holdings = {HoldingKey(GB, (OPEN,)): 3, HoldingKey(GB, (ENDED,)): 2, HoldingKey(GB, (OPEN, OTHER)): 1}

    assert closed(holdings, "d", 2) == {
        HoldingKey(GB, (OPEN,)): -3,
        HoldingKey(GB, (ENDED,)): 3,
        HoldingKey(GB, (OPEN, OTHER)): -1,
        HoldingKey(GB, (ENDED, OTHER)): 1,
    }
    assert closed(holdings, "nothing", 2) == {}


def test_runs_of_the_policys_purpose_or_of_an_unknown_one_used_them() -> None:
    lineage = upper(
        version("d:1"),
        version("d:2"),
        version("e:3"),
        run("r1", "d:1", produced="m:1"),
        run("r2", "d:2", "e:3", produced="m:2", purpose=None),
        run("r3", "d:2", produced="m:3", purpose="ADS"),
        derivation("m:4", "m:1"),
    )
    holdings = {HoldingKey(GB, (OPEN,)): 3, HoldingKey(GB, (ENDED,)): 2, HoldingKey(GB, (OTHER,)): 1}

    assert used(Reach(lineage), holdings, AI) == {"m:1": 5, "m:2": 4, "m:4": 5}
    assert used(Reach(lineage), holdings, "ADS") == {"m:2": 4, "m:3": 3}
    assert used(Reach(lineage), {}, AI) == {}
