"""Examining what is stored: whether the graph says the same wherever it says a thing twice.

Counts against memberships and judgements, flags against their causes, memberships against each other, and what was
sealed or started against the objections that were recorded by then. Nothing is changed. A fact that is recorded
meanwhile may look like a finding, so whatever is found is looked at once more before it is told.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from consentline.domain.datasets import Coverage, VersionStatus
from consentline.domain.eligibility import Reason, evaluate
from consentline.domain.findings import Finding
from consentline.domain.flags import FlagStatus, Source, SourceKind
from consentline.domain.instants import ALWAYS, EVER, Instant
from consentline.domain.lineage import Lineage
from consentline.graph import causes, concerns, counts, doctor, erasures, evaluation, objections, posts, upper
from consentline.graph.doctor import StoredFlag
from consentline.graph.session import Tx
from consentline.usecases import doctor_records
from consentline.usecases import evaluation as judging
from consentline.usecases.causes import Concerned, reconcile
from consentline.usecases.evaluation import Judged
from consentline.usecases.service import Service

Report = Callable[[str], None]
"""Told what is being examined, for whoever waits."""

_SHARDS_AT_ONCE = 20
_FLAGS_AT_ONCE = 500
_OBJECTIONS_AT_ONCE = 200
_POSTS_AT_ONCE = 1_000
_LOOKS = 2
_RECORDS = {
    "events": doctor_records.events,
    "deliveries": doctor_records.deliveries,
    "erasures": doctor_records.erasures,
    "the audit": doctor_records.entries,
}
_RESTRICTED = {Reason.OBJECTION_PENDING, Reason.OBJECTED, Reason.THIRD_PARTY_OBJECTED}


async def examine(service: Service, report: Report | None = None) -> list[Finding]:
    """Everything that is wrong in the graph, sorted; nothing when it is sound.

    It goes through all members, flags and objections: minutes for millions.
    """
    suspected: set[Finding] | None = None
    for _ in range(_LOOKS):
        found = {each async for each in _examine(service, report or _silent)}
        suspected = found if suspected is None else suspected & found
        if not suspected:
            break
    return sorted(suspected or ())


def _silent(_what: str) -> None:
    pass


async def _examine(service: Service, report: Report) -> AsyncGenerator[Finding]:
    lineage = await service.lineage()
    for dataset in sorted(lineage.numbers):
        report(f"members of {dataset}")
        for check in (_counts, _intervals, _judgements):
            async with aclosing(check(service, lineage, dataset)) as findings:
                async for finding in findings:
                    yield finding
    report("retraining flags")
    async for finding in _flags(service):
        yield finding
    report("causes")
    async for finding in _causes(service, lineage):
        yield finding
    report("objections")
    async for finding in _objections(service, lineage):
        yield finding
    for what, check in _RECORDS.items():
        report(what)
        async with aclosing(check(service)) as findings:
            async for finding in findings:
                yield finding


# ---- members ------------------------------------------------------------------------------------


async def _counts(service: Service, _lineage: Lineage, dataset: str) -> AsyncGenerator[Finding]:
    """A tally is what the marks of members say: +1 where an interval begins, -1 where it ends."""
    wanted: Counter[tuple[str, int]] = Counter()
    async for shards in _shards(service, dataset):
        for each in await service.graph.read(lambda tx, shards=shards: doctor.counted(tx, shards)):
            wanted[each.purpose, each.begin] += each.posts
            if each.end is not None:
                wanted[each.purpose, each.end] -= each.posts
    stored: Counter[tuple[str, int]] = Counter()
    for key, deltas in (await service.graph.read(lambda tx: counts.tallies(tx, dataset))).items():
        for number, delta in enumerate(deltas, 1):
            stored[key.purpose, number] += delta
    for purpose, number in sorted(wanted.keys() | stored.keys()):
        if wanted[purpose, number] != stored[purpose, number]:
            told = f"{stored[purpose, number]:+} stored for {purpose}, {wanted[purpose, number]:+} by its members"
            yield Finding("counts", f"{dataset}:{number}", told)


async def _intervals(service: Service, lineage: Lineage, dataset: str) -> AsyncGenerator[Finding]:
    """The memberships of a post do not overlap, and begin and end at versions that have a manifest."""
    versions = [each for each in lineage.versions.values() if each.dataset == dataset]
    # A version that is BUILDING already marks what changes with it.
    numbers = [each.number for each in versions if each.coverage is Coverage.COMPLETE]
    found: Counter[str] = Counter()
    async for shards in _shards(service, dataset):
        found.update(await service.graph.read(lambda tx, shards=shards: doctor.wrong_intervals(tx, shards, numbers)))
    for what, times in sorted(found.items()):
        yield Finding("intervals", dataset, f"{what} ({times})")


async def _judgements(service: Service, lineage: Lineage, dataset: str) -> AsyncGenerator[Finding]:
    """What is remembered of a member is what it is judged now, unless it is known to be due."""
    now = (await service.graph.read(upper.now)).instant
    mark = await service.graph.read(lambda tx: counts.unjudged(tx, dataset))
    wrong = 0
    async with aclosing(judging.of_dataset(service, lineage, dataset, at=now)) as pages:
        async for page in pages:
            wrong += sum(
                _is_wrong(each, frozenset(mark.purposes) if mark is not None else frozenset(), now) for each in page
            )
    if wrong:
        yield Finding("judgements", dataset, f"members are marked otherwise than they are judged now ({wrong})")


def _is_wrong(member: Judged, unjudged: frozenset[str], now: Instant) -> bool:
    judged, stored = member.judgement, member.stored
    if stored.recheck_at is not None and stored.recheck_at <= now:
        return False
    differing = set(judged.ineligible) ^ set(stored.ineligible)
    return bool(differing - unjudged) or (judged.concerns != stored.concerns and not unjudged)


async def _shards(service: Service, dataset: str) -> AsyncGenerator[list[str]]:
    after: str | None = None
    while True:
        listed = await service.graph.read(
            lambda tx, after=after: evaluation.shards(tx, dataset, after, _SHARDS_AT_ONCE)
        )
        if not listed:
            return
        after = listed[-1].key
        yield [shard.key for shard in listed]


# ---- flags --------------------------------------------------------------------------------------


async def _flags(service: Service) -> AsyncGenerator[Finding]:
    """A model version has one open flag, that its standing causes hold open, due when the earliest of them is."""
    after: tuple[Instant, str] = (ALWAYS, "")
    unresolved: Counter[str] = Counter()
    while found := await service.graph.read(lambda tx, after=after: doctor.flags(tx, after, _FLAGS_AT_ONCE)):
        after = (found[-1].raised_at, found[-1].uid)
        for flag in found:
            unresolved[flag.model] += flag.status != FlagStatus.RESOLVED
            for message in _wrong_with(flag):
                yield Finding("flags", flag.model, message)
    for model, flags in sorted(unresolved.items()):
        if flags > 1:
            yield Finding("flags", model, f"{flags} flags are not resolved")


def _wrong_with(flag: StoredFlag) -> Iterator[str]:
    resolved = flag.status == FlagStatus.RESOLVED
    if flag.models != 1:
        yield "a flag does not point to its model version"
    if (flag.open_for is None) != resolved or flag.open_for not in (None, flag.model):
        yield f"a flag that is {flag.status} is held open for {flag.open_for or 'nothing'}"
    if resolved:
        return
    if flag.causes == 0:
        yield "an open flag has no cause"
    elif flag.earliest != flag.due_at:
        yield "a flag is not due when the earliest of its causes is"
    if flag.unlisted:
        yield f"causes are not listed under the flag that they hold open ({flag.unlisted})"


# ---- objections -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Moment:
    """What was decided when: a sealed build or a gated start, for a purpose, over versions of datasets."""

    subject: str
    purpose: str
    at: Instant
    message: str


async def _objections(service: Service, lineage: Lineage) -> AsyncGenerator[Finding]:
    """Each objection gives the causes that it must, and kept posts out of what was built or read after it."""
    moments = _moments(lineage)
    found: Counter[_Moment] = Counter()
    after = ""
    while listed := await service.graph.read(lambda tx, after=after: doctor.objectors(tx, after, _OBJECTIONS_AT_ONCE)):
        after = listed[-1][0]
        people = sorted({user for _, user in listed})
        for finding in await _causes_of(service, Concerned(people=set(people))):
            yield finding
        found.update(await _restricted_of(service, lineage, moments, people))
    for moment in sorted(found, key=lambda each: (each.subject, each.message)):
        yield Finding("restricted", moment.subject, moment.message)


async def _causes(service: Service, lineage: Lineage) -> AsyncGenerator[Finding]:
    """Runs, expired assessments, erasures, and what concerns whatever used it, give the causes that they must."""
    now = (await service.graph.read(upper.now)).instant
    expired = {policy.ref for policy in lineage.policies if policy.assessment_expired(now)}
    for finding in await _causes_of(service, Concerned(runs=set(lineage.runs), policies=expired)):
        yield finding
    erased = await service.graph.read(erasures.live_people)
    for begin in range(0, len(erased), _OBJECTIONS_AT_ONCE):
        for finding in await _causes_of(service, Concerned(people=set(erased[begin : begin + _OBJECTIONS_AT_ONCE]))):
            yield finding
    posts = await service.graph.read(lambda tx: concerns.of_datasets(tx, lineage.numbers))
    for begin in range(0, len(posts), _POSTS_AT_ONCE):
        batch = posts[begin : begin + _POSTS_AT_ONCE]
        authors = await service.graph.read(lambda tx, batch=batch: concerns.authors(tx, batch))
        for finding in await _causes_of(service, Concerned(posts=set(batch), authors=set(authors))):
            yield finding


class _NotKeptError(Exception):
    """Ends a transaction whose writes only showed what bringing causes in line would change."""

    def __init__(self, models: set[str]) -> None:
        self.models = models


async def _causes_of(service: Service, concerned: Concerned) -> list[Finding]:
    """Bringing the causes in line with the facts once more changes nothing; it is tried, and never committed."""

    async def work(tx: Tx) -> None:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        filed = await objections.of_people(tx, sorted(concerned.people))
        sources = [Source(SourceKind.OBJECTION, each.key) for each in filed]
        requested = await erasures.of_people(tx, sorted(concerned.people))
        sources += [Source(SourceKind.ERASURE, each.key) for each in requested]
        sources += [Source(SourceKind.TRAINING_RUN, run) for run in concerned.runs]
        sources += [Source(SourceKind.POST, post) for post in concerned.posts]
        sources += [Source(SourceKind.USER, author) for author in concerned.authors]
        sources += [Source(SourceKind.POLICY, *policy) for policy in concerned.policies]
        before = {(each.cause, each.demand) for each in await causes.of_sources(tx, sources)}
        await reconcile(tx, service, lineage, await upper.recording_time(tx), concerned)
        after = {(each.cause, each.demand) for each in await causes.of_sources(tx, sources)}
        raise _NotKeptError({cause.model for cause, _ in before ^ after})

    try:
        await service.graph.write(work)
    except _NotKeptError as tried:
        message = "causes are not those that the facts demand"
        return [Finding("causes", model, message) for model in sorted(tried.models)]
    return []


def _moments(lineage: Lineage) -> dict[tuple[str, int], list[_Moment]]:
    """The moments by the version that they speak of."""
    moments: dict[tuple[str, int], list[_Moment]] = {}
    for version in lineage.versions.values():
        if version.build is not None and version.status is not VersionStatus.BUILDING and version.sealed_at is not None:
            message = "a built version holds posts under an objection recorded before its seal"
            moment = _Moment(str(version.ref), version.build.purpose, version.sealed_at, message)
            moments.setdefault(version.ref, []).append(moment)
    for run in lineage.runs.values():
        if run.gated and run.started_at is not None:
            message = "a run started on posts under an objection recorded before its start"
            for ref in run.inputs:
                moment = _Moment(run.key, run.purpose or "AI_TRAINING", run.recorded_at, message)
                moments.setdefault(ref, []).append(moment)
    return moments


async def _restricted_of(
    service: Service, lineage: Lineage, moments: dict[tuple[str, int], list[_Moment]], people: Sequence[str]
) -> Counter[_Moment]:
    scoped = await service.graph.read(lambda tx: objections.scoped_posts(tx, list(people), named=True))
    asked: dict[str, set[_Moment]] = {}
    for group in scoped:
        held = lineage.holding(group.memberships, EVER)
        those = {moment for ref in held for moment in moments.get(ref, ())}
        if those:
            asked.update(dict.fromkeys(group.keys, those))
    found: Counter[_Moment] = Counter()
    ordered = sorted(asked)
    for begin in range(0, len(ordered), _POSTS_AT_ONCE):
        keys = ordered[begin : begin + _POSTS_AT_ONCE]
        facts = await service.graph.read(lambda tx, keys=keys: posts.facts(tx, keys))
        for key in keys:
            for moment in asked[key]:
                judged = evaluate(
                    facts[key], lineage.policies, purpose=moment.purpose, at=moment.at, known_at=moment.at
                )
                found[moment] += bool(_RESTRICTED & set(judged.reasons))
    return +found
