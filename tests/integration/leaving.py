"""A person about whom much is recorded, and who is to be erased; what must not be left, and what must still be told.

Keys are long and strange, so that finding one anywhere means that it was left there.
"""

from dataclasses import dataclass
from typing import Any

from consentline.domain.datasets import VersionRef
from consentline.domain.instants import Instant
from consentline.domain.paging import PageRequest
from consentline.graph.session import Tx
from consentline.usecases import counts, flags, gate, objections, people, person_usage, posts, usage
from consentline.usecases.service import Service
from tests.integration.arrange import (
    AI,
    PUBLISHED,
    allow,
    decide,
    derive,
    file,
    policy,
    post,
    publish,
    record,
    train,
    user,
)
from tests.oracle import micros

ANA = "ana-7f3a@leaving"
POSTS = tuple(f"post-{number}-of-ana-9c1e" for number in range(6))
HER_OBJECTION = "ticket-of-ana-51d0"
HER_KEYS = (ANA, *POSTS, HER_OBJECTION)
ERASURE = "erasure-of-ana-77b2"

EVERYTHING = """
MATCH (n) WHERE NOT n:Migration
RETURN labels(n) AS what, properties(n) AS properties
UNION ALL
MATCH ()-[r]->()
RETURN [type(r)] AS what, properties(r) AS properties
"""


async def arrange(service: Service) -> None:
    """Ana wrote six posts: two runs read three of them, one through the gate, when one could not be used any more.

    One post of hers depicts ben, one of his depicts her; both objected. She was a minor at one use.
    """
    await allow(service, "ben", "cleo")
    await record(
        service,
        policy(key="ads", purpose="ADS", notice_required=False, assessment="dpia"),
        user(ANA, jurisdiction="GB-SCT", valid_from="2020-01-01T00:00:00Z"),
        user(ANA, jurisdiction="GB-ENG", adult_from="2024-05-04", valid_from="2023-01-01T00:00:00Z"),
        {
            "kind": "notice",
            "key": "n",
            "version": 1,
            "purpose": AI,
            "channel": "IN_APP",
            "published_at": PUBLISHED,
        },
        {"kind": "notice_served", "user": ANA, "notice": "n", "version": 1, "served_at": "2024-02-01T00:00:00Z"},
        {"kind": "consent", "user": ANA, "purpose": "ADS", "status": "GIVEN", "valid_from": "2024-03-01T00:00:00Z"},
        post(POSTS[0], ANA, content_digest=f"sha256:{'a' * 64}"),
        post(POSTS[1], ANA, depicts=["ben", ANA], platform="INSTAGRAM"),
        post(POSTS[2], ANA, special_category=True),
        post(POSTS[3], ANA, published_at="2024-06-01T00:00:00Z"),
        post(POSTS[4], "cleo"),
        post("of-ben", "ben", depicts=[ANA]),
        post("of-cleo", "cleo"),
    )
    await record(service, {"kind": "post_author", "post": POSTS[4], "author": ANA, "reason": "it was ana"})
    await record(service, {"kind": "post_author", "post": POSTS[5], "author": ANA, "reason": "it was ana as well"})
    await record(
        service,
        {"kind": "visibility", "post": POSTS[0], "visibility": "FRIENDS", "valid_from": "2025-06-01T00:00:00Z"},
        {"kind": "post_deleted", "post": POSTS[2], "valid_from": "2025-07-01T00:00:00Z"},
    )
    await publish(service, "d", *POSTS[:3], "of-ben", "of-cleo")
    await publish(service, "d", POSTS[0], POSTS[3], "of-cleo")
    await train(service, "r1", "d:1", produced="m:1", purpose=AI, started_at=micros("2024-04-01T00:00:00Z"))
    await publish(service, "clean", POSTS[3], "of-cleo")
    command = gate.AuthorizeTraining("gated", (VersionRef("clean", 1),))
    assert (await gate.authorize(service, command)).run is not None
    await gate.start(service, "gated", None)
    await gate.complete(service, gate.CompleteTraining("gated", "g", "1"))
    await train(service, "failed", "d:2", started_at=micros("2025-08-01T00:00:00Z"))
    await derive(service, "m:tuned", "m:1")
    await file(
        service, HER_OBJECTION, ANA, micros("2025-09-01T00:00:00Z"), platforms=("FACEBOOK",), channel="in person"
    )
    await decide(
        service, HER_OBJECTION, uphold=False, grounds="ana is wrong", decided_at=micros("2025-09-20T00:00:00Z")
    )
    await file(service, "of-ben", "ben", micros("2025-10-01T00:00:00Z"))
    refused = await gate.authorize(service, gate.AuthorizeTraining("refused", (VersionRef("d", 2),)))
    assert POSTS[0] in str(refused.refusals)


async def places_of(service: Service, *keys: str) -> list[tuple[str, str, Any]]:
    """Where in the graph, as label or type and property, a value holds one of the keys."""

    async def work(tx: Tx) -> list[Any]:
        return await tx.rows(EVERYTHING)  # pyright: ignore[reportArgumentType]

    return [
        (":".join(row["what"]), name, value)
        for row in await service.graph.read(work)
        for name, value in row["properties"].items()
        if any(key in str(value) for key in keys)
    ]


@dataclass(frozen=True)
class Told:
    """What is told of somebody's posts, people and flags that an erasure must not change."""

    usages: dict[str, Any]
    at_use: dict[str, dict[str, tuple[str, ...]]]
    user: Any
    objection: Any
    flags: Any
    counts: dict[str, int | None]
    violations: dict[str, int]


VIOLATIONS = "MATCH (t:TrainingRun) RETURN t.key AS run, t.violations AS violations"


async def told(service: Service, known_at: Instant | None = None) -> Told:
    """Everything that must be the same before an erasure and after it."""
    usages: dict[str, Any] = {}
    at_use: dict[str, dict[str, tuple[str, ...]]] = {}
    for key in (*POSTS, "of-ben", "of-cleo", "never-recorded"):
        answer = await usage.post_usage(service, key, known_at)
        found = await usage.eligibilities_at_use(service, answer, answer.usage.uses)
        usages[key] = (answer.post_key, answer.usage.verdict, answer.usage.uses, answer.usage.held_in)
        at_use[key] = {
            f"{use.model_version} by {use.training_run}": (
                *(each.reasons),
                "" if each.policy is None else f"{each.policy.key}:{each.policy.version}",
            )
            for use, each in zip(answer.usage.uses, found, strict=True)
        }
    of_user = await person_usage.user_usage(service, ANA, known_at)
    objection = await objections.find_objection(service, HER_OBJECTION)
    assert objection is not None
    flagged = await flags.list_flags_of_objection(service, HER_OBJECTION, PageRequest(100))
    everything = await flags.list_flags(service, None, None, PageRequest(100))
    refs = ("d:1", "d:2", "clean:1")
    return Told(
        usages=usages,
        at_use=at_use,
        user=(of_user.user_key, of_user.verdict, of_user.model_versions, of_user.counts),
        objection=(
            (objection.key, objection.status, objection.purposes, objection.platforms, objection.received_at),
            await objections.affected_post_count(service, objection),
            sorted(flag.model_version for flag in flagged.items),
        ),
        flags=sorted((flag.model_version, str(flag.status)) for flag in everything.items),
        counts={ref: await counts.ineligible_count(service, VersionRef(*_split(ref)), AI) for ref in refs},
        violations={row["run"]: row["violations"] for row in await service.graph.read(lambda tx: tx.rows(VIOLATIONS))},
    )


def _split(ref: str) -> tuple[str, int]:
    dataset, _, number = ref.rpartition(":")
    return dataset, int(number)


async def erased_reasons(service: Service, *keys: str) -> set[tuple[str, ...]]:
    """The reasons of the posts, at several times."""
    found: set[tuple[str, ...]] = set()
    for key in keys:
        for at in (None, micros("2024-04-01T00:00:00Z"), micros("2030-01-01T00:00:00Z")):
            answer = await posts.eligibility(service, key, AI, at, None)
            assert answer is not None
            found.add(tuple(map(str, answer.reasons)))
    return found


async def find_user(service: Service, key: str) -> people.User | None:
    """The person as they stand."""
    return await people.find_user(service, key)
