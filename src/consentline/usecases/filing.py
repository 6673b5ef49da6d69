"""Objections filed: what restricts a person's posts, counts them and raises flags, in one short transaction.

What an objection rests on is read without any lock. The one statement that writes takes the guards and holds when all
of it is still so; otherwise, and where posts or runs are to be judged too, it is read again under the guards.
Objections that arrive together are filed together.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from consentline.domain.access import Role
from consentline.domain.causes import CauseFinder, Reach, ScopedPosts, claim_of
from consentline.domain.clock import due_at
from consentline.domain.errors import ConflictError, ConsentlineError
from consentline.domain.flags import Cause
from consentline.domain.instants import EVER, Instant
from consentline.domain.judgement import purposes_of
from consentline.domain.lineage import Lineage
from consentline.domain.objections import (
    Objection,
    ObjectionEvent,
    ObjectionEventKind,
    ObjectionStatus,
    check_receipt,
    check_scope,
)
from consentline.domain.people import PersonFacts, jurisdiction_at
from consentline.domain.violations import Readers
from consentline.graph import filing, objections, outbox, posts, upper
from consentline.graph.causes import Demand
from consentline.graph.facts import RacedError, forget_people, lock_people
from consentline.graph.filing import Filed, Seen
from consentline.graph.session import Tx, UnwrittenError
from consentline.graph.suppression import SuppressedError
from consentline.usecases import events, violations
from consentline.usecases.audit import Waiting, asked, decide_together, entries_of, mark_written
from consentline.usecases.counts import Restriction, restrict, settle_after
from consentline.usecases.service import Service
from consentline.usecases.suppression import busy, erased

_MOST_REPETITIONS = 20


@dataclass(frozen=True, slots=True)
class FileObjection:
    """An objection as it reached the controller; no platform named means all."""

    key: str
    user: str
    received_at: Instant
    purposes: tuple[str, ...] = ("AI_TRAINING",)
    platforms: tuple[str, ...] = ()
    channel: str | None = None

    def same_as(self, objection: Objection) -> bool:
        """Whether the recorded objection says the same."""
        return (
            (self.user, self.received_at, self.channel) == (objection.user, objection.received_at, objection.channel)
            and set(self.purposes) == set(objection.purposes)
            and set(self.platforms) == set(objection.platforms)
        )


@dataclass(frozen=True, slots=True)
class Request:
    """An objection to be filed, who recorded it, and the entry that the audit waits for."""

    command: FileObjection
    by: str
    entry: Waiting | None


Answer = tuple[Objection, bool]


async def file_objection(service: Service, command: FileObjection, *, by: str = Role.SERVICE) -> Answer:
    """Record an objection, restrict the person's posts and raise the flags that it demands, in one transaction.

    Anybody's is accepted, recorded before or not (Art. 21(1)). Answers the objection and whether it is new: repeating
    it with the same key and content changes nothing. `by` tells the history who recorded it: a role, or BY_RECORD.

    Raises:
        InvalidInputError: no purpose, a purpose or platform that is no code, or received more than 24 hours ahead.
        ConflictError: the key stands for another objection.
        StateError: the person was erased.
    """
    check_scope(command.purposes, command.platforms)
    request = Request(command, by, asked())
    return await service.filings.ask(request, lambda requests: _file_together(service, requests), _person)


def _person(request: Request) -> str:
    return request.command.user


async def _file_together(service: Service, requests: Sequence[Request]) -> Sequence[Answer | Exception]:
    """File objections of different people: at once those that can be, then the others under the guards."""
    try:
        answers = await _file_at_once(service, requests)
    except (RacedError, UnwrittenError):
        answers = dict[str, Answer | Exception]()
    left = [each for each in requests if each.command.user not in answers]
    if left:
        answers |= await _file_under_guard(service, left)
    return [answers[each.command.user] for each in requests]


async def _file_at_once(service: Service, requests: Sequence[Request]) -> dict[str, Answer | Exception]:
    """File in one statement, if everything is still as it was read without a lock; the answers by person.

    Left out are repeats, refusals, people who are new, and objections for which more is to be judged or told.
    """
    people = [each.command.user for each in requests]
    seen = await service.graph.read(lambda tx: filing.see(tx, people, _keys(service, requests)))
    batch = _Batch(service, await service.lineages.at(seen.revision), seen)
    # What a later revision sealed may hold posts in versions that were not looked at.
    if seen.recipients or seen.existing or batch.lineage.revision != seen.revision:
        return {}
    plain = [each for each in requests if batch.is_plain(each.command)]
    if not plain:
        return {}
    filed = batch.filed(plain)
    waiting = [each.entry for each in plain]
    entries = entries_of(waiting, [(each.objection, True) for each in filed])
    keys = _keys(service, plain)
    now = await service.graph.write_at_once(lambda tx: filing.file(tx, seen.revision, keys, filed, entries))
    answers = [(_recorded(each, now), True) for each in filed]
    mark_written(waiting, answers)
    return {objection.user: (objection, new) for objection, new in answers}


async def _file_under_guard(service: Service, requests: Sequence[Request]) -> dict[str, Answer | Exception]:
    """File in one transaction that takes the guards first, again where others got in between; the answers by person."""
    answers: dict[str, Answer | Exception] = {}
    for _ in range(_MOST_REPETITIONS):
        left = [each for each in requests if each.command.user not in answers]
        if not left:
            return answers
        alone = len(left) == 1
        try:
            found = await decide_together(
                service, lambda tx, left=left: _file_guarded(tx, service, left), [each.entry for each in left]
            )
        except _NothingFiledError as error:
            found = error.answers
        except RacedError:
            continue
        except SuppressedError as error:
            answers |= dict.fromkeys(error.people, erased("user"))
            continue
        answers |= dict(zip((each.command.user for each in left), found, strict=True))
        if alone:
            return answers
        for request in left:
            if isinstance(answers[request.command.user], _AloneError):
                answers |= await _file_under_guard(service, [request])
        return answers
    raise busy()


class _AloneError(Exception):
    """More is to be judged for the objection than is done for several together."""


class _NothingFiledError(Exception):
    """Everything was refused, or recorded before: the transaction leaves nothing behind, nor people whom it locked."""

    def __init__(self, answers: Sequence[Answer | Exception]) -> None:
        super().__init__("nothing is to be filed")
        self.answers = answers


async def _file_guarded(tx: Tx, service: Service, requests: Sequence[Request]) -> list[Answer | Exception]:
    people = [each.command.user for each in requests]
    locked = await lock_people(tx, service.pseudonyms, people)
    lineage = await service.lineages.at(await upper.lock(tx), tx)
    seen = await filing.see(tx, people, _keys(service, requests))
    batch = _Batch(service, lineage, seen)
    answers = await _refused_or_repeated(tx, service, requests, seen)
    left = [each for each in requests if each.command.user not in answers]
    special = [each for each in left if not batch.is_plain(each.command)]
    if len(requests) == 1 and special:
        return [(await _file_special(tx, batch, special[0]), True)]
    answers |= {each.command.user: _AloneError() for each in special}
    filed = batch.filed([each for each in left if each.command.user not in answers])
    if not filed:
        raise _NothingFiledError([answers[person] for person in people])
    if unused := locked.created & answers.keys():
        await forget_people(tx, unused)
    now = await filing.file(tx, lineage.revision, _keys(service, left), filed)
    for made in (_recorded(each, now) for each in filed):
        if seen.recipients:
            told = await events.notices_of_objection(tx, service, ObjectionEventKind.FILED, made)
            await outbox.append(tx, told, now)
        answers[made.user] = (made, True)
    return [answers[person] for person in people]


async def _refused_or_repeated(
    tx: Tx, service: Service, requests: Sequence[Request], seen: Seen
) -> dict[str, Answer | Exception]:
    """The answers to what is recorded already, and to what may not be, by person."""
    recorded = await objections.find_all(tx, sorted(seen.existing)) if seen.existing else []
    existing = {each.key: each for each in recorded}
    answers: dict[str, Answer | Exception] = {}
    for command in (each.command for each in requests):
        keys = service.pseudonyms.either("Objection", command.key)
        found = [existing[key] for key in keys if key in existing]
        try:
            if found:
                answers[command.user] = _repeated(command, found[0])
            else:
                check_receipt(command.received_at, seen.instant)
        except ConsentlineError as error:
            answers[command.user] = error
    return answers


async def _file_special(tx: Tx, batch: "_Batch", request: Request) -> Objection:
    """File one for which posts and runs are judged before and after; posts are named where a run may have read them."""
    command, user, service, lineage = request.command, request.command.user, batch.service, batch.lineage
    since = batch.since(command)
    named = bool(Readers(lineage, since))
    many = batch.seen.claimants[user].many
    restriction = Restriction(user, command.purposes, command.platforms)
    written = list[ScopedPosts]()
    if many:
        written = await restrict(tx, lineage, restriction, named=named)
    scoped = [*written, *await objections.scoped_posts(tx, [user], named=named, written=not many)]
    uses = await violations.begin_scoped(tx, lineage, scoped, since)
    authors = await posts.person_facts(tx, sorted({user, *(group.author for group in scoped)}))
    filed = batch.decided(request, batch.finder(authors), scoped)
    now = await filing.file(tx, lineage.revision, _keys(service, [request]), [filed], tell_flags=False)
    made = _recorded(filed, now)
    if batch.seen.recipients:
        await outbox.append(tx, await events.notices_of_objection(tx, service, ObjectionEventKind.FILED, made), now)
    concerned = await settle_after(tx, service, restriction, now)
    changed = {cause.model for cause in filed.causes}
    await violations.end(tx, service, lineage, uses, now, concerned, changed=changed)
    return made


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is decided about objections of different people, from what was seen of them."""

    service: Service
    lineage: Lineage
    seen: Seen

    def is_plain(self, command: FileObjection) -> bool:
        """Whether the person is recorded, no post of others depicts them and no run that started since read theirs.

        Nor may they have very many posts, or it be refused.
        """
        claimant = self.seen.claimants.get(command.user)
        if claimant is None or claimant.depicted or claimant.many:
            return False
        try:
            check_receipt(command.received_at, self.seen.instant)
        except ConsentlineError:
            return False
        runs = Readers(self.lineage, self.since(command))
        return not (runs and any(runs.of(each.memberships) for each in claimant.written))

    def since(self, command: FileObjection) -> Instant:
        """Since when the objection is in force, or a little earlier: before it is recorded."""
        return min(command.received_at, self.seen.instant)

    def finder(self, authors: Mapping[str, PersonFacts]) -> CauseFinder:
        """What finds causes, from the facts of whoever wrote posts in scope."""
        return CauseFinder(self.lineage.policies, authors, Reach(self.lineage))

    def filed(self, requests: Sequence[Request]) -> list[Filed]:
        """The plain ones as they are to be written."""
        claimants = self.seen.claimants
        finder = self.finder({key: each.person for key, each in claimants.items()})
        return [self.decided(each, finder, claimants[each.command.user].written) for each in requests]

    def decided(self, request: Request, finder: CauseFinder, scoped: Collection[ScopedPosts]) -> Filed:
        """One as it is to be written."""
        command, claimant = request.command, self.seen.claimants[request.command.user]
        place = jurisdiction_at(claimant.person, command.received_at, EVER)
        objection = Objection(
            key=command.key,
            user=command.user,
            status=ObjectionStatus.PENDING,
            purposes=tuple(dict.fromkeys(command.purposes)),
            platforms=tuple(dict.fromkeys(command.platforms)),
            channel=command.channel,
            received_at=command.received_at,
            recorded_at=self.seen.instant,
            due_at=due_at(command.received_at, place, self.service.establishment),
            extended_to=None,
            decided_at=None,
            grounds=None,
        )
        claim = claim_of(objection)
        causes = {
            Cause(model, claim.source, kind): Demand(count, claim.deadline)
            for (model, kind), count in finder.causes(claim, scoped).items()
        }
        restricts = sorted(set(objection.purposes) & set(purposes_of(self.lineage.policies)))
        event = events.event_of_objection(self.service, ObjectionEventKind.FILED, objection)
        return Filed(objection, request.by, claimant.state, restricts, causes, event)


def _keys(service: Service, requests: Sequence[Request]) -> list[str]:
    return [key for each in requests for key in service.pseudonyms.either("Objection", each.command.key)]


def _repeated(command: FileObjection, existing: Objection) -> Answer:
    if command.same_as(existing):
        return existing, False
    raise ConflictError(
        "an objection of this key is recorded with other content", code="OBJECTION_CONFLICT", path=("key",)
    )


def _recorded(filed: Filed, now: Instant) -> Objection:
    objection = filed.objection
    event = ObjectionEvent(ObjectionEventKind.FILED, objection.received_at, now, filed.by)
    return replace(objection, recorded_at=now, history=(event,))
