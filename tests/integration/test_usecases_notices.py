"""Notice coverage and campaigns: people are met by an index and in pages, and the figures are those of the facts."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from random import Random
from typing import Any, LiteralString

import pytest

from consentline.domain.errors import InvalidInputError, NotFoundError
from consentline.domain.instants import DAY, Instant
from consentline.domain.notices import NoticeCoverage, NoticeQuestion, coverage_of, served_since
from consentline.embedded import Server
from consentline.graph import posts
from consentline.graph.session import Tx
from consentline.graph.upper import LineageCache
from consentline.settings import Settings
from consentline.usecases import notices
from consentline.usecases.audit import operator
from consentline.usecases.service import Service
from tests.conftest import Run
from tests.integration.arrange import AI, policy, record, user
from tests.integration.plan_graphs import FORGET_PLANS
from tests.integration.profiling import Profile, ProfilingGraph
from tests.oracle import micros

AT = "2026-11-01T00:00:00Z"
NOW = micros(AT)


def notice(key: str = "n", purpose: str = AI, **more: Any) -> dict[str, Any]:
    described = {"kind": "notice", "key": key, "version": 1, "purpose": purpose, "channel": "IN_APP"}
    return described | {"published_at": "2026-01-01T00:00:00Z"} | more


def served(who: str, when: str = "2026-06-01T00:00:00Z", key: str = "n", **more: Any) -> dict[str, Any]:
    return {"kind": "notice_served", "user": who, "notice": key, "version": 1, "served_at": when} | more


def figures(found: NoticeCoverage) -> tuple[int, int, int, int, int]:
    return found.people, found.served, found.seen, found.window_open, found.not_served


async def covered(service: Service, key: str, **asked: Any) -> tuple[int, int, int, int, int]:
    question = await notices.ask(service, key, 1, **asked)
    return figures(await notices.coverage(service, question))


async def campaign(service: Service, key: str, **asked: Any) -> set[str]:
    """Those still to be served; asserts that nobody is listed twice."""
    question = await notices.ask(service, key, 1, **asked)
    async with aclosing(notices.to_be_served(service, question)) as pages:
        found = [each async for page in pages for each in page]
    assert len(found) == len(set(found))
    return set(found)


STORY = (
    policy(objection_window_days=30),
    policy(key="sct", jurisdiction="GB-SCT"),
    policy(key="ads", purpose="ADS"),
    notice(),
    notice("other", "ADS"),
    user("reached", jurisdiction="GB"),
    user("saw", jurisdiction="GB-ENG"),
    user("window-open", jurisdiction="GB-WLS"),
    user("unserved", jurisdiction="GB-ENG"),
    user("other-purpose", jurisdiction="GB"),
    user("by-key-only", jurisdiction="GB"),
    user("scot", jurisdiction="GB-SCT"),
    user("scot-served", jurisdiction="GB-SCT"),
    user("abroad", jurisdiction="FR"),
    user("unknown", jurisdiction=None),
    user("moved-away", jurisdiction="GB"),
    user("moved-away", jurisdiction="FR", valid_from="2026-02-01T00:00:00Z"),
    user("moved-here", jurisdiction="FR"),
    user("moved-here", jurisdiction="GB", valid_from="2026-02-01T00:00:00Z"),
    user("moved-within", jurisdiction="GB"),
    user("moved-within", jurisdiction="GB-ENG", valid_from="2026-02-01T00:00:00Z"),
    user("moved-within", jurisdiction="GB", valid_from="2026-03-01T00:00:00Z"),
    user("now-unknown", jurisdiction="GB"),
    user("now-unknown", jurisdiction=None, valid_from="2026-02-01T00:00:00Z"),
    served("reached"),
    served("saw", seen_at="2026-06-02T00:00:00Z"),
    served("window-open", "2026-10-20T00:00:00Z"),
    served("other-purpose", key="other"),
    served("by-key-only", key="never-described"),
    served("scot-served"),
    served("abroad"),
    served("moved-away"),
)


def test_whom_the_notices_of_a_policy_reached(run: Run[Any], service: Service) -> None:
    run(record(service, *STORY))

    assert run(covered(service, "gb", at=NOW)) == (8, 3, 1, 1, 5)
    assert run(campaign(service, "gb", at=NOW)) == {
        "unserved", "other-purpose", "by-key-only", "moved-here", "moved-within"
    }  # fmt: skip


def test_a_subdivision_with_a_policy_of_its_own_is_covered_by_that(run: Run[Any], service: Service) -> None:
    run(record(service, *STORY))

    assert run(covered(service, "sct", at=NOW)) == (2, 1, 0, 0, 1)
    assert run(campaign(service, "sct", at=NOW)) == {"scot"}


def test_a_policy_of_another_purpose_has_other_notices(run: Run[Any], service: Service) -> None:
    run(record(service, *STORY))

    assert run(covered(service, "ads", at=NOW)) == (10, 1, 0, 0, 9)


def test_people_are_counted_where_they_are_at_the_time(run: Run[Any], service: Service) -> None:
    run(record(service, *STORY))
    before = micros("2026-01-31T00:00:00Z")

    found = run(campaign(service, "gb", at=before))

    assert {"moved-away", "now-unknown", "moved-within"} <= found
    assert "moved-here" not in found


def test_a_notice_known_by_key_only_counts_once_it_is_described(run: Run[Any], service: Service) -> None:
    run(record(service, *STORY))
    before = run(service.now())
    run(record(service, notice("never-described")))

    assert "by-key-only" not in run(campaign(service, "gb", at=NOW))
    assert "by-key-only" in run(campaign(service, "gb", at=NOW, known_at=before))


def test_what_is_recorded_later_changes_no_earlier_answer(run: Run[Any], service: Service) -> None:
    run(record(service, *STORY))
    before = run(service.now())
    asked: dict[str, Instant] = {"at": NOW, "known_at": before}
    answered = run(covered(service, "gb", **asked)), run(campaign(service, "gb", **asked))

    run(record(service, user("late", jurisdiction="GB"), served("unserved"), user("reached", jurisdiction="FR",
               valid_from="2026-02-01T00:00:00Z"), policy(version=2)))  # fmt: skip

    assert (run(covered(service, "gb", **asked)), run(campaign(service, "gb", **asked))) == answered
    assert run(covered(service, "gb", at=NOW)) == (0, 0, 0, 0, 0)


def test_that_a_notice_was_seen_changes_no_answer_of_before_it_was_told(run: Run[Any], service: Service) -> None:
    run(record(service, *STORY))
    before = run(service.now())

    run(record(service, served("reached", seen_at="2026-06-03T00:00:00Z"), served("unserved", seen_at=AT)))

    assert run(covered(service, "gb", at=NOW, known_at=before)) == (8, 3, 1, 1, 5)
    assert run(covered(service, "gb", at=NOW)) == (8, 4, 3, 1, 4)
    question = run(notices.ask(service, "gb", 1, NOW, before))
    people = run(service.graph.read(lambda tx: posts.person_facts(tx, ["reached", "saw", "unserved"])))
    assert coverage_of(people.values(), question).seen == 1


def test_without_times_the_question_is_about_now(run: Run[Any], service: Service) -> None:
    run(record(service, *STORY))
    before = run(service.now())

    asked = run(notices.ask(service, "gb", 1))

    assert before <= asked.at == asked.known_at <= run(service.now())


def test_a_policy_that_is_not_recorded_is_refused(run: Run[Any], service: Service) -> None:
    begin = run(service.now())
    run(record(service, policy()))

    for key, version, known in (("x", 1, None), ("gb", 2, None), ("gb", 1, begin)):
        with pytest.raises(NotFoundError) as raised:
            run(notices.ask(service, key, version, known_at=known))
        assert raised.value.code == "POLICY_NOT_FOUND"
        assert raised.value.message == "no such version of the policy is recorded"


def test_a_future_recorded_time_is_refused(run: Run[Any], service: Service) -> None:
    run(record(service, policy()))

    with pytest.raises(InvalidInputError) as raised:
        run(notices.ask(service, "gb", 1, known_at=run(service.now()) + DAY))

    assert (raised.value.code, raised.value.message) == ("KNOWN_AT_IN_FUTURE", "knownAt lies in the future")


def test_nobody_anywhere_is_an_empty_answer(run: Run[Any], service: Service) -> None:
    run(record(service, policy()))

    assert run(covered(service, "gb")) == (0, 0, 0, 0, 0)
    assert run(campaign(service, "gb")) == set()


# ---- pages ----------------------------------------------------------------------------------------------------------


def some_people(seed: int, count: int) -> list[dict[str, Any]]:
    """People who move about between a few places and times, and whom notices reached."""
    chance = Random(seed)  # noqa: S311 - nothing is kept secret by it
    found: list[dict[str, Any]] = []
    for number in range(count):
        key = f"u{number}"
        found.append(user(key, jurisdiction=chance.choice(("GB", "GB-SCT", "GB-ENG", "FR", None))))
        for month in chance.sample(range(1, 6), chance.randint(0, 3)):
            to = chance.choice(("GB", "GB", "GB-SCT", "GB-ENG", "GB-NIR", "FR", None))
            found.append(user(key, jurisdiction=to, valid_from=f"2026-0{month}-01T00:00:00Z"))
        for month in chance.sample(range(1, 6), chance.randint(0, 2)):
            seen = {"seen_at": "2026-05-15T00:00:00Z"} if chance.random() < 0.5 else {}
            found.append(served(key, f"2026-0{month}-15T00:00:00Z", chance.choice(("n", "other")), **seen))
    return found


@pytest.mark.parametrize("size", [1, 4])
def test_people_in_pages_of_any_size_give_the_figures_of_their_facts(
    run: Run[Any], service: Service, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "PAGE", size)
    rules = (
        policy(objection_window_days=30),
        policy(key="sct", jurisdiction="GB-SCT"),
        policy(key="ads", purpose="ADS"),
    )
    told = some_people(size, 40)
    for begin in range(0, len(told), 25):  # people share a recorded time only within a transaction
        run(
            record(service, *(rules if begin == 0 else ()), notice(), notice("other", "ADS"), *told[begin : begin + 25])
        )

    async def read(tx: Tx) -> Any:
        return await posts.person_facts(tx, [f"u{number}" for number in range(40)])

    everybody = list(run(service.graph.read(read)).values())
    for key in ("gb", "sct", "ads"):
        for at in ("2025-12-31T00:00:00Z", "2026-02-20T00:00:00Z", "2026-04-01T00:00:00Z", "2026-11-01T00:00:00Z"):
            asked: NoticeQuestion = run(notices.ask(service, key, 1, micros(at)))
            assert run(notices.coverage(service, asked)) == coverage_of(everybody, asked)
            unserved = {each.key for each in everybody if asked.concerns(each) and served_since(each, asked) is None}
            assert run(campaign(service, key, at=micros(at), known_at=asked.known_at)) == unserved


def test_who_moves_while_the_campaign_is_read_is_listed_once(
    run: Run[Any], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "PAGE", 1)

    async def scenario() -> list[str]:
        await record(service, policy(), user("ana", jurisdiction="GB"))
        for key in ("ben", "cai"):
            await record(service, user(key, jurisdiction="GB-ENG"))
        found: list[str] = []
        question = await notices.ask(service, "gb", 1)
        async with aclosing(notices.to_be_served(service, question)) as pages:
            async for page in pages:
                found += page
                moved = user("ana", jurisdiction="GB-ENG", valid_from="2026-01-01T00:00:00Z")
                await record(service, moved, user("dee", jurisdiction="GB-ENG"))
        return found

    assert run(scenario()) == ["ana", "ben", "cai"]


MANY, SOME, SHARED = 25_000, 5_000, 500

CROWD: LiteralString = """
MATCH (n:Notice {key: 'n', version: 1})
UNWIND range($begin, $end) AS i
CREATE (u:User {key: 'crowd' + i})-[:KNOWN]->(:UserFact {
  field: 'jurisdiction', value: ['GB', 'GB-ENG'][i % 2], valid_from: 0, recorded_at: $t + i / $shared})
FOREACH (_ IN CASE WHEN i % 5 = 0 THEN [1] ELSE [] END | CREATE (u)-[:SERVED {served_at: $t, recorded_at: $t}]->(n))
"""


async def gather(service: Service, people: int) -> None:
    """People in two places, 500 of whom share a recorded time, a fifth of whom were served a notice."""
    await record(service, policy(), notice())
    for begin in range(0, people, 5_000):
        arguments = {"begin": begin, "end": begin + 4_999, "t": NOW, "shared": SHARED}
        await service.graph.write(lambda tx, arguments=arguments: tx.rows(CROWD, **arguments))
    # What the planner knows of the indexes is brought up to date in the background, sooner or later: here, now.
    await service.graph.run_schema(FORGET_PLANS)


@pytest.fixture
def crowd(run: Run[Any], service: Service) -> Service:
    """More people than a page holds."""
    run(gather(service, SOME))
    return service


def test_a_large_campaign_is_read_in_pages_of_bounded_size(run: Run[Any], service: Service) -> None:
    async def scenario() -> tuple[list[int], int]:
        await gather(service, MANY)
        question = await notices.ask(service, "gb", 1)
        before = service.graph.statements
        async with aclosing(notices.to_be_served(service, question)) as pages:
            sizes = [len(page) async for page in pages]
        return sizes, service.graph.statements - before

    sizes, statements = run(scenario())

    assert sum(sizes) == MANY * 4 // 5
    assert max(sizes) <= notices.PAGE + SHARED
    # One a page, one at the end of each of the two places, and one look for each next place.
    assert statements == len(sizes) + 2 + 2
    assert len(sizes) <= MANY / notices.PAGE + 2


def test_a_page_costs_what_it_holds_wherever_it_lies(
    run: Run[Any], crowd: Service, settings: Settings, neo4j_server: Server
) -> None:
    async def scenario() -> tuple[list[Profile], list[int]]:
        graph = ProfilingGraph.connect(
            neo4j_server.uri, neo4j_server.user, neo4j_server.password, settings.neo4j_database, 60
        )
        assert isinstance(graph, ProfilingGraph)
        try:
            profiled = Service(graph, LineageCache(graph), crowd.pseudonyms)
            question = await notices.ask(profiled, "gb", 1)
            with graph.operation("campaign") as operation:
                async with aclosing(notices.to_be_served(profiled, question)) as pages:
                    sizes = [len(page) async for page in pages]
            return operation.profiles, sizes
        finally:
            await graph.close()

    profiles, sizes = run(scenario())

    growing = frozenset({"User", "UserFact", "KNOWN", "SERVED"})
    assert [offence for each in profiles for offence in each.offences(growing)] == []
    assert {operator.name for each in profiles for operator in each.operators if "Index" in operator.name} == {
        "NodeIndexSeek"
    }
    pages = [each.hits for each in profiles if each.hits >= 10]
    assert (len(pages), len(profiles)) == (len(sizes), len(sizes) + 4)
    assert sum(pages) <= 20 * SOME
    assert max(pages) <= 20 * (notices.PAGE + SHARED)


def test_a_campaign_that_is_given_up_reads_no_further(run: Run[Any], crowd: Service) -> None:
    async def scenario() -> int:
        question = await notices.ask(crowd, "gb", 1)
        before = crowd.graph.statements
        lines: AsyncGenerator[bytes] = notices.campaign_lines(crowd, question, operator())
        async with aclosing(lines):
            await anext(lines)
        return crowd.graph.statements - before

    # One page, and before it the audit's entry.
    assert run(scenario()) == 2


def test_the_lines_of_a_campaign(run: Run[Any], service: Service) -> None:
    told: list[int] = []

    async def scenario() -> list[str]:
        await record(service, policy(), user('a "quoted" ключ', jurisdiction="GB"))
        question = await notices.ask(service, "gb", 1)
        return [each.decode() async for each in notices.campaign_lines(service, question, operator(), told.append)]

    lines = run(scenario())

    assert lines == ['{"user":"a \\"quoted\\" ключ"}\n', '{"end":true,"people":1}\n']
    assert [json.loads(line) for line in lines] == [{"user": 'a "quoted" ключ'}, {"end": True, "people": 1}]
    assert told == [1]


def test_whoever_waits_is_told_how_many_were_counted(run: Run[Any], crowd: Service) -> None:
    told: list[int] = []

    async def scenario() -> NoticeCoverage:
        return await notices.coverage(crowd, await notices.ask(crowd, "gb", 1), told.append)

    found = run(scenario())

    assert figures(found)[:2] == (SOME, SOME // 5)
    assert told == sorted(told)
    assert told[-1] == SOME
    assert len(told) > 2
