"""Records of every kind in a real graph: written once, unchanged the second time, in any order, conflicts refused."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import pytest

from consentline.domain.datasets import Coverage, VersionRef
from consentline.domain.flags import CauseKind, FlagStatus
from consentline.domain.instants import ALWAYS, Instant, from_datetime
from consentline.domain.paging import PageRequest
from consentline.graph import facts, posts
from consentline.graph.session import Tx
from consentline.usecases.datasets import RegisterVersion, register_version
from consentline.usecases.flags import cause_count, list_flags
from consentline.usecases.ingest import IngestSummary, Rejection, ingest
from consentline.usecases.objections import FileObjection, file_objection
from consentline.usecases.service import Service
from consentline.usecases.training import RecordTraining, record_training
from tests.conftest import Run

Records = list[dict[str, Any]]

TIME = "2024-09-13T00:00:00+01:00"
MICROS = 1_726_182_000_000_000
DIGEST = "sha256:" + "a" * 64


def post(key: str = "p", author: str = "ann", **more: Any) -> dict[str, Any]:
    record = {"kind": "post", "key": key, "author": author, "platform": "FACEBOOK", "post_kind": "POST"}
    return record | {"visibility": "PUBLIC", "published_at": TIME} | more


def policy(**more: Any) -> dict[str, Any]:
    record = {"kind": "policy", "key": "gb", "version": 1, "jurisdiction": "GB", "purpose": "AI_TRAINING"}
    return record | {"lawful_basis": "LEGITIMATE_INTERESTS", "effective_from": TIME} | more


NOTICE = {
    "kind": "notice",
    "key": "n",
    "version": 1,
    "purpose": "AI_TRAINING",
    "channel": "IN_APP",
    "published_at": TIME,
}
SERVED = {"kind": "notice_served", "user": "ann", "notice": "n", "version": 1, "served_at": TIME}
CONSENT = {"kind": "consent", "user": "ann", "purpose": "AI_TRAINING", "status": "GIVEN", "valid_from": TIME}
OBJECTION = {"kind": "objection", "key": "o", "user": "ann", "received_at": TIME}
CORRECTION = {"kind": "post_author", "post": "p", "author": "bob", "reason": "a shared device"}


async def load(service: Service, records: Records) -> tuple[IngestSummary, list[Rejection]]:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"".join(json.dumps(record).encode() + b"\n" for record in records)

    rejected: list[Rejection] = []
    summary = await ingest(service, chunks(), on_reject=rejected.append)
    assert summary.rejected == len(rejected)
    assert summary.accepted + summary.unchanged + summary.rejected == len(records)
    return summary, rejected


NODES: LiteralString = """
MATCH (n) WHERE NOT n:Revision AND NOT n:Migration
RETURN labels(n)[0] AS label, properties(n) AS properties
"""
EDGES: LiteralString = """
MATCH (a)-[r]->(b)
RETURN labels(a)[0] AS source, a.key AS key, type(r) AS type, properties(r) AS properties, labels(b)[0] AS target,
       properties(b) AS found
"""
_RECORDED = ("recorded_at", "described_at", "until", "guard")


def _content(properties: dict[str, Any]) -> str:
    """What was said, without when it was recorded: times of recording are only told apart from none."""
    said = {name: value for name, value in properties.items() if name not in _RECORDED}
    known = {name: True for name in ("described_at", "until") if name in properties}
    return json.dumps(said | known, sort_keys=True)


async def content(service: Service) -> set[tuple[str, ...]]:
    """The whole graph as a set of its nodes and relationships."""

    async def work(tx: Tx) -> set[tuple[str, ...]]:
        nodes = [(row["label"], _content(row["properties"])) for row in await tx.rows(NODES)]
        edges = [
            (row["source"], row["key"] or "", row["type"], _content(row["properties"]), _content(row["found"]))
            for row in await tx.rows(EDGES)
        ]
        assert len(nodes) == len(set(nodes))
        return {*nodes, *edges}

    return await service.graph.read(work)


EVERYTHING: Records = [
    policy(platforms=["THREADS", "FACEBOOK"], assessment="lia:1", assessment_expires="2036-01-01T00:00:00Z"),
    NOTICE,
    {"kind": "user", "key": "ann", "jurisdiction": "GB", "adult_from": "2010-01-01"},
    {"kind": "user", "key": "ann", "jurisdiction": "IE", "valid_from": TIME},
    {"kind": "user", "key": "bob", "adult_from": None},
    {"kind": "user", "key": "cid"},
    SERVED,
    CONSENT,
    CONSENT | {"status": "WITHDRAWN"},
    post(depicts=["bob", "cid", "bob"], special_category=True, content_digest=DIGEST),
    post("q", "bob"),
    CORRECTION,
    {"kind": "visibility", "post": "p", "visibility": "FRIENDS", "valid_from": TIME},
    {"kind": "post_deleted", "post": "q", "valid_from": TIME},
    OBJECTION,
]


def test_every_kind_is_written_once_and_unchanged_the_second_time(run: Run[Any], service: Service) -> None:
    summary, _ = run(load(service, EVERYTHING))
    first = run(content(service))
    again, _ = run(load(service, EVERYTHING))

    assert summary == IngestSummary(len(EVERYTHING), 0, 0)
    assert again == IngestSummary(0, len(EVERYTHING), 0)
    assert run(content(service)) == first


def test_the_same_file_twice_in_one_stream_counts_the_second_half_as_unchanged(run: Run[Any], service: Service) -> None:
    summary, _ = run(load(service, EVERYTHING + EVERYTHING))
    assert summary == IngestSummary(len(EVERYTHING), len(EVERYTHING), 0)


def test_the_order_of_the_records_does_not_matter(run: Run[Any], service: Service) -> None:
    run(load(service, EVERYTHING))
    first = run(content(service))
    for record in reversed(EVERYTHING[:-1]):
        run(load(service, [record]))
    assert run(content(service)) == first


def test_one_record_at_a_time_backwards_gives_the_same_facts(run: Run[Any], service: Service) -> None:
    for record in reversed(EVERYTHING[:-1]):
        summary, _ = run(load(service, [record]))
        # A bare person whom something else named already says nothing new.
        assert summary.accepted == 1 or record.keys() == {"kind", "key"}
    run(load(service, [EVERYTHING[-1]]))
    found = run(posts_facts(service, "p", "q"))
    again, _ = run(load(service, EVERYTHING))
    assert again == IngestSummary(0, len(EVERYTHING), 0)
    assert {link.person.key for link in found["p"].depicted} == {"bob", "cid"}
    assert found["p"].author(2**62) is not None
    assert found["p"].author(2**62).key == "bob"  # pyright: ignore[reportOptionalMemberAccess]


async def posts_facts(service: Service, *keys: str) -> dict[str, Any]:
    return await service.graph.read(lambda tx: posts.facts(tx, keys))


def test_what_is_written_is_what_was_said(run: Run[Any], service: Service) -> None:
    run(load(service, EVERYTHING))
    found = run(posts_facts(service, "p", "q"))
    p, q = found["p"], found["q"]

    assert p.description is not None
    assert (p.description.platform, str(p.description.kind), p.description.published_at) == ("FACEBOOK", "POST", MICROS)
    assert p.is_special_category(2**62)
    assert p.author(2**62).key == "bob"
    assert {(str(each.value), each.valid_from) for each in p.visibilities} == {("FRIENDS", MICROS)}
    assert q.deleted_at(2**62) == MICROS
    ann = next(link.person for link in p.authors if link.person.key == "ann")
    assert {(each.value, each.valid_from) for each in ann.jurisdictions} == {("GB", ALWAYS), ("IE", MICROS)}
    assert [str(each.value) for each in ann.adult_from] == ["2010-01-01"]
    assert {(str(each.status), each.purpose) for each in ann.consents} == {
        ("GIVEN", "AI_TRAINING"),
        ("WITHDRAWN", "AI_TRAINING"),
    }
    assert [(each.purpose, each.served_at) for each in ann.notices] == [("AI_TRAINING", MICROS)]
    recorded = p.description.recorded_at
    assert abs(recorded - run(service.now())) < 60_000_000
    lineage = run(service.lineage())
    assert [(each.key, each.platforms, each.notice_required) for each in lineage.policies] == [
        ("gb", ("FACEBOOK", "THREADS"), True)
    ]


CONFLICTS: list[tuple[dict[str, Any], str]] = [
    (post(author="eve"), "author"),
    (post(platform="THREADS"), "platform"),
    (post(post_kind="PHOTO"), "post_kind"),
    (post(visibility="PRIVATE"), "visibility"),
    (post(published_at="2024-09-14T00:00:00Z"), "published_at"),
    (post(content_digest="sha256:" + "b" * 64), "content_digest"),
    ({"kind": "user", "key": "ann", "jurisdiction": "AU"}, "jurisdiction"),
    ({"kind": "user", "key": "ann", "jurisdiction": None}, "jurisdiction"),
    ({"kind": "user", "key": "ann", "adult_from": "2011-01-01"}, "adult_from"),
    (policy(jurisdiction="IE"), "jurisdiction"),
    (policy(), "platforms"),
    (NOTICE | {"channel": "EMAIL"}, "channel"),
    (NOTICE | {"content_digest": DIGEST}, "content_digest"),
]


@pytest.mark.parametrize(("record", "field"), CONFLICTS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_conflict_is_refused_by_field_and_the_first_stays(
    run: Run[Any], service: Service, record: dict[str, Any], field: str
) -> None:
    run(load(service, EVERYTHING))
    before = run(content(service))
    summary, rejected = run(load(service, [record, CONSENT]))

    assert summary == IngestSummary(0, 1, 1)
    assert (rejected[0].line, rejected[0].code, rejected[0].field) == (1, "CONFLICT", field)
    assert field in rejected[0].message
    assert rejected[0].text == json.dumps(record).encode()
    assert run(content(service)) == before


def test_a_conflict_within_one_stream_keeps_the_first(run: Run[Any], service: Service) -> None:
    records = [post(), post(author="eve"), post(depicts=["fay"], platform="THREADS"), post()]
    summary, rejected = run(load(service, records))

    assert summary == IngestSummary(1, 1, 2)
    assert sorted((each.line, each.field) for each in rejected) == [(2, "author"), (3, "platform")]
    assert {key for key, *_ in run(people(service))} == {"ann"}


async def people(service: Service) -> set[tuple[str]]:
    query: LiteralString = "MATCH (u:User) RETURN u.key AS key"
    return await service.graph.read(lambda tx: _keys(tx, query))


async def _keys(tx: Tx, query: LiteralString) -> set[tuple[str]]:
    return {(row["key"],) for row in await tx.rows(query)}


def test_seen_may_be_said_later_and_only_once(run: Run[Any], service: Service) -> None:
    seen = SERVED | {"seen_at": "2024-09-14T00:00:00Z"}
    assert run(load(service, [SERVED]))[0].accepted == 1
    assert run(load(service, [seen]))[0].accepted == 1
    assert run(load(service, [seen, SERVED]))[0].unchanged == 2
    _, rejected = run(load(service, [SERVED | {"seen_at": "2024-09-15T00:00:00Z"}]))
    assert [(each.code, each.field) for each in rejected] == [("CONFLICT", "seen_at")]


def test_depicted_people_and_special_category_may_change_and_earlier_answers_stay(
    run: Run[Any], service: Service
) -> None:
    run(load(service, [post(depicts=["bob", "cid"], special_category=True)]))
    before = run(service.now())
    summary, _ = run(load(service, [post(depicts=["cid", "dee"], special_category=False)]))
    silent, _ = run(load(service, [post()]))
    found = run(posts_facts(service, "p"))["p"]

    assert (summary.accepted, silent.unchanged) == (1, 1)
    assert {person.key for person in found.depicted_others(before)} == {"bob", "cid"}
    assert {person.key for person in found.depicted_others(2**62)} == {"cid", "dee"}
    assert found.is_special_category(before)
    assert not found.is_special_category(2**62)
    run(load(service, [post(depicts=["bob"], special_category=True)]))
    found = run(posts_facts(service, "p"))["p"]
    assert {person.key for person in found.depicted_others(2**62)} == {"bob"}
    assert found.is_special_category(2**62)


def test_the_last_of_several_changes_in_one_stream_holds(run: Run[Any], service: Service) -> None:
    records = [post(), post(depicts=["bob"]), post(special_category=True), post(depicts=["cid"], content_digest=DIGEST)]
    records += [post(depicts=[]), post(special_category=False), post(depicts=["dee"])]
    summary, _ = run(load(service, records))
    found = run(posts_facts(service, "p"))["p"]

    assert summary == IngestSummary(len(records), 0, 0)
    assert {person.key for person in found.depicted_others(2**62)} == {"dee"}
    assert not found.is_special_category(2**62)


def test_a_post_known_by_key_only_is_described_later(run: Run[Any], service: Service) -> None:
    run(load(service, [{"kind": "post_deleted", "post": "p", "valid_from": TIME}]))
    stub = run(posts_facts(service, "p"))["p"]
    before = run(service.now())
    summary, _ = run(load(service, [post(depicts=["bob"], special_category=True)]))
    found = run(posts_facts(service, "p"))["p"]

    assert stub.description is None
    assert summary.accepted == 1
    assert found.described(before) is None
    assert found.author(before) is None
    assert found.author(2**62).key == "ann"
    assert {person.key for person in found.depicted_others(2**62)} == {"bob"}
    assert found.deleted_at(2**62) == MICROS


def test_a_correction_stands_whichever_came_first(run: Run[Any], service: Service) -> None:
    run(load(service, [post(), CORRECTION]))
    after = run(posts_facts(service, "p"))["p"]
    assert after.author(2**62).key == "bob"
    assert run(load(service, [post(), CORRECTION]))[0].unchanged == 2

    run(load(service, [CORRECTION | {"post": "q"}]))
    run(load(service, [post("q")]))
    before = run(posts_facts(service, "q"))["q"]
    assert before.author(2**62).key == "bob"
    assert all(before.author(each.recorded_at) in (None, before.author(2**62)) for each in before.authors)
    assert run(load(service, [post("q"), CORRECTION | {"post": "q"}]))[0].unchanged == 2
    _, rejected = run(load(service, [post("q", "bob")]))
    assert [(each.code, each.field) for each in rejected] == [("CONFLICT", "author")]


def test_the_correction_recorded_last_governs(run: Run[Any], service: Service) -> None:
    records = [post(), CORRECTION, CORRECTION | {"author": "cid"}, CORRECTION]
    summary, _ = run(load(service, records))
    assert summary == IngestSummary(3, 1, 0)
    assert run(posts_facts(service, "p"))["p"].author(2**62).key == "cid"
    run(load(service, [CORRECTION | {"author": "ann", "reason": "a mistake"}]))
    assert run(posts_facts(service, "p"))["p"].author(2**62).key == "ann"


async def trained(service: Service, *members: str) -> None:
    """A model version m:1 that was trained on the posts."""
    command = RegisterVersion(
        dataset="d",
        number=None,
        title=None,
        coverage=Coverage.COMPLETE,
        posts=members,
        selection=None,
        based_on=None,
        derived_from=(),
        generated_by=(),
    )
    await register_version(service, command)
    run = RecordTraining(
        run="r",
        inputs=(VersionRef("d", 1),),
        started_from=(),
        started_at=MICROS,
        ended_at=None,
        purpose="AI_TRAINING",
        model="m",
        version="1",
    )
    await record_training(service, run)


async def flagged(service: Service) -> dict[str, set[CauseKind]]:
    """The kinds of causes of every open flag, by model version; empty when there is no open flag."""
    page = await list_flags(service, FlagStatus.OPEN, None, PageRequest())
    return {
        flag.model_version: {kind for kind in CauseKind if await cause_count(service, flag.uid, kind)}
        for flag in page.items
    }


async def may_be_used(service: Service, *people: str) -> None:
    """Nothing stands against the posts of these people: a run that reads them violates nothing."""
    users = ({"kind": "user", "key": key, "jurisdiction": "GB", "adult_from": "1990-01-01"} for key in people)
    await load(service, [policy(notice_required=False, assessment="dpia"), *users])


async def objected(service: Service, user: str, received_at: Instant = MICROS) -> None:
    await file_objection(service, FileObjection(key="o", user=user, received_at=received_at))


def test_a_description_recorded_last_raises_the_flag(run: Run[Any], service: Service) -> None:
    run(trained(service, "p"))
    run(objected(service, "ann"))
    assert run(flagged(service)) == {"m:1": {CauseKind.VIOLATION}}
    run(load(service, [post()]))
    assert run(flagged(service)) == {"m:1": {CauseKind.OBJECTION, CauseKind.VIOLATION}}


def test_somebody_depicted_later_raises_the_flag_and_drops_it_when_no_longer_believed(
    run: Run[Any], service: Service
) -> None:
    run(may_be_used(service, "ann"))
    run(load(service, [post()]))
    run(trained(service, "p"))
    run(objected(service, "bob"))
    assert run(flagged(service)) == {}
    run(load(service, [post(depicts=["bob"])]))
    # The objection was received when the run started: so it read what it could not use.
    assert run(flagged(service)) == {"m:1": {CauseKind.THIRD_PARTY_OBJECTED, CauseKind.VIOLATION}}
    run(load(service, [post(depicts=[])]))
    assert run(flagged(service)) == {}


def test_a_corrected_author_moves_the_flag(run: Run[Any], service: Service) -> None:
    run(may_be_used(service, "ann", "bob", "cid"))
    run(load(service, [post()]))
    run(trained(service, "p"))
    run(objected(service, "bob"))
    assert run(flagged(service)) == {}
    run(load(service, [CORRECTION]))
    assert run(flagged(service)) == {"m:1": {CauseKind.OBJECTION, CauseKind.VIOLATION}}
    run(load(service, [CORRECTION | {"author": "cid"}]))
    assert run(flagged(service)) == {}


def test_a_policy_or_a_jurisdiction_recorded_last_drops_the_flag(run: Run[Any], service: Service) -> None:
    exempt = policy(flags_past_use=False, notice_required=False, assessment="dpia")
    run(load(service, [post(depicts=["bob"]), {"kind": "user", "key": "ann", "adult_from": "1990-01-01"}]))
    run(trained(service, "p"))
    run(objected(service, "bob", MICROS + 1))
    # Nobody's policy covers the post: the run should not have read it, and past use is flagged.
    assert run(flagged(service)) == {"m:1": {CauseKind.THIRD_PARTY_OBJECTED, CauseKind.VIOLATION}}
    run(load(service, [exempt]))
    assert run(flagged(service)) == {"m:1": {CauseKind.THIRD_PARTY_OBJECTED, CauseKind.VIOLATION}}
    # The policy is that of the author's jurisdiction, though the objection is that of a person depicted.
    run(load(service, [{"kind": "user", "key": "ann", "jurisdiction": "GB"}]))
    assert run(flagged(service)) == {}


def test_members_and_seals_come_in_as_records(run: Run[Any], service: Service) -> None:
    async def register(based_on: int | None) -> None:
        command = RegisterVersion(
            dataset="d",
            number=None,
            title=None,
            coverage=Coverage.COMPLETE,
            posts=None,
            selection=None,
            based_on=based_on,
            derived_from=(),
            generated_by=(),
        )
        await register_version(service, command)

    def member(key: str, version: int = 1, kind: str = "member") -> dict[str, Any]:
        return {"kind": kind, "dataset": "d", "version": version, "post": key}

    def seal(version: int) -> dict[str, Any]:
        return {"kind": "seal", "dataset": "d", "version": version}

    run(register(None))
    first = [post(), member("p"), member("q"), member("p"), seal(1), seal(1), member("p"), member("r"), seal(9)]
    summary, rejected = run(load(service, first))
    assert (summary.accepted, summary.unchanged, summary.rejected) == (4, 3, 2)
    assert sorted((each.line, each.code, each.field) for each in rejected) == [
        (8, "VERSION_NOT_BUILDING", "version"),
        (9, "VERSION_NOT_FOUND", "version"),
    ]
    run(register(1))
    removed = member("p", 2, "member_removed")
    second = [member("r", 2), removed, member("p", 2), removed, removed, member("zz", 7), seal(2)]
    summary, rejected = run(load(service, second))
    assert (summary.accepted, summary.unchanged) == (5, 1)
    assert [(each.line, each.code) for each in rejected] == [(6, "VERSION_NOT_FOUND")]
    versions = run(service.lineage()).versions
    assert {(each.number, str(each.status), each.post_count) for each in versions.values()} == {
        (1, "SEALED", 2),
        (2, "SEALED", 2),
    }


def test_an_objection_record_is_the_mutation(run: Run[Any], service: Service) -> None:
    summary, rejected = run(
        load(
            service,
            [
                {"kind": "user", "key": "ann", "jurisdiction": "GB-SCT"},
                OBJECTION,
                OBJECTION | {"purposes": ["AI_TRAINING"]},
                OBJECTION | {"user": "bob"},
                OBJECTION | {"key": "o2", "purposes": []},
            ],
        )
    )
    assert (summary.accepted, summary.unchanged) == (2, 1)
    assert [(each.line, each.code) for each in rejected] == [(4, "OBJECTION_CONFLICT"), (5, "PURPOSE_REQUIRED")]
    assert {key for (key,) in run(people(service))} == {"ann"}


def test_cypher_and_html_in_keys_are_plain_text(run: Run[Any], service: Service) -> None:
    key = "'}) DETACH DELETE n //<script>alert(1)</script>"
    run(load(service, [post(key, key, depicts=[key + "2"]), CONSENT]))
    found = run(posts_facts(service, key))[key]
    assert found.author(2**62).key == key
    assert len(run(people(service))) == 3


def test_blank_lines_are_skipped_and_numbers_still_agree(run: Run[Any], service: Service) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"\n  \r\n" + json.dumps(post()).encode() + b"\r\n\n" + b"{"

    rejected: list[Rejection] = []
    summary = run(ingest(service, chunks(), on_reject=rejected.append))
    assert summary == IngestSummary(1, 0, 1)
    assert [(each.line, each.code, each.text) for each in rejected] == [(5, "INVALID_JSON", b"{")]


def test_locking_people_tells_who_objects_and_who_is_new(run: Run[Any], service: Service) -> None:
    run(load(service, [CONSENT, OBJECTION | {"user": "bob"}]))
    locked = run(service.graph.write(lambda tx: facts.lock_people(tx, service.pseudonyms, {"ann", "bob", "new"})))
    assert (locked.created, locked.objecting) == ({"new"}, {"bob"})


def test_the_database_clock_bounds_happenings(run: Run[Any], service: Service) -> None:
    now = datetime.now(UTC)
    soon, later = now + timedelta(hours=23), now + timedelta(hours=25)
    summary, rejected = run(
        load(service, [post("a", published_at=soon.isoformat()), post("b", published_at=later.isoformat())])
    )
    assert summary.accepted == 1
    assert [(each.line, each.code, each.field) for each in rejected] == [(2, "TIME_IN_FUTURE", "published_at")]
    assert run(posts_facts(service, "a"))["a"].description.published_at == from_datetime(soon)
