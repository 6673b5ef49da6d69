"""Every use case, called once in each of the graphs of `plan_graphs`, with the plans by which its statements ran."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from consentline.domain.audit import READ, Actor, AuditFilter, Subject, SubjectKind
from consentline.domain.datasets import Coverage, Selection, VersionRef
from consentline.domain.erasures import ErasureStatus
from consentline.domain.flags import CauseKind, FlagResolution, FlagStatus
from consentline.domain.instants import DAY
from consentline.domain.lineage import Kind
from consentline.domain.objections import ObjectionOrder, ObjectionStatus
from consentline.domain.paging import PageRequest
from consentline.domain.record_lines import parse
from consentline.domain.reports import Period
from consentline.domain.sharding import Cell, Checkpoint, ShardedTraining, Sharding
from consentline.domain.training import DerivationKind
from consentline.domain.usage import Verdict
from consentline.graph import evaluation, secret
from consentline.usecases import (
    audit,
    builds,
    consent,
    counts,
    datasets,
    doctor,
    erasing,
    erasure_reports,
    erasures,
    facts,
    flags,
    gate,
    lineage,
    members,
    notices,
    objections,
    people,
    person_usage,
    plans,
    posts,
    reports,
    runs,
    sharding,
    training,
    usage,
    verification,
)
from consentline.usecases.service import Service
from consentline.usecases.sweep import sweep
from tests.integration.plan_graphs import T0, platforms_of
from tests.integration.profiling import Operation, ProfilingGraph
from tests.oracle import micros

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
        return await self.call(name, facts.record, parsed(*records))


def parsed(*records: dict[str, Any]) -> Any:
    """The records of these lines."""
    latest = datetime(2100, 1, 1, tzinfo=UTC)
    return [parse(orjson.dumps(each), latest) for each in records]


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
    await call("doctor", doctor.examine)
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
    urgency = ObjectionOrder.URGENCY
    await call("list_objections(by urgency)", objections.list_objections, None, None, PAGE, urgency)
    await call("list_objections(by urgency, overdue)", objections.list_objections, None, True, PAGE, urgency)
    await call("list_erasures", erasures.list_erasures, None, PAGE)
    await call("list_erasures(REQUESTED)", erasures.list_erasures, ErasureStatus.REQUESTED, PAGE)
    await call("list_flags", flags.list_flags, None, None, PAGE)
    await call("list_flags(OPEN)", flags.list_flags, FlagStatus.OPEN, None, PAGE)
    await call("list_flags(of a model)", flags.list_flags, None, "m:0", PAGE)
    await call("list_flags_of_objection", flags.list_flags_of_objection, "objection:user10", PAGE)
    flag = await call("find_flag", flags.find_flag, "flag:m:0")
    await call("cause_count", flags.cause_count, "flag:m:0", CauseKind.OBJECTION)
    await call("list_causes", flags.list_causes, "flag:m:0", None, PAGE)
    await call("list_causes(OBJECTION)", flags.list_causes, "flag:m:0", CauseKind.OBJECTION, PAGE)
    await call("affected_post_count(flag)", flags.affected_post_count, flag, None)
    await call("contains", datasets.contains, (await caller.service.lineage()).versions[VersionRef(BIG, 900)], "post7")
    for added in (True, False):
        what = "joined" if added else "left"
        arguments = {"begin": 900, "end": 910, "added": added, "request": PAGE}
        await call(f"list_difference({what})", datasets.list_difference, BIG, **arguments)
    bounds = {"max_depth": 10, "max_nodes": 1000, "known_at": None}
    await call("lineage(down from a post)", lineage.lineage, Kind.POST, f"{typical}:1", upstream=False, **bounds)
    await call("lineage(up from a feature)", lineage.lineage, Kind.FEATURE, "feature1", upstream=True, **bounds)
    await call("coverage", coverage_of_notices)
    await read_audit(caller)
    await report(caller)


async def coverage_of_notices(service: Service) -> None:
    """The coverage of a policy that governs."""
    await notices.coverage(service, await notices.ask(service, "policy", 1))


async def read_audit(caller: Caller) -> None:
    """Entries by everything that they are searched for, and by what seldom goes together with it."""
    filters = {
        "all": AuditFilter(),
        "of a time": AuditFilter(since=T0 + 100, until=T0 + 200),
        "of an operation": AuditFilter(operation="objections"),
        "of a role": AuditFilter(role="service", outcome="READ"),
        "of a token": AuditFilter(token_id="token7"),
        "of an outcome": AuditFilter(outcome="ACCEPTED"),
        "about somebody": AuditFilter(subject="changed"),
        "about somebody, of more": AuditFilter("seldom", "auditor", "seldom", "SELDOM", "changed"),
        "about nobody": AuditFilter(subject="nobody"),
    }
    for name, wanted in filters.items():
        await caller.call(f"list_entries({name})", audit.list_entries, wanted, PAGE)
    await caller.call("verify(audit)", audit.verify)


async def report(caller: Caller) -> None:
    """The figures of a period in which as much happened in both graphs."""
    call, period = caller.call, Period(T0 - DAY, T0)
    for figure in (
        reports.received_by_day,
        reports.received_by_status,
        reports.decided_by_status,
        reports.times_to_decision,
        reports.extended,
        reports.refused,
    ):
        await call(figure.__name__, figure, period)
    await call("refusals_by_ground", reports.refusals_by_ground, period, 100)
    await call("list_refusals", reports.list_refusals, period, PAGE)
    await call("overdue", reports.overdue)


async def tell(caller: Caller) -> None:
    """Every write, each by or about what is there once for either size."""
    about = [Subject(SubjectKind.USER, f"user{number}") for number in range(20)]
    await caller.call("enter", audit.enter, Actor("auditor", "token", "request"), "user", READ, about)
    await object_to_use(caller)
    await ask_erasure(caller)
    await record_rules_and_people(caller)
    await record_posts(caller)
    await register_versions(caller)
    await train(caller)
    await pass_the_gate(caller)
    await change_members(caller)
    await erase(caller)


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


async def ask_erasure(caller: Caller) -> None:
    call, leaving = caller.call, f"{caller.size}-leaving"
    request = erasures.RequestErasure(leaving, leaving, micros("2026-11-01T00:00:00Z"))
    erasure = await call("request_erasure", erasures.request_erasure, request)
    await call("find_erasure", erasures.find_erasure, leaving)
    await call("affected_post_count(erasure)", erasures.affected_post_count, erasure)


async def erase(caller: Caller) -> None:
    """Somebody who wrote 500 posts, objected and is depicted is erased, and asked about; somebody else is refused."""
    call, record, service, size = caller.call, caller.record, caller.service, caller.size
    leaving, staying, received = f"{size}-leaving", f"{size}-staying", micros("2026-11-01T00:00:00Z")
    await erasures.request_erasure(service, erasures.RequestErasure(staying, staying, received))
    refused = {"grounds": "not identified", "decided_at": None}
    await call("reject_erasure", erasures.reject_erasure, staying, **refused)
    await objections.file_objection(service, objections.FileObjection(leaving, leaving, received))
    described = {
        "kind": "post",
        "platform": "FACEBOOK",
        "post_kind": "POST",
        "visibility": "PUBLIC",
        "published_at": AT,
    }
    await facts.record(service, parsed(described | {"key": f"{size}-of", "author": "user7", "depicts": [leaving]}))
    erasure = await call("confirm_erasure", erasures.confirm_erasure, leaving)
    await call("residue", erasure_reports.residue, erasure)
    await call("carry_out_all", erasing.carry_out_all)
    await call("postUsage(erased)", usage.post_usage, f"{leaving}:1", None)
    await call("find_user(erased)", people.find_user, leaving)
    answer = await call("user_usage(erased)", person_usage.user_usage, leaving, None)
    await call("list_post_usages(erased)", person_usage.list_post_usages, answer, Verdict.NOT_USED, PAGE)
    await record("user(erased)", {"kind": "user", "key": leaving, "jurisdiction": "GB"})
    await record("post(erased)", described | {"key": f"{leaving}:1", "author": "user7"})
    named = datasets.RegisterVersion(f"{size}-naming", Coverage.COMPLETE, posts=(f"{leaving}:1", f"{leaving}:2"))
    await call("register(posts that are erased)", datasets.register_version, named)
    await call("check of the secret", check_secret)
    await call("find_traces", verification.find_traces, [leaving])


async def check_secret(service: Service) -> None:
    """What every start asks."""
    await service.graph.read(lambda tx: secret.check(tx, service.pseudonyms))


AT, LATER = "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"


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
    cells = [Cell(shard, slice_) for shard in range(1, 5) for slice_ in range(1, 3)]
    saved = tuple(Checkpoint(cell, f"s3://bucket/{cell.shard}/{cell.slice}") for cell in cells)
    sharded = ShardedTraining(Sharding(4, 2), saved)
    await call("record_sharding", runs.record_sharding, f"{size}-run", sharded)
    await call("find_sharding", sharding.find_sharding, f"{size}-run")
    derived = training.DeriveModel("d", size, ("m:3",), DerivationKind.FINE_TUNE)
    await call("derive_model", training.derive_model, derived)
    feature, uid = {"small": ("feature3", "flag:m:3"), "large": ("feature7", "flag:m:7")}[size]
    await call("serve_feature", training.serve_feature, feature, f"d:{size}", None)
    await call("acknowledge", flags.acknowledge, uid)
    await call("schedule", flags.schedule, uid, micros("2099-01-01T00:00:00Z"))
    await call("resolve", flags.resolve, uid, FlagResolution.NOT_REQUIRED, replacement=None, justification="none")
    await resolve_and_withdraw(caller)
    await plan_retraining(caller)


async def resolve_and_withdraw(caller: Caller) -> None:
    """A cause that falls away after its flag was resolved."""
    call, service, size = caller.call, caller.service, caller.size
    key, version = f"{size}-lapsing", f"lapsing:{size}"
    await datasets.register_version(
        service, datasets.RegisterVersion(key, Coverage.COMPLETE, posts=(f"{size}-author:5",))
    )
    await training.record_training(
        service, training.RecordTraining(key, (VersionRef(key, 1),), T0, model="lapsing", version=size)
    )
    await objections.file_objection(service, objections.FileObjection(key, f"{size}-author", T0))
    (flag,) = (await flags.list_flags(service, None, version, PAGE)).items
    await flags.resolve(service, flag.uid, FlagResolution.NOT_REQUIRED, replacement=None, justification="none")
    await call("withdraw_objection(of a resolved flag)", objections.withdraw_objection, key)


async def plan_retraining(caller: Caller) -> None:
    """A sharded run over ten posts of somebody who objects, and the next version of its dataset without them."""
    call, service, size = caller.call, caller.service, caller.size
    key, posted = f"{size}-planned", tuple(f"{size}-author:{number}" for number in range(2, 10))
    # One of its own, which nothing asks about: what is asked of a post reads all its memberships.
    staying = {"small": "post27", "large": "post57"}[size]
    for members_of in ((*posted, staying), (staying,)):
        await datasets.register_version(service, datasets.RegisterVersion(key, Coverage.COMPLETE, posts=members_of))
    started = T0 + 40 * DAY  # Nothing is wrong with the post that stays: the next version will do.
    ran = training.RecordTraining(key, (VersionRef(key, 1),), started, model="planned", version=size)
    await training.record_training(service, ran)
    await runs.record_sharding(service, key, ShardedTraining(Sharding(4, 2)))
    await objections.file_objection(service, objections.FileObjection(key, f"{size}-author", T0))
    answer = await call("retrainingPlan(of one)", plans.make_plan, f"planned:{size}")
    assert answer.plan.steps[0].shards is not None
    await call("retrainingPlan(of all)", plans.make_plan)
    await objections.withdraw_objection(service, key)


async def pass_the_gate(caller: Caller) -> None:
    """A dataset of a hundred posts that may be used, its runs from authorisation to their ends, and a build."""
    call, size = caller.call, caller.size
    ready = f"{size}-ready"
    objected = tuple(f"{size}-heavy:{number}" for number in range(20, 60))
    own = tuple(f"{size}-fresh:{number}" for number in range(100, 200))
    await datasets.register_version(caller.service, datasets.RegisterVersion(ready, Coverage.COMPLETE, posts=own))
    await datasets.register_version(
        caller.service, datasets.RegisterVersion(f"{ready}-not", Coverage.COMPLETE, posts=objected)
    )
    await call("ineligible_count", counts.ineligible_count, VersionRef(ready, 1), "AI_TRAINING")
    pure = training.RecordTraining(f"{size}-pure", (VersionRef("blind", 2),), T0, model="pure", version=size)
    await training.record_training(caller.service, pure)
    inputs = (VersionRef(ready, 1),)
    for end in ("complete", "fail", "cancel"):
        command = gate.AuthorizeTraining(f"{size}-{end}", inputs, (f"pure:{size}",))
        authorization = await call(f"authorize({end})", gate.authorize, command)
        assert authorization.run is not None, authorization
    refused = gate.AuthorizeTraining(f"{size}-refused", (VersionRef(f"{ready}-not", 1),))
    authorization = await call("authorize(refused)", gate.authorize, refused)
    assert authorization.refusals
    await call("start", gate.start, f"{size}-complete", None)
    await call("complete", gate.complete, gate.CompleteTraining(f"{size}-complete", "gated", size))
    await call("start(to fail)", gate.start, f"{size}-fail", None)
    await call("fail", gate.fail, f"{size}-fail", None, "no memory")
    await call("cancel", gate.cancel, f"{size}-cancel")
    await call("build(given up)", begin_building, build_of(size))
    await call("find_progress", builds.find_progress, VersionRef(f"{size}-built", 1))
    await call("build", builds.build, build_of(size))
    await call("bounds", bounds_of, f"{size}-heavy")


def build_of(size: str) -> builds.BuildVersion:
    selection = Selection(("GB",), platforms=tuple(platforms_of(size, "buildable")))
    return builds.BuildVersion(f"{size}-built", selection=selection)


async def begin_building(service: Service, command: builds.BuildVersion) -> None:
    """A build that fails once it has examined something, and gives its lease back."""

    class GivenUpError(Exception):
        pass

    def give_up(_examined: int, _taken: int) -> None:
        raise GivenUpError

    with pytest.raises(GivenUpError):
        await builds.build(service, command, give_up)


async def bounds_of(service: Service, person: str) -> None:
    """How a build parts what somebody wrote who wrote more than a page: nobody here did."""
    await service.graph.read(lambda tx: evaluation.bounds(tx, person, 500))


async def change_members(caller: Caller) -> None:
    """Facts about members of versions that runs read, before and after them, and policies that touch everybody."""
    call, record, size = caller.call, caller.record, caller.size
    keys = [f"{size}-fresh:{number}" for number in range(100, 200)]
    early = {"kind": "post_deleted", "valid_from": "2025-12-01T00:00:00Z"}
    await record("post_deleted(read by runs)", *(early | {"post": key} for key in keys[:10]))
    await record("post_deleted(read by runs, more)", *(early | {"post": key} for key in keys[10:20]))
    hidden = {"kind": "visibility", "visibility": "FRIENDS", "valid_from": AT}
    await record("visibility(of members)", *(hidden | {"post": key} for key in keys[20:30]))
    fresh = {"kind": "user", "key": f"{size}-fresh", "jurisdiction": "FR", "valid_from": AT}
    await record("user(whose posts are members)", fresh)
    violating = await flags.list_flags(caller.service, None, f"gated:{size}", PAGE)
    (flag,) = violating.items
    await call("cause_count(VIOLATION)", flags.cause_count, flag.uid, CauseKind.VIOLATION)
    await call("affected_post_count(VIOLATION)", flags.affected_post_count, flag, None)
    served = {"kind": "notice_served", "user": f"{size}-author", "notice": f"{size}-late", "version": 1}
    await record("notice_served(known by key)", served | {"served_at": AT})
    notice = {"kind": "notice", "key": f"{size}-late", "version": 1, "purpose": "AI_TRAINING", "channel": "IN_APP"}
    await record("notice(served before)", notice | {"published_at": AT})
    await call("refresh", counts.refresh, [VersionRef(f"{size}-ready", 1)], "AI_TRAINING")
    # The notice marked the dataset: before the seal its members are judged again, and what may not be used is dropped.
    await call("build(again)", builds.build, build_of(size))
    await concern_users(caller)


async def concern_users(caller: Caller) -> None:
    """What concerns whoever used a member: its author's age, an assessment that expired; and what that leaves."""
    call, record, size = caller.call, caller.record, caller.size
    fresh = f"{size}-fresh"
    minor = {"kind": "user", "key": fresh, "jurisdiction": "MT", "adult_from": "2040-01-01", "valid_from": LATER}
    await record("user(who is a minor)", minor)
    expired = {"kind": "policy", "key": f"{size}-expired", "version": 1, "jurisdiction": "MT", "purpose": "AI_TRAINING"}
    basis = {"lawful_basis": "LEGITIMATE_INTERESTS", "assessment": "lia", "assessment_expires": LATER}
    await record("policy(expired)", expired | basis | {"effective_from": AT})
    (flag,) = (await flags.list_flags(caller.service, None, f"gated:{size}", PAGE)).items
    await call("affected_post_count(broad causes)", flags.affected_post_count, flag, None)
    await call(
        "resolve(RETRAINED)", flags.resolve, flag.uid, FlagResolution.RETRAINED, replacement="m:3", justification=None
    )
    await record(
        "post_author(of a member)",
        {"kind": "post_author", "post": f"{fresh}:150", "author": "user7", "reason": "wrong"},
    )
    await call("sweep", sweep)
