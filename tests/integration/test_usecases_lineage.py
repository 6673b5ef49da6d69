"""Lineage and answers as known before, on the real graph."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from consentline.domain.datasets import Coverage, VersionRef
from consentline.domain.errors import InvalidInputError, NotFoundError
from consentline.domain.instants import DAY
from consentline.domain.lineage import Edge, Kind, Lineage, Node
from consentline.domain.usage import Usage, Verdict
from consentline.graph import upper
from consentline.usecases import consent, objections, person_usage, posts, usage
from consentline.usecases.lineage import MOST_DEPTH, MOST_NODES, LineageAnswer, lineage
from consentline.usecases.service import Service
from tests.integration.arrange import (
    AI,
    PUBLISHED,
    RECEIVED,
    add,
    derive,
    file,
    policy,
    post,
    publish,
    record,
    register,
    remove,
    seal,
    serve,
    train,
    user,
    withdraw_version,
)
from tests.integration.snapshots import Refused, assert_refused, assert_unchanged

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Act = Callable[[Service], Awaitable[Any]]

POST, VERSION, RUN = Kind.POST, Kind.DATASET_VERSION, Kind.TRAINING_RUN
MODEL, FEATURE = Kind.MODEL_VERSION, Kind.FEATURE


async def walk(
    service: Service,
    kind: Kind,
    key: str,
    *,
    upstream: bool = False,
    depth: int = 20,
    nodes: int = 1000,
    known_at: int | None = None,
) -> LineageAnswer:
    return await lineage(service, kind, key, upstream=upstream, max_depth=depth, max_nodes=nodes, known_at=known_at)


def named(nodes: Sequence[Node]) -> list[str]:
    return [str(node) for node in nodes]


def steps(edges: Sequence[Edge]) -> set[str]:
    return {f"{edge.source} {edge.step} {edge.target}" for edge in edges}


async def story(service: Service) -> None:
    """Posts p and q in d:1, of which e:1 keeps p; m:1 of e:1, m:2 and rows s:1 of m:1, n:1 of both, serving feed."""
    await record(service, post("p"))
    await publish(service, "d", "p", "q")
    await publish(service, "e", "p", derived_from=["d:1"])
    await train(service, "r1", "e:1", produced="m:1")
    await derive(service, "m:2", "m:1")
    await register(service, "s", Coverage.UNDOCUMENTED, generated_by=("m:1",))
    await train(service, "r2", "s:1", started_from=("m:2",), produced="n:1")
    await serve(service, "feed", "n:1")


STEPS = {
    "p": {"p HELD_IN d:1", "p HELD_IN e:1"},
    "q": {"q HELD_IN d:1"},
    "d:1": {"d:1 DERIVED_DATASET e:1"},
    "e:1": {"e:1 CONSUMED_BY r1"},
    "r1": {"r1 PRODUCED m:1"},
    "m:1": {"m:1 DERIVED m:2", "m:1 GENERATED s:1"},
    "m:2": {"m:2 STARTED r2"},
    "s:1": {"s:1 CONSUMED_BY r2"},
    "r2": {"r2 PRODUCED n:1"},
    "n:1": {"n:1 SERVES feed"},
}
"""The steps that leave each node of the story."""


@dataclass(frozen=True)
class Walk:
    kind: Kind
    key: str
    downstream: Sequence[str]
    upstream: Sequence[str]


OF_M1 = ("m:1", "m:2", "s:1", "r2", "n:1", "feed")
WALKS = (
    Walk(POST, "p", ("p", "d:1", "e:1", "r1", *OF_M1), ("p",)),
    Walk(POST, "q", ("q", "d:1", "e:1", "r1", *OF_M1), ("q",)),
    Walk(VERSION, "d:1", ("d:1", "e:1", "r1", *OF_M1), ("d:1", "p", "q")),
    Walk(VERSION, "e:1", ("e:1", "r1", *OF_M1), ("e:1", "d:1", "p", "q")),
    Walk(RUN, "r1", ("r1", *OF_M1), ("r1", "e:1", "d:1", "p", "q")),
    Walk(MODEL, "m:1", OF_M1, ("m:1", "r1", "e:1", "d:1", "p", "q")),
    Walk(MODEL, "m:2", ("m:2", "r2", "n:1", "feed"), ("m:2", "m:1", "r1", "e:1", "d:1", "p", "q")),
    Walk(VERSION, "s:1", ("s:1", "r2", "n:1", "feed"), ("s:1", "m:1", "r1", "e:1", "d:1", "p", "q")),
    Walk(FEATURE, "feed", ("feed",), ("feed", "n:1", "r2", "s:1", "m:2", "m:1", "r1", "e:1", "d:1", "p", "q")),
)


def test_everything_upstream_or_downstream_is_found_from_every_kind(
    service: Service, run: Run, subtests: pytest.Subtests
) -> None:
    run(story(service))
    for case in WALKS:
        for upstream, expected in ((False, case.downstream), (True, case.upstream)):
            with subtests.test(f"{'up' if upstream else 'down'} from {case.key}"):
                answer = run(assert_unchanged(service, walk(service, case.kind, case.key, upstream=upstream)))

                assert set(named(answer.nodes)) == set(expected)
                assert named(answer.nodes)[0] == case.key
                assert len(answer.nodes) == len(set(answer.nodes))
                between = {step for name in expected for step in STEPS.get(name, ()) if step.split()[2] in expected}
                assert steps(answer.edges) == between
                assert len(answer.edges) == len(between)
                assert answer.complete


def distances(root: str, *, upstream: bool) -> dict[str, int]:
    """How many steps of the story lead to each node."""
    pairs = [(step.split()[0], step.split()[2]) for leaving in STEPS.values() for step in leaving]
    near = {root: 0}
    for distance in range(12):
        for source, target in pairs:
            one, other = (target, source) if upstream else (source, target)
            if near.get(one) == distance:
                near.setdefault(other, distance + 1)
    return near


@pytest.mark.parametrize(
    ("kind", "key", "upstream"),
    [(POST, "p", False), (VERSION, "d:1", False), (FEATURE, "feed", True), (MODEL, "m:2", True)],
    ids=["down from a post", "down from a version", "up from a feature", "up from a model version"],
)
def test_a_walk_stops_at_its_bounds_and_says_so(
    service: Service, run: Run, kind: Kind, key: str, upstream: bool
) -> None:
    async def scenario() -> None:
        await story(service)
        near = distances(key, upstream=upstream)
        whole = await walk(service, kind, key, upstream=upstream)
        for depth in range(1, max(near.values()) + 2):
            answer = await walk(service, kind, key, upstream=upstream, depth=depth)
            assert set(named(answer.nodes)) == {name for name, distance in near.items() if distance <= depth}
            assert answer.complete is (depth >= max(near.values()))
            listed = set(answer.nodes)
            between = [edge for edge in whole.edges if {edge.source, edge.target} <= listed]
            assert steps(answer.edges) == steps(between)
        for most in range(1, len(near) + 2):
            answer = await walk(service, kind, key, upstream=upstream, nodes=most)
            assert len(answer.nodes) == min(most, len(near))
            assert answer.complete is (most >= len(near)), most
            ordered = [near[name] for name in named(answer.nodes)]
            assert ordered == sorted(ordered)
            assert steps(answer.edges) <= steps(whole.edges)
            assert {node for edge in answer.edges for node in (edge.source, edge.target)} <= set(answer.nodes)

    run(scenario())


@pytest.mark.parametrize("left_out", ["p1", "p2", "p3"])
def test_a_post_that_found_no_room_makes_the_answer_incomplete_though_others_are_listed(
    service: Service, run: Run, left_out: str
) -> None:
    async def scenario() -> None:
        everything = ["p1", "p2", "p3"]
        await publish(service, "d", *everything)
        await publish(service, "e", *(key for key in everything if key != left_out), derived_from=["d:1"])
        whole = await walk(service, VERSION, "e:1", upstream=True, nodes=5)
        cut = await walk(service, VERSION, "e:1", upstream=True, nodes=4)

        assert set(named(whole.nodes)) == {"e:1", "d:1", *everything}
        assert whole.complete
        assert len(cut.nodes) == 4
        assert not cut.complete

    run(scenario())


def test_a_version_that_is_building_comes_of_nothing_and_leads_to_nothing_yet(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "p")
        await register(service, "b", derived_from=["d:1"])
        await add(service, "b:1", "p", "q")
        for upstream in (True, False):
            answer = await walk(service, VERSION, "b:1", upstream=upstream)
            assert (named(answer.nodes), answer.edges, answer.complete) == (["b:1"], (), True)
        assert named((await walk(service, VERSION, "d:1")).nodes) == ["d:1"]
        await seal(service, "b:1")

        assert set(named((await walk(service, VERSION, "b:1", upstream=True)).nodes)) == {"b:1", "d:1", "p", "q"}
        assert named((await walk(service, VERSION, "d:1")).nodes) == ["d:1", "b:1"]

    run(scenario())


def test_a_post_in_no_dataset_and_one_known_by_key_only_have_answers(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, post("alone"))
        await publish(service, "d", "member")

        assert named((await walk(service, POST, "alone")).nodes) == ["alone"]
        assert named((await walk(service, POST, "member")).nodes) == ["member", "d:1"]

    run(scenario())


def test_what_was_recorded_later_is_hidden_from_an_earlier_known_at(service: Service, run: Run) -> None:
    async def scenario() -> None:
        moments: list[tuple[int, set[str], set[str]]] = []

        async def told(act: Awaitable[Any], *, down: Sequence[str] = (), up: Sequence[str] = ()) -> None:
            await act
            before = moments[-1] if moments else (0, {"p"}, {"m:1"})
            moments.append((await service.now(), before[1] | set(down), before[2] | set(up)))

        await publish(service, "x")
        await train(service, "r0", "x:1", produced="m:1")
        up_from_the_start = ["r0", "x:1"]
        await told(record(service, post("p")), up=up_from_the_start)
        await told(publish(service, "d", "p"), down=["d:1"])
        await told(register(service, "e", derived_from=["d:1"]))
        await told(seal(service, "e:1"), down=["e:1"])
        await told(train(service, "r1", "e:1", produced="m:0"), down=["r1", "m:0"])
        await told(derive(service, "m:1", "m:0"), down=["m:1"], up=["m:0", "r1", "e:1", "d:1", "p"])
        await told(serve(service, "feed", "m:1"), down=["feed"])

        for known_at, down, up in moments:
            below = await walk(service, POST, "p", known_at=known_at)
            above = await walk(service, MODEL, "m:1", upstream=True, known_at=known_at)
            assert (set(named(below.nodes)), set(named(above.nodes))) == (down, up)
            assert below.known_at == known_at
            assert below.complete
            assert above.complete

    run(scenario())


# ---- refusals -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    name: str
    act: Act
    expected: Refused


def out_of_range(field: str, most: int) -> Refused:
    return Refused(InvalidInputError, "OUT_OF_RANGE", (field,), f"{field} is between 1 and {most}")


def unknown(kind: Kind) -> Refused:
    return Refused(NotFoundError, "NOT_FOUND", ("key",), f"no {kind} of this key is recorded")


def ahead(ask: Callable[[Service, int], Awaitable[Any]]) -> Act:
    async def act(service: Service) -> None:
        await ask(service, await service.now() + 60_000_000)

    return act


MALFORMED = Refused(InvalidInputError, "INVALID_INPUT", ("key",), '"dataset:number"')
FUTURE = Refused(InvalidInputError, "KNOWN_AT_IN_FUTURE", ("knownAt",), "knownAt lies in the future")
REFUSALS = (
    Refusal("no depth", lambda s: walk(s, POST, "p", depth=0), out_of_range("maxDepth", MOST_DEPTH)),
    Refusal("a negative depth", lambda s: walk(s, POST, "p", depth=-1), out_of_range("maxDepth", MOST_DEPTH)),
    Refusal("too deep", lambda s: walk(s, POST, "p", depth=MOST_DEPTH + 1), out_of_range("maxDepth", MOST_DEPTH)),
    Refusal("no nodes", lambda s: walk(s, POST, "p", nodes=0), out_of_range("maxNodes", MOST_NODES)),
    Refusal("too many nodes", lambda s: walk(s, POST, "p", nodes=MOST_NODES + 1), out_of_range("maxNodes", MOST_NODES)),
    *(
        Refusal(f"the version {key!r}", lambda s, key=key: walk(s, VERSION, key), MALFORMED)
        for key in ("", "d", ":1", "d:", "d:x", "d:-1", "d:1.0", "d: 1", "d:\uff11", "d:²", "d:1234567890")
    ),
    *(
        Refusal(f"an unknown {kind}", lambda s, kind=kind, key=key: walk(s, kind, key), unknown(kind))
        for kind, key in (
            (POST, "x"),
            (POST, "d:1"),
            (VERSION, "d:2"),
            (VERSION, "d:0"),
            (VERSION, "d:1:1"),
            (VERSION, "x:1"),
            (RUN, "x"),
            (RUN, "m:1"),
            (MODEL, "x"),
            (MODEL, "m"),
            (FEATURE, "x"),
        )
    ),
    Refusal("the lineage as of tomorrow", ahead(lambda s, at: walk(s, POST, "p", known_at=at)), FUTURE),
    Refusal("the usage as of tomorrow", ahead(lambda s, at: usage.post_usage(s, "p", at)), FUTURE),
    Refusal("a person's usage as of tomorrow", ahead(lambda s, at: person_usage.user_usage(s, "ana", at)), FUTURE),
    Refusal("the eligibility as of tomorrow", ahead(lambda s, at: posts.eligibility(s, "p", AI, None, at)), FUTURE),
    Refusal("the visibility as of tomorrow", ahead(lambda s, at: posts.visibility(s, "p", None, at)), FUTURE),
    Refusal("the consent as of tomorrow", ahead(lambda s, at: consent.find_consent(s, "ana", AI, None, at)), FUTURE),
)


def test_what_is_refused_is_refused_by_name(service: Service, run: Run, subtests: pytest.Subtests) -> None:
    run(story(service))
    for case in REFUSALS:
        with subtests.test(case.name):
            run(assert_refused(service, case.act(service), case.expected))


def test_the_widest_bounds_are_taken(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await story(service)

        assert (await walk(service, POST, "p", depth=MOST_DEPTH, nodes=MOST_NODES)).complete

    run(scenario())


# ---- as known before ------------------------------------------------------------------------------------------------


async def everything_known(service: Service, known_at: int) -> list[Any]:
    """All answers about the story as known at an instant."""
    answers: list[Any] = []
    for key in ("p", "q", "never recorded"):
        found = await usage.post_usage(service, key, known_at)
        uses = await usage.eligibilities_at_use(service, found, found.usage.uses)
        answers.append((found.usage, found.explanation, found.known_at, found.complete, uses))
        if key != "never recorded":
            answers.append(await posts.eligibility(service, key, AI, known_at, known_at))
        answers.append(await posts.visibility(service, key, known_at, known_at))
    for person in ("ana", "ben", "nobody"):
        whole = await person_usage.user_usage(service, person, known_at)
        answers.append((whole.verdict, whole.model_versions, whole.counts))
        answers.append(await consent.find_consent(service, person, AI, known_at, known_at))
    for case in WALKS:
        for upstream in (True, False):
            graph = await walk(service, case.kind, case.key, upstream=upstream, known_at=known_at)
            answers.append((set(graph.nodes), set(graph.edges), graph.complete))
    return answers


async def later_facts(service: Service) -> None:
    """Everything that can happen to the story afterwards."""
    await record(
        service,
        policy(key="later", notice_required=False, assessment="dpia-2", effective_from="2024-06-01T00:00:00Z"),
        user("ana", jurisdiction="IE", valid_from="2024-02-01T00:00:00Z"),
        user("ben"),
        post("q", "ben"),
        post("p", depicts=["ben"], special_category=True),
        {"kind": "post_author", "post": "p", "author": "ben", "reason": "another account"},
        {"kind": "visibility", "post": "p", "visibility": "PRIVATE", "valid_from": PUBLISHED},
        {"kind": "post_deleted", "post": "p", "valid_from": PUBLISHED},
        {"kind": "consent", "user": "ana", "purpose": AI, "status": "WITHDRAWN", "valid_from": PUBLISHED},
        {"kind": "notice", "key": "n", "version": 1, "purpose": AI, "channel": "in-app", "published_at": PUBLISHED},
        {"kind": "notice_served", "user": "ana", "notice": "n", "version": 1, "served_at": PUBLISHED},
    )
    await register(service, "d", based_on=1)
    await remove(service, "d:2", "p")
    await add(service, "d:2", "never recorded")
    await seal(service, "d:2")
    await publish(service, "e", "never recorded", "q", derived_from=["d:2"])
    await withdraw_version(service, "d:1")
    await withdraw_version(service, "s:1")
    await register(service, "u", Coverage.UNDOCUMENTED, derived_from=["e:1"], generated_by=("m:2",))
    await train(service, "r3", "d:2", "e:2", "u:1", "d:1", started_from=("n:1",), produced="k:1")
    await train(service, "failed", "d:1")
    await derive(service, "k:2", "m:1", "k:1")
    await serve(service, "feed", "k:2")
    await file(service, "o", "ana")
    await file(service, "o2", "ben")
    await objections.decide_objection(service, "o", uphold=True, grounds=None, decided_at=RECEIVED)
    await objections.withdraw_objection(service, "o2")


def test_an_answer_as_known_at_an_instant_stays_the_same_whatever_is_learned_later(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, user("ana"), policy(notice_required=False, assessment="dpia-1"))
        await story(service)
        known_at = await service.now()
        before = await everything_known(service, known_at)
        await later_facts(service)

        assert await everything_known(service, known_at) == before
        assert await everything_known(service, await service.now()) != before

    run(scenario())


def test_the_eligibility_of_a_key_that_nothing_named_stays_the_same_as_known_then(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, user("ana"))
        known_at = await service.now()
        before = await posts.eligibility(service, "p", AI, known_at, known_at)
        await record(service, post("p"))

        assert await posts.eligibility(service, "p", AI, known_at, known_at) == before

    run(scenario())


def test_before_anything_was_recorded_nothing_was_used_and_the_answer_says_why(service: Service, run: Run) -> None:
    async def scenario() -> None:
        before = await service.now()
        await record(service, user("ana"))
        await story(service)
        first = (await service.graph.read(upper.now)).first_recorded_at
        assert first is not None
        for known_at in (before, first - 1, 0):
            answer = await usage.post_usage(service, "p", known_at)
            assert answer.usage == Usage(Verdict.NOT_USED, (), (), ())
            assert answer.explanation.startswith("Nothing was recorded at ")
            assert answer.complete
        at_first = await usage.post_usage(service, "p", first)

        assert at_first.usage == Usage(Verdict.NOT_USED, (), (), ())
        assert not at_first.explanation.startswith("Nothing was recorded")

    run(scenario())


def test_posts_asked_about_at_the_same_time_share_statements_and_keep_their_answers(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, post("held"))
        await publish(service, "d", "used")
        await train(service, "r", "d:1", produced="m:1")
        await publish(service, "e", "held")
        asked = [key for number in range(20) for key in ("used", f"unknown {number}", "held", "used")]
        before = service.graph.statements
        answers = await asyncio.gather(*(usage.post_usage(service, key, None) for key in asked))
        statements = service.graph.statements - before

        for key, answer in zip(asked, answers, strict=True):
            assert answer.post_key == key
            assert answer.usage.verdict is (Verdict.USED if key == "used" else Verdict.NOT_USED)
            assert [str(ref) for ref in answer.usage.held_in] == {"used": ["d:1"], "held": ["e:1"]}.get(key, [])
        # One for what comes first, a few for those that wait; one more for each key that nothing names.
        assert statements < 20 + 10

    run(scenario())


def test_a_question_that_is_given_up_does_not_take_the_others_with_it(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "used")
        await train(service, "r", "d:1", produced="m:1")
        asked = [asyncio.create_task(usage.post_usage(service, "used", None)) for _ in range(9)]
        await asyncio.sleep(0)
        given_up = asked[::2]
        for task in given_up:
            task.cancel()
        answers = await asyncio.gather(*asked, return_exceptions=True)

        assert all(isinstance(each, asyncio.CancelledError) for each in answers[::2])
        assert [each.usage.verdict for each in answers[1::2] if not isinstance(each, BaseException)] == [
            Verdict.USED
        ] * 4

    run(scenario())


async def nothing(service: Service) -> None:
    """Record nothing."""


@dataclass(frozen=True)
class FirstFact:
    name: str
    act: Act


FIRST_FACTS = (
    FirstFact("a person", lambda s: record(s, user("ana"))),
    FirstFact("a person of whom nothing is said", lambda s: record(s, {"kind": "user", "key": "ana"})),
    FirstFact("a post", lambda s: record(s, post("p"))),
    FirstFact(
        "a visibility",
        lambda s: record(s, {"kind": "visibility", "post": "p", "visibility": "PUBLIC", "valid_from": PUBLISHED}),
    ),
    FirstFact(
        "a correction", lambda s: record(s, {"kind": "post_author", "post": "p", "author": "ana", "reason": "r"})
    ),
    FirstFact(
        "a consent",
        lambda s: record(
            s, {"kind": "consent", "user": "a", "purpose": AI, "status": "GIVEN", "valid_from": PUBLISHED}
        ),
    ),
    FirstFact("a policy", lambda s: record(s, policy())),
    FirstFact("an objection", lambda s: file(s)),
    FirstFact("a version", lambda s: register(s, "d", Coverage.UNDOCUMENTED)),
    FirstFact("a run", lambda s: train(s, "r")),
)


@pytest.mark.parametrize("case", FIRST_FACTS, ids=lambda case: case.name)
@pytest.mark.parametrize("asked_before", [False, True], ids=["asked once", "asked before"])
def test_from_the_first_fact_on_no_answer_says_that_nothing_was_recorded(
    service: Service, run: Run, case: FirstFact, asked_before: bool
) -> None:
    async def scenario() -> None:
        if asked_before:
            empty = await usage.post_usage(service, "another", None)
            assert empty.explanation.startswith("Nothing was recorded at ")
        await case.act(service)
        answer = await usage.post_usage(service, "another", None)

        assert answer.usage.verdict is Verdict.NOT_USED
        assert not answer.explanation.startswith("Nothing was recorded")

    run(scenario())


@dataclass(frozen=True)
class Explained:
    name: str
    act: Act
    explanation: str


EXPLAINED = (
    Explained("never read", nothing, "Held in 1 dataset version; no training run that started read any of them."),
    Explained(
        "read once",
        lambda s: train(s, "r", "d:1", produced="m:1"),
        "Used by 1 model version (1 by training on it).",
    ),
    Explained(
        "read by one that failed",
        lambda s: train(s, "r", "d:1"),
        "Used by 0 model versions (0 by training on it); 1 started run that produced none read it too.",
    ),
)


@pytest.mark.parametrize("case", EXPLAINED, ids=lambda case: case.name)
def test_the_verdict_is_explained_in_a_sentence(service: Service, run: Run, case: Explained) -> None:
    async def scenario() -> None:
        await publish(service, "d", "p")
        await case.act(service)

        assert (await usage.post_usage(service, "p", None)).explanation == case.explanation

    run(scenario())


def test_an_unknown_verdict_and_a_clean_one_are_explained(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d")
        await train(service, "r", "d:1", produced="m:1")
        clean = await usage.post_usage(service, "p", None)
        await register(service, "u", Coverage.UNDOCUMENTED)
        await train(service, "r2", "u:1", produced="m:2")
        unknown = await usage.post_usage(service, "p", None)

        assert clean.explanation.startswith("In no dataset version that a training run read")
        assert unknown.explanation == (
            "No use is recorded, but 1 dataset version that training runs read cannot rule the post out."
        )

    run(scenario())


@pytest.mark.parametrize(
    ("held_in", "undocumented", "complete"), [(1000, 1000, True), (1001, 0, False), (0, 1001, False)]
)
def test_an_answer_is_complete_up_to_a_thousand_versions(held_in: int, undocumented: int, complete: bool) -> None:
    versions = [VersionRef("d", number) for number in range(1, 1002)]
    found = Usage(Verdict.UNKNOWN, (), tuple(versions[:held_in]), tuple(versions[:undocumented]))

    assert usage.PostUsageAnswer("p", found, None, DAY, Lineage(), "p").complete is complete
