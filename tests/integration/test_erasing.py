"""Erasures carried out on the real graph: nothing of the person is left, and every answer stays true."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from consentline.domain.access import Role
from consentline.domain.eligibility import Reason
from consentline.domain.erasures import Erased, ErasureStatus
from consentline.domain.errors import DatabaseUnavailableError
from consentline.domain.instants import DAY, Instant
from consentline.domain.paging import PageRequest
from consentline.domain.people import PersonFacts
from consentline.domain.usage import Verdict
from consentline.embedded import Server
from consentline.graph import posts as graph_posts
from consentline.graph.session import Graph, Tx
from consentline.graph.upper import LineageCache
from consentline.settings import Settings
from consentline.usecases import consent, erasing, erasures, objections, people, person_usage, posts
from consentline.usecases.service import Service
from tests.conftest import PSEUDONYMS
from tests.integration.arrange import AI, ask_erasure, decide, erase, post, publish, record, train
from tests.integration.leaving import (
    ANA,
    ERASURE,
    HER_KEYS,
    HER_OBJECTION,
    POSTS,
    Told,
    arrange,
    erased_reasons,
    places_of,
    told,
)
from tests.integration.snapshots import assert_same, snapshot
from tests.oracle import micros

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two posts, one fact a transaction, so that everything takes several."""
    monkeypatch.setattr(erasing, "POSTS_AT_ONCE", 2)
    monkeypatch.setattr(erasing, "FACTS_AT_ONCE", 1)


def test_after_an_erasure_no_property_of_anything_holds_a_key_of_the_person(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service)
        assert await places_of(service, *HER_KEYS)

        done = await erase(service, ERASURE, ANA)

        assert done.status is ErasureStatus.DONE
        assert await places_of(service, *HER_KEYS, ERASURE) == []
        found = await snapshot(service)
        digest = PSEUDONYMS.of("User", ANA)
        (left,) = [node for node in found.labelled("User") if node["key"] == digest]
        assert {name for name, _ in left.properties} == {"key", "erased_at"}
        tied = {
            (each.type, each.target.label if each.source == left else each.source.label)
            for each in found.relationships
            if left in (each.source, each.target)
        }
        assert tied == {
            ("AUTHORED_BY", "Post"),
            ("CAUSED_BY", "RetrainingFlag"),
            ("DEPICTS", "Post"),
            ("FILED_BY", "Objection"),
            ("REQUESTED_BY", "Erasure"),
            ("SAID", "ConsentState"),
        }
        for key in POSTS:
            (node,) = [each for each in found.labelled("Post") if each["key"] == PSEUDONYMS.of("Post", key)]
            names = {name for name, _ in node.properties}
            assert names - {"ineligible"} == {
                "key",
                "erased_at",
                "used_by",
                "used_reasons",
                "used_policies",
                "used_violating",
            }
        for name in ("ana is wrong", "in person", "it was ana", "2024-05-04", "GB-SCT"):
            assert await places_of(service, name) == [], name

    run(scenario())


def test_whoever_has_the_key_gets_the_answers_of_before(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service)
        await ask_erasure(service, ERASURE, ANA)
        before, asked_at = await told(service), await service.now()

        await erasures.confirm_erasure(service, ERASURE)

        after = await told(service)
        for name in ("usages", "at_use", "user", "objection", "flags", "counts", "violations"):
            assert getattr(after, name) == getattr(before, name), name
        earlier = await told(service, asked_at)
        assert earlier.user == before.user

    run(scenario())


def test_a_person_who_is_erased_while_their_usage_is_asked_about_is_not_told_unused(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = graph_posts.person
    erasures_left = [ERASURE]

    async def read_and_then_erased(tx: Tx, keys: Sequence[str]) -> PersonFacts:
        found = await read(tx, keys)
        while erasures_left:
            await erase(service, erasures_left.pop(), ANA)
        return found

    async def scenario() -> None:
        await arrange(service)
        before = await person_usage.user_usage(service, ANA, None)
        monkeypatch.setattr(graph_posts, "person", read_and_then_erased)

        meanwhile = await person_usage.user_usage(service, ANA, None)

        assert before.verdict is meanwhile.verdict is Verdict.USED
        assert before.counts[Verdict.USED] == meanwhile.counts[Verdict.USED]
        assert before.model_versions == meanwhile.model_versions

    run(scenario())


def test_a_post_that_was_taken_for_an_erased_persons_counts_in_what_was_known_then(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, post("p", ANA), post("q", ANA))
        await publish(service, "d", "p")
        await train(service, "r", "d:1", produced="m:1", started_at=micros("2024-04-01T00:00:00Z"))
        known_then = await service.now()
        await record(service, {"kind": "post_author", "post": "p", "author": "ben", "reason": "another account"})
        before = await usage_of_ana(service, known_then)

        await erase(service, ERASURE, ANA)

        now, then = await usage_of_ana(service, None), await usage_of_ana(service, known_then)
        assert (now.verdict, now.counts) == (Verdict.NOT_USED, {Verdict.NOT_USED: 1})
        assert (then.verdict, then.counts) == (Verdict.USED, {Verdict.USED: 1, Verdict.NOT_USED: 1})
        assert (then.verdict, then.counts, then.model_versions) == (
            before.verdict,
            before.counts,
            before.model_versions,
        )
        page = await person_usage.list_post_usages(service, then, Verdict.USED, PageRequest(first=10))
        assert [(each.post_key, each.usage.verdict) for each in page.items] == [("p", Verdict.USED)]

    run(scenario())


async def usage_of_ana(service: Service, known_at: Instant | None) -> person_usage.UserUsageAnswer:
    """What is said of her use."""
    return await person_usage.user_usage(service, ANA, known_at)


def test_the_erased_posts_may_not_be_used_whatever_else_was_true_of_them(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service)
        await erase(service, ERASURE, ANA)

        assert await erased_reasons(service, *POSTS) == {("ERASED",)}
        for key in POSTS:
            post = await posts.find_post(service, key)
            assert post is not None
            assert (post.key, post.author, post.platform, post.kind, post.published_at) == (key, None, None, None, None)
            assert post.erased_at is not None
            assert await posts.visibility(service, key, None, None) is None
        user = await people.find_user(service, ANA)
        assert user is not None
        assert (user.key, user.jurisdiction, user.adult_from) == (ANA, None, None)
        assert user.erased_at is not None
        listed = await people.list_posts(service, ANA, PageRequest(100))
        assert sorted(each.key for each in listed.items) == sorted(PSEUDONYMS.of("Post", key) for key in POSTS[:5])
        state = await consent.find_consent(service, ANA, AI, None, None)
        assert (str(state.status), state.lawful_basis) == ("OBJECTION_REFUSED", None)
        history = await consent.list_consent_history(service, ANA, AI, PageRequest(100))
        assert [str(each.status) for each in history.items] == ["OBJECTION_PENDING", "OBJECTION_REFUSED"]
        assert {each.lawful_basis for each in history.items} == {None}
        of_ben = await posts.eligibility(service, "of-ben", AI, None, None)
        assert of_ben is not None
        assert of_ben.reasons == (Reason.OBJECTION_PENDING, Reason.THIRD_PARTY_OBJECTED)

    run(scenario())


class KilledError(Exception):
    """The process was killed here."""


class KilledGraph(Graph):
    """A graph whose process is killed before the second write transaction from now, or right after the next one."""

    after = False
    writes = 0

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        self.writes += 1
        if self.writes == 2:
            raise KilledError
        found = await super().write(work)
        if self.after:
            raise KilledError
        return found


@pytest.mark.parametrize("after", [False, True], ids=["before a commit", "after a commit"])
def test_killed_at_every_transaction_it_goes_on_to_the_same_end(
    service: Service, run: Run, settings: Settings, neo4j_server: Server, after: bool
) -> None:
    async def scenario() -> None:
        graph = KilledGraph.connect(
            neo4j_server.uri,
            neo4j_server.user,
            neo4j_server.password,
            settings.neo4j_database,
            settings.transaction_timeout_seconds,
        )
        assert isinstance(graph, KilledGraph)
        graph.after = after
        killed = Service(graph, LineageCache(graph), PSEUDONYMS)
        await arrange(service)
        await ask_erasure(service, ERASURE, ANA)
        before = await told(service)

        kills = 0
        try:
            while await _dies(killed, graph, kills):
                kills += 1
                assert await _unchanged(service, before)
        finally:
            await graph.close()

        # One to confirm, three for six posts, one for the post that depicts her, four facts, a consent, a notice, an
        # objection, and the end.
        assert kills == (13 if after else 12)
        assert await places_of(service, *HER_KEYS, ERASURE) == []
        found = await erasures.find_erasure(service, ERASURE)
        assert found is not None
        assert found.status is ErasureStatus.DONE
        assert found.erased == Erased(
            posts=6, changes=2, depictions=2, facts=4, states=1, notices=1, objections=1, depicting=1
        )
        assert await _unchanged(service, before)

    run(scenario())


async def _dies(killed: Service, graph: KilledGraph, kills: int) -> bool:
    """Begin or go on until the process is killed; whether it was."""
    graph.writes = 0
    try:
        if kills == 0:
            await erasures.confirm_erasure(killed, ERASURE)
        await erasing.carry_out_all(killed)
    except KilledError:
        return True
    return False


async def _unchanged(service: Service, before: Told) -> bool:
    """Whether, however far the erasure is, answers are those of before and the posts are erased."""
    now = await told(service)
    for name in ("usages", "at_use", "user", "objection", "counts", "violations"):
        assert getattr(now, name) == getattr(before, name), name
    assert await erased_reasons(service, *POSTS) == {("ERASED",)}
    return True


def test_a_service_that_starts_goes_on_with_what_was_confirmed(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service)
        await ask_erasure(service, ERASURE, ANA)
        with pytest.MonkeyPatch.context() as patch:

            async def killed(*_: Any) -> None:
                raise DatabaseUnavailableError("gone")

            patch.setattr("consentline.usecases.erasures.carry_out", killed)
            with pytest.raises(DatabaseUnavailableError):
                await erasures.confirm_erasure(service, ERASURE)
        assert await places_of(service, POSTS[0])

        assert await erasing.carry_out_all(service) == 1
        assert await erasing.carry_out_all(service) == 0

        assert await places_of(service, *HER_KEYS, ERASURE) == []

    run(scenario())


def test_confirming_again_changes_nothing(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service)
        done = await erase(service, ERASURE, ANA)
        before = await snapshot(service)

        assert await erasures.confirm_erasure(service, ERASURE) == done
        assert await ask_erasure(service, ERASURE, ANA) == done
        assert_same(before, await snapshot(service))

    run(scenario())


def test_what_is_decided_of_an_erased_persons_objection_changes_its_status_and_nothing_else(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        await arrange(service)
        await objections.file_objection(
            service, objections.FileObjection("late-of-ana-88", ANA, await service.now() - DAY, channel="by phone")
        )
        await erase(service, ERASURE, ANA)
        before = await told(service)
        versions = await objections.possible_versions(service, await _objection(service, "late-of-ana-88"))

        extended = await objections.extend_objection(service, "late-of-ana-88", "ana is busy", by=Role.COMPLIANCE)
        refused = await decide(service, "late-of-ana-88", uphold=False, grounds="ana never was")

        assert extended.extended_to is not None
        assert (refused.key, str(refused.status), refused.grounds) == ("late-of-ana-88", "REFUSED", None)
        assert [str(each.kind) for each in refused.history] == ["FILED", "EXTENDED", "REFUSED"]
        assert await told(service) == before
        assert await objections.possible_versions(service, refused) == versions
        assert await places_of(service, "ana is busy", "ana never was", "late-of-ana-88") == []
        assert HER_OBJECTION not in str(await objections.list_objections(service, None, None, PageRequest(100)))

    async def _objection(service: Service, key: str) -> Any:
        found = await objections.find_objection(service, key)
        assert found is not None
        return found

    run(scenario())
