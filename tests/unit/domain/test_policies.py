from dataclasses import dataclass

import pytest

from consentline.domain.policies import LawfulBasis, Policy, governing
from tests.unit.domain.factories import AI, NOW, RECORDED, at, policy


@dataclass(frozen=True)
class Case:
    name: str
    policies: tuple[Policy, ...]
    expected: Policy | None
    jurisdiction: str | None = "GB"
    at: int = NOW
    known_at: int = NOW


OLD, NEW = at("2025-02-01"), at("2025-03-01")
GB = policy("gb", effective_from=OLD)
SCT = policy("sct", jurisdiction="GB-SCT", effective_from=OLD)
LATER = policy("later", effective_from=NEW)
ENDED = policy("ended", effective_from=NEW, effective_until=NOW)

CASES = (
    Case("the only one", (GB,), GB),
    Case("none at all", (), None),
    Case("an unknown jurisdiction has none", (GB,), None, jurisdiction=None),
    Case("another country's is not theirs", (GB,), None, jurisdiction="IE"),
    Case("another purpose's is not asked for", (policy(purpose="ADS"),), None),
    Case("a subdivision's own", (GB, SCT), SCT, jurisdiction="GB-SCT"),
    Case("a subdivision without one has its country's", (GB, SCT), GB, jurisdiction="GB-WLS"),
    Case("a country does not take its subdivision's", (SCT,), None),
    Case("a subdivision's goes before a newer one of its country", (LATER, SCT), SCT, jurisdiction="GB-SCT"),
    Case(
        "a subdivision whose own has ended has its country's",
        (GB, policy("sct", jurisdiction="GB-SCT", effective_until=NOW)),
        GB,
        jurisdiction="GB-SCT",
    ),
    Case("effective from an instant, at that instant", (GB,), GB, at=OLD),
    Case("effective from an instant, just before it", (GB,), None, at=OLD - 1),
    Case("ended at an instant, at that instant", (ENDED, GB), GB, at=NOW),
    Case("ended at an instant, just before it", (ENDED, GB), ENDED, at=NOW - 1),
    Case("recorded at an instant, known at that instant", (GB,), GB, known_at=RECORDED),
    Case("recorded at an instant, known just before it", (GB,), None, known_at=RECORDED - 1),
    Case("over all keys the latest effective_from", (LATER, GB), LATER),
    Case("the latest effective_from before the highest version", (LATER, policy("gb", 9, effective_from=OLD)), LATER),
    Case("then the highest version", (policy("gb", 2), policy("other", 1)), policy("gb", 2)),
    Case("then the greater key", (policy("b"), policy("a")), policy("b")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_policy_governs_whatever_the_order_in_which_they_are_listed(case: Case) -> None:
    for policies in (case.policies, case.policies[::-1]):
        assert governing(policies, case.jurisdiction, AI, case.at, case.known_at) == case.expected


def test_what_a_policy_does_not_say_protects_people() -> None:
    bare = Policy("gb", 1, "GB", AI, LawfulBasis.LEGITIMATE_INTERESTS, OLD, RECORDED)

    assert bare.notice_required
    assert bare.objection_window_days == 0
    assert bare.protects_depicted
    assert bare.flags_past_use
    assert bare.gate_flagged_bases
    assert not bare.objection_absolute
    assert (bare.platforms, bare.assessment, bare.assessment_expires, bare.effective_until) == ((), None, None, None)
