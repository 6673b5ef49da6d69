from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentline.domain import evaluation
from consentline.domain.eligibility import Reason, evaluate
from consentline.domain.evaluation import Evaluator, PlainPost
from consentline.domain.instants import EVER, Instant
from consentline.domain.posts import PostFacts
from consentline.domain.recheck import next_change
from tests.unit.domain.factories import AI, NOW, objection, person, policy, post
from tests.unit.domain.worlds import KNOWN, MOMENTS, PURPOSES, World, worlds


@settings(max_examples=500, deadline=None)
@given(
    world=worlds, purpose=st.sampled_from(PURPOSES), moment=st.sampled_from(MOMENTS), known_at=st.sampled_from(KNOWN)
)
def test_an_evaluator_gives_the_answers_of_the_pure_functions(
    world: World, purpose: str, moment: Instant, known_at: Instant
) -> None:
    evaluator = Evaluator(world.policies, purpose, moment, known_at)
    posts = [world.post() for _ in range(5)]

    for each in (*posts, *posts):
        found = evaluate(each, world.policies, purpose=purpose, at=moment, known_at=known_at)
        assert evaluator.reasons(each) == found.reasons
        assert evaluator.next_change(each) == next_change(each, world.policies, purpose, moment)


@given(world=worlds, moment=st.sampled_from(MOMENTS))
def test_the_plain_posts_of_one_author_are_judged_as_each_by_itself(world: World, moment: Instant) -> None:
    author, rules = world.people[0], world.policies
    posts = [world.plain_post(author) for _ in range(5)]
    evaluator = Evaluator(rules, AI, moment)

    reasons = evaluator.of_author(author, [row(each) for each in posts])
    changes = evaluator.changes_of_author(author, [row(each) for each in posts])

    assert reasons == [evaluate(each, rules, purpose=AI, at=moment, known_at=EVER).reasons for each in posts]
    assert changes == [next_change(each, rules, AI, moment) for each in posts]


def row(facts: PostFacts) -> PlainPost:
    described = facts.description
    assert described is not None
    special = facts.special_category[0].value if facts.special_category else None
    fields = (described.platform, str(described.kind), described.published_at, str(described.visibility))
    return (facts.key, *fields, special)


def test_other_facts_of_the_same_person_are_not_mistaken_for_those_remembered() -> None:
    evaluator = Evaluator([policy()], AI, NOW)
    before = evaluator.reasons(post(author=person("ana")))

    after = evaluator.reasons(post(author=replace(person("ana"), objections=(objection(),))))

    assert (before, after) == ((), (Reason.OBJECTION_PENDING,))


def test_what_is_remembered_of_people_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "_MOST_PEOPLE", 2)
    evaluator = Evaluator([policy()], AI, NOW)
    authors = [person("ana"), person("ben", objections=[objection()]), person("cai", adult_from=None)]

    found = [evaluator.reasons(post(author=author)) for author in (*authors, *authors)]

    assert found == [(), (Reason.OBJECTION_PENDING,), (Reason.AGE_UNKNOWN,)] * 2
