"""Every statement by its plan: nothing scans what grows, and what an operation costs does not grow with the graph.

Two graphs, the second four times the first in everything that grows; each has its own people, posts and answers of the
same size to ask about and to write to.
"""

from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, LiteralString

import orjson
import pytest

from consentline import graph as graph_package
from consentline.domain.datasets import Coverage, Selection, VersionRef
from consentline.domain.flags import CauseKind, FlagResolution, FlagStatus
from consentline.domain.lineage import Kind
from consentline.domain.objections import ObjectionStatus
from consentline.domain.paging import PageRequest
from consentline.domain.record_lines import parse
from consentline.domain.training import DerivationKind
from consentline.domain.usage import Verdict
from consentline.embedded import Server
from consentline.graph.upper import LineageCache
from consentline.settings import Settings
from consentline.usecases import (
    consent,
    datasets,
    facts,
    flags,
    lineage,
    members,
    objections,
    people,
    person_usage,
    posts,
    training,
    usage,
)
from consentline.usecases.service import Service
from tests.graphs import wipe
from tests.integration.profiling import Operation, ProfilingGraph
from tests.oracle import micros

Run = Callable[[Coroutine[Any, Any, Any]], Any]

SMALL, LARGE = 10_000, 40_000
"""Posts without those that are asked about, which are the same in both graphs."""
VERSIONS = 1_000
RATIO = 1.05

# fmt: off
GROWING = frozenset({
    "User", "UserFact", "KNOWN", "ConsentState", "SAID", "SERVED",
    "Post", "PostChange", "CHANGED", "AUTHORED_BY", "DEPICTS", "Shard", "HAS_SHARD", "IN_SHARD",
    "Objection", "FILED_BY", "Transition", "BECAME", "RetrainingFlag", "FLAGS", "CAUSED_BY",
})
# fmt: on
"""Labels and relationship types of which no statement may read all; the upper graph's own are loaded whole."""

# ---------------------------------------------------------------------------------------------------------- the graphs

T0 = micros("2026-01-01T00:00:00Z")

UPPER: LiteralString = """
CREATE (big:Dataset {key: 'big', title: 'big', recorded_at: $t, placed: 9000, guard: 'x'})
CREATE (side:Dataset {key: 'side', title: 'side', recorded_at: $t, placed: 3000, guard: 'x'})
CREATE (blind:Dataset {key: 'blind', title: 'blind', recorded_at: $t, placed: 0, guard: 'x'})
FOREACH (n IN range(1, $versions) |
  CREATE (big)-[:HAS_VERSION]->(:DatasetVersion {
    dataset: 'big', number: n, coverage: 'COMPLETE', status: 'SEALED', registered_at: $t + n, sealed_at: $t + n,
    content: 'x', declared: false, jurisdictions: [], platforms: [], post_count: 9000, manifest_digest: 'x',
    based_on: CASE n WHEN 1 THEN null ELSE n - 1 END}))
FOREACH (n IN range(1, 5) |
  CREATE (side)-[:HAS_VERSION]->(:DatasetVersion {
    dataset: 'side', number: n, coverage: 'COMPLETE', status: 'SEALED', registered_at: $t + n, sealed_at: $t + n,
    content: 'x', declared: false, jurisdictions: [], platforms: [], post_count: 3000, manifest_digest: 'x'}))
FOREACH (n IN range(1, 2) |
  CREATE (blind)-[:HAS_VERSION]->(:DatasetVersion {
    dataset: 'blind', number: n, coverage: ['DECLARED', 'UNDOCUMENTED'][n - 1], status: 'SEALED', registered_at: $t + n,
    sealed_at: $t + n, content: 'x', declared: n = 1, jurisdictions: ['FR'], platforms: []}))
FOREACH (n IN range(0, 19) |
  CREATE (:TrainingRun {
    key: 'run' + n, status: 'COMPLETED', purpose: 'AI_TRAINING', started_at: $t + n, ended_at: $t + n,
    recorded_at: $t + n, gated: false})
    -[:PRODUCED {recorded_at: $t + n}]->
    (:ModelVersion {key: 'm:' + n, model: 'm', version: toString(n), status: 'ACTIVE', recorded_at: $t + n}))
WITH 1 AS _
UNWIND range(0, 19) AS n
MATCH (t:TrainingRun {key: 'run' + n})
MATCH (v:DatasetVersion {dataset: CASE WHEN n % 4 = 3 THEN 'side' ELSE 'big' END,
                         number: CASE WHEN n % 4 = 3 THEN 1 + n / 4 ELSE 40 + n * 50 END})
MATCH (m:ModelVersion {key: 'm:' + n})
CREATE (t)-[:CONSUMED]->(v)
CREATE (:ModelVersion {key: 'f:' + n, model: 'f', version: toString(n), status: 'ACTIVE', recorded_at: $t + n})
  -[:DERIVED_FROM {kind: 'FINE_TUNE', at: $t + n, recorded_at: $t + n}]->(m)
CREATE (:Feature {key: 'feature' + n, recorded_at: $t})-[:SERVED_BY {from: $t + n, recorded_at: $t + n}]->(m)
"""

RULES: LiteralString = """
UNWIND range(1, 3) AS n
CREATE (:Policy {
  key: 'policy', version: n, jurisdiction: 'GB', purpose: 'AI_TRAINING', lawful_basis: 'LEGITIMATE_INTERESTS',
  effective_from: $t - n, notice_required: true, objection_window_days: 1, platforms: [], assessment: 'dpia',
  protects_depicted: true, flags_past_use: true, objection_absolute: false, gate_flagged_bases: true, recorded_at: $t})
CREATE (:Notice {
  key: 'notice', version: n, purpose: 'AI_TRAINING', channel: 'IN_APP', published_at: $t - n, digest: 'x',
  described_at: $t})
"""

FLAGS: LiteralString = """
MATCH (m:ModelVersion)
CREATE (:RetrainingFlag {
  uid: 'flag:' + m.key, model: m.key, open_for: m.key, status: 'OPEN', raised_at: $t, due_at: $t + 1})-[:FLAGS]->(m)
"""

# A tenth of the people object; most of it was settled long ago. Everybody who objects is a cause of one open flag.
PEOPLE: LiteralString = """
MATCH (n:Notice {key: 'notice', version: 1})
UNWIND range($begin, $end) AS i
CREATE (u:User {key: 'user' + i, guard: true})
CREATE (u)-[:KNOWN]->(:UserFact {
  field: 'jurisdiction', value: ['GB', 'FR', 'GB-SCT'][i % 3], valid_from: $t, recorded_at: $t})
CREATE (u)-[:KNOWN]->(:UserFact {field: 'adult_from', value: '2000-01-01', valid_from: $t, recorded_at: $t})
CREATE (u)-[:SAID]->(:ConsentState {purpose: 'AI_TRAINING', status: 'GIVEN', valid_from: $t, recorded_at: $t})
CREATE (u)-[:SERVED {served_at: $t, recorded_at: $t}]->(n)
WITH u, i WHERE i % 10 = 0
CREATE (u)<-[:FILED_BY]-(o:Objection {
  key: 'objection:' + u.key, status: ['UPHELD', 'REFUSED', 'REFUSED', 'WITHDRAWN'][i / 10 % 4],
  purposes: ['AI_TRAINING'], platforms: [],
  received_at: $t + i, recorded_at: $t + i, due_at: $t + i + 30 * 86400000000, decided_at: $t + i})
CREATE (u)-[:SAID]->(:ConsentState {
  purpose: 'AI_TRAINING', status: 'OBJECTED', valid_from: $t + i, recorded_at: $t + i, objection: o.key})
CREATE (o)-[:BECAME]->(:Transition {status: o.status, at: $t + i, recorded_at: $t + i})
WITH o, i
MATCH (f:RetrainingFlag {uid: 'flag:m:' + i / 10 % 20})
CREATE (f)-[:CAUSED_BY {
  kind: 'OBJECTION', posts: 1, due_at: o.due_at, recorded_at: $t + i, standing_for: f.uid}]->(o)
"""

SHARDS: LiteralString = """
MATCH (d:Dataset {key: $dataset})
UNWIND range($begin, $end) AS i
CREATE (d)-[:HAS_SHARD]->(:Shard {key: $dataset + '/9/' + $group + i + '/0', dataset: $dataset, size: 0, placed: 0})
"""

# Few people write much and many write little: the square of a spread number.
POSTS: LiteralString = """
UNWIND range($begin, $end) AS i
WITH i, toFloat(i * 7919 % 10007) / 10007 AS spread
MATCH (u:User {key: 'user' + toInteger(spread * spread * $people)})
CREATE (p:Post {
  key: 'post' + i, described_at: $t, platform: ['FACEBOOK', 'INSTAGRAM'][i % 2], kind: 'POST',
  published_at: $t - i * 1000, visibility: 'PUBLIC', digest: 'x'})-[:AUTHORED_BY {recorded_at: $t}]->(u)
"""

# What is asked about: `who` has `count` posts, in the same intervals in both graphs.
OF_SUBJECT: LiteralString = """
MATCH (n:Notice {key: 'notice', version: 1})
CREATE (u:User {key: $who, guard: true})-[:SERVED {served_at: $t, recorded_at: $t}]->(n)
CREATE (u)-[:KNOWN]->(:UserFact {field: 'jurisdiction', value: 'GB', valid_from: $t, recorded_at: $t})
CREATE (u)-[:KNOWN]->(:UserFact {field: 'adult_from', value: '2000-01-01', valid_from: $t, recorded_at: $t})
CREATE (u)-[:SAID]->(:ConsentState {purpose: 'AI_TRAINING', status: 'GIVEN', valid_from: $t, recorded_at: $t})
WITH u
UNWIND range(0, $count - 1) AS i
CREATE (:Post {
  key: $who + ':' + i, described_at: $t, platform: ['FACEBOOK', 'INSTAGRAM'][i % 2], kind: 'POST',
  published_at: $t - i * 1000, visibility: 'PUBLIC', digest: 'x'})-[:AUTHORED_BY {recorded_at: $t}]->(u)
"""

# Half of the members stay for good, the others for fifty versions each; those asked about change in known versions.
MEMBERSHIPS: LiteralString = """
UNWIND range($begin, $end, $step) AS i
MATCH (p:Post {key: $prefix + i})
MATCH (s:Shard {key: $dataset + '/9/' + $group + i / 1000 + '/0'})
CREATE (p)-[:IN_SHARD {
  dataset: $dataset, from_version: CASE i % 2 WHEN 0 THEN 1 ELSE 2 + i % $spread END,
  to_version: CASE i % 2 WHEN 0 THEN null ELSE 2 + i % $spread + 50 END}]->(s)
"""

CHANGES: LiteralString = """
UNWIND range($begin, $end, 10) AS i
MATCH (p:Post {key: 'post' + i})
MATCH (u:User {key: 'user' + i / 10})
CREATE (p)-[:DEPICTS {recorded_at: $t}]->(u)
CREATE (p)-[:CHANGED]->(:PostChange {field: 'visibility', value: 'PRIVATE', valid_from: $t, recorded_at: $t})
"""

SINGLE: LiteralString = """
MATCH (u:User {key: $who})
MATCH (s:Shard {key: 'big/9/' + $who + '0/0'})
CREATE (once:Post {
  key: $who + ':once', described_at: $t, platform: 'FACEBOOK', kind: 'POST', published_at: $t, visibility: 'PUBLIC'})
CREATE (always:Post {
  key: $who + ':always', described_at: $t, platform: 'FACEBOOK', kind: 'POST', published_at: $t, visibility: 'PUBLIC'})
CREATE (once)-[:AUTHORED_BY {recorded_at: $t}]->(u)
CREATE (always)-[:AUTHORED_BY {recorded_at: $t}]->(u)
CREATE (once)-[:IN_SHARD {dataset: 'big', from_version: 500, to_version: 501}]->(s)
CREATE (always)-[:IN_SHARD {dataset: 'big', from_version: 1}]->(s)
"""

# A hundred posts joined "big" between versions 900 and 910, and a hundred left it.
CHANGED_MEMBERS: LiteralString = """
MATCH (s:Shard {key: 'big/9/g0/0'})
UNWIND range(0, 199) AS i
MATCH (p:Post {key: 'changed:' + i})
CREATE (p)-[:IN_SHARD {
  dataset: 'big', from_version: CASE WHEN i < 100 THEN 905 ELSE 1 END,
  to_version: CASE WHEN i < 100 THEN null ELSE 905 END}]->(s)
"""

# The objections that the first page of every list holds: the earliest, of a platform where nobody posted.
LISTED: LiteralString = """
MATCH (u:User {key: $who})
UNWIND range(0, 49) AS i
CREATE (u)<-[:FILED_BY]-(:Objection {
  key: 'listed:' + i, status: ['PENDING', 'UPHELD'][i % 2], purposes: ['AI_TRAINING'], platforms: ['NOWHERE'],
  received_at: $t - 100 + i, recorded_at: $t - 100 + i, due_at: CASE WHEN i < 40 THEN $t + i ELSE $t * 2 END})
"""

# Settled long ago, and causes of every flag: below fifty relationships a node is read whole whatever is asked of it.
SETTLED: LiteralString = """
MATCH (u:User {key: $who})
UNWIND range(0, 59) AS i
CREATE (u)<-[:FILED_BY]-(o:Objection {
  key: 'settled:' + i, status: 'REFUSED', purposes: ['AI_TRAINING'], platforms: ['NOWHERE'], received_at: $t + i,
  recorded_at: $t - 200, due_at: $t, decided_at: $t})
WITH o
MATCH (f:RetrainingFlag)
CREATE (f)-[:CAUSED_BY {kind: 'OBJECTION', posts: 1, due_at: $t, recorded_at: $t, standing_for: f.uid}]->(o)
"""

FORGET_PLANS: LiteralString = "CALL db.prepareForReplanning(300)"
NEW_REVISION: LiteralString = """
MATCH (r:Revision) SET r.value = randomUUID(), r.first_recorded_at = coalesce(r.first_recorded_at, $t)
"""

SUBJECTS = {"heavy": 2_000, "typical": 100, "fresh": 300}
SIZES = ("small", "large")


async def load_small(graph: ProfilingGraph) -> None:
    await write(graph, UPPER, versions=VERSIONS)
    await write(graph, RULES)
    await write(graph, FLAGS)
    await grow(graph, 0, SMALL)
    for size in SIZES:
        for name, count in SUBJECTS.items():
            who = f"{size}-{name}"
            await write(graph, OF_SUBJECT, who=who, count=count)
            if name != "fresh":
                await write(graph, SHARDS, dataset="big", group=who, begin=0, end=count // 1000)
                arguments = {"prefix": f"{who}:", "group": who, "begin": 0, "end": count - 1}
                await write(graph, MEMBERSHIPS, dataset="big", spread=40, step=1, **arguments)
        await write(graph, SINGLE, who=f"{size}-typical")
    await write(graph, OF_SUBJECT, who="changed", count=200)
    await write(graph, CHANGED_MEMBERS)
    await write(graph, LISTED, who="changed")
    await write(graph, OF_SUBJECT, who="settled", count=1)
    await write(graph, SETTLED, who="settled")
    await settle(graph)


async def load_large(graph: ProfilingGraph) -> None:
    await grow(graph, SMALL, LARGE)
    await settle(graph)


async def grow(graph: ProfilingGraph, begin: int, end: int) -> None:
    """Add the posts from `begin` to `end`, with their people and memberships."""
    await write(graph, PEOPLE, begin=begin // 10, end=end // 10 - 1)
    for dataset in ("big", "side"):
        await write(graph, SHARDS, dataset=dataset, group="g", begin=begin // 1000, end=end // 1000 - 1)
    for first in range(begin, end, 10_000):
        last = first + 9_999
        await write(graph, POSTS, begin=first, end=last, people=end // 10)
        arguments = {"prefix": "post", "group": "g", "begin": first, "end": last}
        await write(graph, MEMBERSHIPS, dataset="big", spread=800, step=1, **arguments)
        await write(graph, MEMBERSHIPS, dataset="side", spread=1, step=10, **arguments)
        await write(graph, CHANGES, begin=first, end=last)


async def settle(graph: ProfilingGraph) -> None:
    await write(graph, NEW_REVISION)
    await graph.run_schema(FORGET_PLANS)


async def write(graph: ProfilingGraph, statement: LiteralString, **parameters: Any) -> None:
    await graph.write(lambda tx: tx.rows(statement, t=T0, **parameters))


# ------------------------------------------------------------------------------------------------------ the operations

PAGE = PageRequest(first=20)
BIG = "big"


class Caller:
    """Calls use cases, each as an operation whose plans are kept by name."""

    def __init__(self, graph: ProfilingGraph, service: Service, size: str) -> None:
        self.graph, self.service, self.size = graph, service, size
        self.operations: dict[str, Operation] = {}

    async def call(self, name: str, use_case: Callable[..., Awaitable[Any]], *arguments: Any, **more: Any) -> Any:
        """Call a use case of the service."""
        assert name not in self.operations, name
        with self.graph.operation(name) as operation:
            answer = await use_case(self.service, *arguments, **more)
        self.operations[name] = operation
        return answer

    async def record(self, name: str, *records: dict[str, Any]) -> list[facts.Outcome]:
        """Record a batch of one kind."""
        latest = datetime(2100, 1, 1, tzinfo=UTC)
        batch: Any = [parse(orjson.dumps(each), latest) for each in records]
        return await self.call(name, facts.record, batch)


async def ask(caller: Caller) -> None:
    """Every read."""
    call, size = caller.call, caller.size
    heavy, typical = f"{size}-heavy", f"{size}-typical"
    await call("lineage(cached)", Service.lineage)
    await call("postUsage", usage.post_usage, f"{typical}:1", None)
    await call("postUsage(in 1 version)", usage.post_usage, f"{typical}:once", None)
    answer = await call("postUsage(in 1,000 versions)", usage.post_usage, f"{typical}:always", None)
    await call("eligibilityAtUse", usage.eligibilities_at_use, answer, answer.usage.uses[:20])
    await call("eligibility", posts.eligibility, f"{typical}:1", "AI_TRAINING", None, None)
    await call("visibility(read)", posts.visibility, f"{typical}:1", None, None)
    await call("find_post", posts.find_post, f"{typical}:1")
    await call("find_user", people.find_user, typical)
    await call("list_posts", people.list_posts, heavy, PAGE)
    await call("list_objections_of", people.list_objections_of, "changed", PAGE)
    await call("user_usage", person_usage.user_usage, heavy, None)
    answer = await call("user_usage(100 posts)", person_usage.user_usage, typical, None)
    await call("list_post_usages", person_usage.list_post_usages, answer, Verdict.USED, PAGE)
    await call("find_consent", consent.find_consent, typical, "AI_TRAINING", None, None)
    await call("list_consent_history", consent.list_consent_history, typical, "AI_TRAINING", PAGE)
    await call("find_objection", objections.find_objection, "listed:0")
    objection = await objections.find_objection(caller.service, "listed:0")
    assert objection is not None
    await call("affected_post_count(objection)", objections.affected_post_count, objection)
    await call("possible_versions", objections.possible_versions, objection)
    await call("list_objections", objections.list_objections, None, None, PAGE)
    await call("list_objections(PENDING)", objections.list_objections, ObjectionStatus.PENDING, None, PAGE)
    await call("list_objections(UPHELD)", objections.list_objections, ObjectionStatus.UPHELD, None, PAGE)
    await call("list_objections(overdue)", objections.list_objections, None, True, PAGE)
    await call("list_objections(not overdue)", objections.list_objections, None, False, PAGE)
    await call("list_flags", flags.list_flags, None, None, PAGE)
    await call("list_flags(OPEN)", flags.list_flags, FlagStatus.OPEN, None, PAGE)
    await call("list_flags(of a model)", flags.list_flags, None, "m:0", PAGE)
    await call("list_flags_of_objection", flags.list_flags_of_objection, "objection:user10", PAGE)
    flag = await call("find_flag", flags.find_flag, "flag:m:0")
    await call("cause_count", flags.cause_count, "flag:m:0", CauseKind.OBJECTION)
    await call("affected_post_count(flag)", flags.affected_post_count, flag, None)
    await call("contains", datasets.contains, (await caller.service.lineage()).versions[VersionRef(BIG, 900)], "post7")
    for added in (True, False):
        what = "joined" if added else "left"
        arguments = {"begin": 900, "end": 910, "added": added, "request": PAGE}
        await call(f"list_difference({what})", datasets.list_difference, BIG, **arguments)
    bounds = {"max_depth": 10, "max_nodes": 1000, "known_at": None}
    await call("lineage(down from a post)", lineage.lineage, Kind.POST, f"{typical}:1", upstream=False, **bounds)
    await call("lineage(up from a feature)", lineage.lineage, Kind.FEATURE, "feature1", upstream=True, **bounds)


async def tell(caller: Caller) -> None:
    """Every write, each by or about what is there once for either size."""
    await object_to_use(caller)
    await record_rules_and_people(caller)
    await record_posts(caller)
    await register_versions(caller)
    await train(caller)


async def object_to_use(caller: Caller) -> None:
    call, size = caller.call, caller.size
    heavy, few = f"{size}-heavy", f"{size}-typical"
    received = micros("2026-11-01T00:00:00Z")
    await call("file_objection", objections.file_objection, objections.FileObjection(heavy, heavy, received))
    await call("extend_objection", objections.extend_objection, heavy, "complex")
    decided = {"uphold": True, "grounds": None, "decided_at": None}
    await call("decide_objection", objections.decide_objection, heavy, **decided)
    await call("file_objection(100 posts)", objections.file_objection, objections.FileObjection(few, few, received))
    await call("withdraw_objection", objections.withdraw_objection, few)


AT = "2026-02-01T00:00:00Z"


async def record_rules_and_people(caller: Caller) -> None:
    record, size = caller.record, caller.size
    heavy, fresh, new = f"{size}-heavy", f"{size}-fresh", f"{size}-person"
    policy = {"kind": "policy", "key": size, "version": 1, "jurisdiction": "DE", "purpose": "AI_TRAINING"}
    await record("policy", policy | {"lawful_basis": "CONSENT", "effective_from": AT})
    notice = {"kind": "notice", "key": size, "version": 1, "purpose": "AI_TRAINING", "channel": "IN_APP"}
    await record("notice", notice | {"published_at": AT})
    await record("user", {"kind": "user", "key": new, "jurisdiction": "GB", "adult_from": "2000-01-01"})
    await record("user(with posts)", {"kind": "user", "key": fresh, "jurisdiction": "GB"})
    await record("user(who objects)", {"kind": "user", "key": heavy, "jurisdiction": "GB"})
    served = {"kind": "notice_served", "user": new, "notice": "notice", "version": 1, "served_at": AT}
    await record("notice_served", served)
    await record("notice_served(seen)", served | {"seen_at": AT})
    said = {"kind": "consent", "user": new, "purpose": "AI_TRAINING", "status": "GIVEN", "valid_from": AT}
    await record("consent", said)


async def record_posts(caller: Caller) -> None:
    record, size = caller.record, caller.size
    new = f"{size}-author"
    keys = [f"{new}:{number}" for number in range(10)]
    unknown = f"{new}:unknown"

    def post(key: str, **more: Any) -> dict[str, Any]:
        described = {"kind": "post", "key": key, "author": new, "platform": "FACEBOOK", "post_kind": "POST"}
        return described | {"visibility": "PUBLIC", "published_at": AT} | more

    await record("post", *(post(key) for key in keys))
    await record("post(again)", *(post(key) for key in keys))
    changed = {"depicts": [f"{size}-heavy", "user7"], "special_category": True, "content_digest": f"sha256:{'0' * 64}"}
    await record("post(changed)", *(post(key, **changed) for key in keys))
    await record("post(no longer depicting)", *(post(key, depicts=["user7"]) for key in keys))
    await record("post(conflict)", post(keys[0], author=f"{new}-other"))
    hidden = {"kind": "visibility", "visibility": "FRIENDS", "valid_from": AT}
    await record("visibility", *(hidden | {"post": key} for key in [*keys, unknown]))
    await record("post_deleted", *({"kind": "post_deleted", "post": key, "valid_from": AT} for key in keys))
    await record("post(known by key)", post(unknown, depicts=["user7"]))
    await record("post_author", {"kind": "post_author", "post": keys[1], "author": "user7", "reason": "wrong"})


async def register_versions(caller: Caller) -> None:
    """The next version of a dataset of a thousand, with a hundred changes, and the other ways to register one."""
    call, size = caller.call, caller.size
    register, complete = datasets.register_version, Coverage.COMPLETE
    first, other = (tuple(f"{size}-fresh:{number}" for number in range(begin, begin + 100)) for begin in (0, 50))

    base = max((await caller.service.lineage()).numbers[BIG])
    ref = (await call("register(basedOn)", register, datasets.RegisterVersion(BIG, complete, based_on=base))).ref
    await call("100 members", members.add_members, ref, first)
    removed = [f"{size}-typical:{number}" for number in range(0, 20, 2)]
    await call("10 members removed", members.remove_members, ref, removed)
    await call("10 members back", members.add_members, ref, removed)
    await call("seal", members.seal_version, ref)
    await call("members of a sealed version", members.add_members, ref, [first[0]])

    own = f"{size}-own"
    listed = datasets.RegisterVersion(own, complete, number=1, posts=first)
    ref = (await call("register(posts)", register, listed)).ref
    await call("register(posts, again)", register, listed)
    await call("register(other posts)", register, datasets.RegisterVersion(own, complete, posts=other))
    rebased = (await call("register(basedOn 1)", register, datasets.RegisterVersion(own, complete, based_on=1))).ref
    await call("seal(100 members)", members.seal_version, rebased)
    await call("register(empty)", register, datasets.RegisterVersion(own, complete))
    await call("withdraw_version", datasets.withdraw_version, ref, "wrong")
    declared = datasets.RegisterVersion(
        "blind",
        Coverage.DECLARED,
        selection=Selection(("FR",)),
        derived_from=(VersionRef(BIG, 1),),
        generated_by=("m:0",),
    )
    await call("register(DECLARED)", register, declared)


async def train(caller: Caller) -> None:
    """Training and flags of models that no post of those asked about reaches, so that their flags stay as many."""
    call, size = caller.call, caller.size
    inputs = (VersionRef("side", 1),)
    ran = training.RecordTraining(f"{size}-run", inputs, T0, ("m:3",), T0 + 1, "AI_TRAINING", "n", size)
    await call("record_training", training.record_training, ran)
    derived = training.DeriveModel("d", size, ("m:3",), DerivationKind.FINE_TUNE)
    await call("derive_model", training.derive_model, derived)
    feature, uid = {"small": ("feature3", "flag:m:3"), "large": ("feature7", "flag:m:7")}[size]
    await call("serve_feature", training.serve_feature, feature, f"d:{size}", None)
    await call("acknowledge", flags.acknowledge, uid)
    await call("schedule", flags.schedule, uid, micros("2099-01-01T00:00:00Z"))
    await call("resolve", flags.resolve, uid, FlagResolution.NOT_REQUIRED, replacement=None, justification="none")


# ------------------------------------------------------------------------------------------------------------ the tests


Measured = dict[str, dict[str, Operation]]
"""By the graph's size and the operation's name."""


@pytest.fixture(scope="module")
def measured(run: Run, session_service: Service, settings: Settings, neo4j_server: Server) -> Measured:
    """Every operation in the small graph and in the large one."""

    async def measure() -> Measured:
        graph = ProfilingGraph.connect(
            neo4j_server.uri,
            neo4j_server.user,
            neo4j_server.password,
            settings.neo4j_database,
            settings.transaction_timeout_seconds,
        )
        found: Measured = {}
        try:
            await wipe(session_service)
            for size, load in (("small", load_small), ("large", load_large)):
                await load(graph)
                service = Service(graph, LineageCache(graph), settings.establishment, settings.shard_size)
                caller = Caller(graph, service, size)
                await caller.call("lineage(read whole)", Service.lineage)
                await ask(caller)
                await tell(caller)
                found[size] = caller.operations
        finally:
            await graph.close()
        return found

    return run(measure())


GROWS_WITH = {
    "seal": "the members, all of which its digest covers",
    "policy": "the objections that are pending or upheld",
    "record_training": "the objections that are pending or upheld",
    "derive_model": "the objections that are pending or upheld",
    "list_objections(UPHELD)": "the objections that its total counts",
    "cause_count": "the causes that it counts",
    "affected_post_count(flag)": "the causes whose posts it counts",
}
"""What an operation's cost is proportional to, where that grows by its nature; every other one must cost the same."""


def statements() -> dict[str, str]:
    """Every statement of the graph layer by its name, but for the migrations': those run before there is a graph."""
    found: dict[str, str] = {}
    for each in iter_modules(graph_package.__path__):
        if each.name != "migrations":
            constants = vars(import_module(f"{graph_package.__name__}.{each.name}")).items()
            found |= {
                f"{each.name}.{name}": value
                for name, value in constants
                if isinstance(value, str) and any(word in value for word in ("MATCH ", "MERGE ", "CREATE "))
            }
    return found


def test_every_statement_is_profiled(measured: Measured) -> None:
    sent = {profile.statement for found in measured.values() for each in found.values() for profile in each.profiles}
    assert sorted(name for name, text in statements().items() if text not in sent) == []


@pytest.mark.parametrize("size", SIZES)
def test_no_statement_scans_what_grows(measured: Measured, size: str) -> None:
    names = {text: name for name, text in statements().items()}
    found = {
        f"{names[profile.statement]}: {operator}"
        for operation in measured[size].values()
        for profile in operation.profiles
        for operator in profile.offences(GROWING)
    }
    assert sorted(found) == []


def test_an_operation_costs_the_same_in_a_graph_four_times_as_large(measured: Measured) -> None:
    upper = frozenset(text for name, text in statements().items() if name.startswith("upper."))
    small, large = (
        {name: operation.hits_without(upper) for name, operation in measured[size].items()} for size in SIZES
    )
    table = [f"{name:34} {small[name]:9} {large[name]:9}  {GROWS_WITH.get(name, '')}" for name in small]
    print("\n".join(table))  # noqa: T201 - shown with -s, or when the assertion fails
    grown = [f"{name}: {small[name]} -> {large[name]}" for name in small if large[name] > RATIO * small[name]]
    assert [each for each in grown if each.partition(": ")[0] not in GROWS_WITH] == []


def test_a_post_in_a_thousand_versions_costs_what_a_post_in_one_costs(measured: Measured) -> None:
    for found in measured.values():
        assert found["postUsage(in 1 version)"].hits == found["postUsage(in 1,000 versions)"].hits


def test_an_objection_costs_at_most_twenty_hits_a_post(measured: Measured) -> None:
    for found in measured.values():
        assert found["file_objection"].hits <= 20 * SUBJECTS["heavy"]
