"""Two graphs for profiling, the second four times the first in everything that grows.

Each has its own people, posts and answers of the same size to ask about and to write to; a statement's hits in both
tell whether what it costs grows with the graph.
"""

from typing import Any, LiteralString

from tests.conftest import PSEUDONYMS
from tests.integration.profiling import ProfilingGraph
from tests.oracle import micros

SMALL, LARGE = 10_000, 40_000
"""Posts without those that are asked about, which are the same in both graphs."""
VERSIONS = 1_000

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
  uid: o.key, kind: 'OBJECTION', posts: 1, due_at: o.due_at, recorded_at: $t + i, standing_for: f.uid}]->(o)
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
  key: $who + ':' + i, described_at: $t, platform: $platforms[i % size($platforms)], kind: 'POST',
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

# Most of those that are private always were; few were narrowed, and flag whatever used them.
CHANGES: LiteralString = """
UNWIND range($begin, $end, 10) AS i
MATCH (p:Post {key: 'post' + i})
MATCH (u:User {key: 'user' + i / 10})
CREATE (p)-[:DEPICTS {recorded_at: $t}]->(u)
CREATE (p)-[:CHANGED]->(:PostChange {
  field: 'visibility', value: 'PRIVATE', valid_from: CASE i % 1000 WHEN 0 THEN $t ELSE p.published_at END,
  recorded_at: $t})
"""

# A tenth of the entries each for a token; every second one reads a record.
AUDITED: LiteralString = """
UNWIND range($begin, $end) AS i
CREATE (e:AuditEntry {
  uid: 'writer-' + i, at: $t + i, clock: $t + i, role: ['compliance', 'service', 'admin'][i % 3],
  token_id: 'token' + i % 10, request_id: 'request' + i, operation: ['user', 'fileObjection', 'objections'][i % 3],
  outcome: ['READ', 'ACCEPTED'][i % 2], subjects: ['digest' + i], subject_count: 1, counted: [], counts: [], seal: 'x'})
FOREACH (term IN [e.operation, 'digest' + i] | CREATE (:AuditTerm {term: term, at: e.at, uid: e.uid}))
"""

# Entries about one person, as many in both graphs.
AUDITED_SUBJECT: LiteralString = """
UNWIND range(0, 49) AS i
CREATE (e:AuditEntry {
  uid: 'subject-' + i, at: $t + i, clock: $t + i, role: 'auditor', token_id: 'seldom', request_id: 'request',
  operation: 'seldom', outcome: 'SELDOM', subjects: [$digest], subject_count: 1, counted: [], counts: [], seal: 'x'})
FOREACH (term IN ['seldom', $digest] | CREATE (:AuditTerm {term: term, at: e.at, uid: e.uid}))
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

# The objections that the first page of every list holds: the earliest, of a platform where nobody posted. They are
# also what the reports of the day before T0 speak of, with the settled ones and the refusals of the gate.
LISTED: LiteralString = """
MATCH (u:User {key: $who})
UNWIND range(0, 49) AS i
CREATE (u)<-[:FILED_BY]-(:Objection {
  key: 'listed:' + i, status: ['PENDING', 'UPHELD'][i % 2], purposes: ['AI_TRAINING'], platforms: ['NOWHERE'],
  received_at: $t - 100 + i, recorded_at: $t - 100 + i, due_at: CASE WHEN i < 40 THEN $t + i ELSE $t * 2 END,
  deadline: CASE WHEN i % 2 = 1 THEN null WHEN i < 40 THEN $t + i ELSE $t * 2 END,
  decided_at: CASE WHEN i % 2 = 1 THEN $t - 10 END, extended_at: CASE WHEN i % 4 = 0 THEN $t - 10 END})
"""

REFUSALS: LiteralString = """
UNWIND range(0, 49) AS i
CREATE (:Refusal {
  uid: 'refusal:' + i, run: 'refused' + i / 2, purpose: 'AI_TRAINING', refused_at: $t - 10 + i / 10, dataset: 'big',
  number: 1, reason: 'OBJECTED', count: 1, message: 'x'})
"""

# Settled long ago, and causes of every flag: below fifty relationships a node is read whole whatever is asked of it.
SETTLED: LiteralString = """
MATCH (u:User {key: $who})
UNWIND range(0, 59) AS i
CREATE (u)<-[:FILED_BY]-(o:Objection {
  key: 'settled:' + i, status: 'REFUSED', purposes: ['AI_TRAINING'], platforms: ['NOWHERE'], received_at: $t + i,
  recorded_at: $t - 200, due_at: $t, decided_at: $t - 10, grounds: 'ground ' + i % 7})
WITH o
MATCH (f:RetrainingFlag)
CREATE (f)-[:CAUSED_BY {
  uid: o.key, kind: 'OBJECTION', posts: 1, due_at: $t, recorded_at: $t, standing_for: f.uid}]->(o)
"""

# One event in two hundred is older than the others; all were delivered long ago, to a webhook that is disabled.
EVENTS: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
MERGE (w:Webhook {uid: 'wh_grown'})
ON CREATE SET w.key = 'grown', w.url = 'https://hooks.example/', w.role = 'ml', w.kinds = [], w.status = 'DISABLED',
  w.registered_at = $t, w.position = 0, w.key_check = ''
WITH r, coalesce(r.events, 0) AS base
SET r.events = base + $count
WITH base
UNWIND range(1, $count) AS i
CREATE (e:Event {
  id: 'evt_' + (base + i), position: base + i, kind: 'FLAG_CHANGED', lane: 'model:m:' + i % 20, details: '{}',
  at: CASE WHEN i <= 50 THEN $t - 1000 * 86400000000 ELSE $t + 300 * 86400000000 END, model: 'm:' + i % 20})
CREATE (:Delivery {
  id: 'dlv_' + (base + i), webhook: 'wh_grown', event: e.id, position: e.position, kind: e.kind, status: 'DELIVERED',
  attempts: 1, created_at: e.at, finished_at: e.at, response: 200})-[:OF]->(e)
"""

# Somebody was erased in either graph, so that what that costs others is counted.
ERASED: LiteralString = """
MATCH (r:Revision {name: 'lineage'}) SET r.suppressing = true
CREATE (gone:User {key: 'hmac-sha256:gone', erased_at: $t})
CREATE (:Post {key: 'hmac-sha256:post', erased_at: $t, used_by: [], used_reasons: [], used_policies: []})
  -[:AUTHORED_BY]->(gone)
WITH gone
UNWIND range(0, 29) AS i
CREATE (:Erasure {
  key: 'hmac-sha256:' + i, status: 'REFUSED', received_at: $t - 100 + i, recorded_at: $t - 100 + i, due_at: $t})
  -[:REQUESTED_BY]->(gone)
"""

FORGET_PLANS: LiteralString = "CALL db.prepareForReplanning(300)"
NEW_REVISION: LiteralString = """
MATCH (r:Revision) SET r.value = randomUUID(), r.first_recorded_at = coalesce(r.first_recorded_at, $t)
"""

SUBJECTS = {"heavy": 2_000, "typical": 100, "leaving": 500, "fresh": 300, "buildable": 100}
SIZES = ("small", "large")


def platforms_of(size: str, name: str) -> list[str]:
    """Where a subject posts: what is to be built from lies on a platform of its own, so that it takes nothing else."""
    return [size.upper()] if name == "buildable" else ["FACEBOOK", "INSTAGRAM"]


async def load_small(graph: ProfilingGraph) -> None:
    await write(graph, UPPER, versions=VERSIONS)
    await write(graph, RULES)
    await write(graph, FLAGS)
    await grow(graph, 0, SMALL)
    for size in SIZES:
        for name, count in SUBJECTS.items():
            who = f"{size}-{name}"
            await write(graph, OF_SUBJECT, who=who, count=count, platforms=platforms_of(size, name))
            if name in ("heavy", "typical"):
                await write(graph, SHARDS, dataset="big", group=who, begin=0, end=count // 1000)
                arguments = {"prefix": f"{who}:", "group": who, "begin": 0, "end": count - 1}
                await write(graph, MEMBERSHIPS, dataset="big", spread=40, step=1, **arguments)
        await write(graph, SINGLE, who=f"{size}-typical")
    others = platforms_of("", "")
    await write(graph, OF_SUBJECT, who="changed", count=200, platforms=others)
    await write(graph, CHANGED_MEMBERS)
    await write(graph, LISTED, who="changed")
    await write(graph, OF_SUBJECT, who="settled", count=1, platforms=others)
    await write(graph, SETTLED, who="settled")
    await write(graph, REFUSALS)
    await write(graph, AUDITED_SUBJECT, digest=PSEUDONYMS.of("User", "changed"))
    await write(graph, ERASED)
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
        await write(graph, EVENTS, count=10_000)
        await write(graph, AUDITED, begin=first, end=last)


async def settle(graph: ProfilingGraph) -> None:
    await write(graph, NEW_REVISION)
    await graph.run_schema(FORGET_PLANS)


async def write(graph: ProfilingGraph, statement: LiteralString, **parameters: Any) -> None:
    await graph.write(lambda tx: tx.rows(statement, t=T0, **parameters))
