"""Whether a post could be used when a run read it, before an erasure, while it is carried out, and after it."""

from dataclasses import replace
from datetime import date

from consentline.domain.at_use import eligibility_at_use, is_ordinary, keep, minor_at_use, violates
from consentline.domain.eligibility import Reason, evaluate
from consentline.domain.erasures import ErasureStatus
from consentline.domain.instants import DAY
from consentline.domain.people import PersonFacts
from consentline.domain.posts import KeptUse, PostFacts
from tests.unit.domain.factories import NOW, PUBLISHED, RECORDED, erasure, objection, person, policy, post, run, turned

USED = RECORDED + DAY
CONFIRMED = NOW - DAY
RULES = (policy(protects_depicted=False), policy("ads", purpose="ADS"))
PROTECTING = (policy(protects_depicted=True),)
READ = run("r", "d:1", started=USED, recorded=USED)
GATED = replace(READ, gated=True)
LATE = replace(READ, key="late", recorded_at=NOW)
MINOR = person("kid", adult_from=date(2030, 1, 1))


def erased(author: PersonFacts, *, at: int = CONFIRMED) -> PersonFacts:
    """The person, whose erasure is confirmed and not carried out yet."""
    return replace(
        author, erased_at=at, erasures=(erasure(turned(ErasureStatus.CONFIRMED, at, at), received=at, recorded=at),)
    )


def carried_out(found: PostFacts, *uses: KeptUse) -> PostFacts:
    return PostFacts("digest", erased_at=found.erased_since, kept=uses)


def test_an_ordinary_post_is_judged_by_its_facts() -> None:
    for facts in (post(), post(author=MINOR)):
        assert is_ordinary(facts)
        wanted = evaluate(facts, RULES, purpose="AI_TRAINING", at=USED, known_at=NOW)
        assert eligibility_at_use(facts, RULES, READ, known_at=NOW) == wanted
        assert violates(facts, RULES, READ) == bool(wanted.reasons)


def test_what_is_kept_is_what_was_answered_before_whether_it_is_carried_out_or_not() -> None:
    objector = person(objections=[objection(received=PUBLISHED, recorded=USED + 1)])
    young = (Reason.MINOR_AT_PUBLICATION, Reason.MINOR_NOW)
    pending = (Reason.OBJECTION_PENDING,)
    for author, reasons, gated_reasons in ((person(), (), ()), (MINOR, young, young), (objector, pending, ())):
        before, going = post(author=author), post(author=erased(author))
        for read, wanted in ((READ, reasons), (GATED, gated_reasons)):
            answered = eligibility_at_use(before, RULES, read, known_at=CONFIRMED)
            assert answered.reasons == wanted
            gone = carried_out(going, keep(going, RULES, read, CONFIRMED))
            for facts in (going, gone):
                assert not is_ordinary(facts)
                found = eligibility_at_use(facts, RULES, read, known_at=NOW)
                assert (found.reasons, found.policy) == (wanted, answered.policy)
                assert violates(facts, RULES, read) == violates(before, RULES, read)


def test_a_use_that_is_recorded_later_is_erased_and_counts() -> None:
    going = post(author=erased(person()))
    for facts in (going, carried_out(going)):
        assert eligibility_at_use(facts, RULES, LATE, known_at=NOW).reasons == (Reason.ERASED,)
        assert violates(facts, RULES, LATE)


def test_an_erased_post_has_one_reason_at_every_time() -> None:
    going = post(author=erased(MINOR))
    for facts in (going, carried_out(going)):
        for at, known_at in ((NOW, NOW), (PUBLISHED, NOW), (USED, CONFIRMED - 1)):
            found = evaluate(facts, RULES, purpose="AI_TRAINING", at=at, known_at=known_at)
            assert (found.reasons, found.policy) == ((Reason.ERASED,), None)


def test_erasing_a_minor_whom_a_post_depicts_does_not_wipe_out_the_violation() -> None:
    going = post(depicts=[erased(MINOR)])
    settled = replace(
        going,
        depicted=(replace(going.depicted[0], person=replace(erased(person("kid")), jurisdictions=()), settled=True),),
        minor_at_use=frozenset({"r"}),
    )
    assert minor_at_use(going, PROTECTING, READ)
    assert not minor_at_use(going, RULES, READ)
    assert not minor_at_use(going, PROTECTING, LATE)
    for facts in (going, settled):
        assert not is_ordinary(facts)
        assert violates(facts, PROTECTING, READ)
        found = eligibility_at_use(facts, PROTECTING, READ, known_at=NOW)
        assert Reason.THIRD_PARTY_MINOR in found.reasons
