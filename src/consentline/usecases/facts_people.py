"""Recording what is said of people: who they are, what they were told, what they said."""

from collections.abc import Sequence

from msgspec import UNSET

from consentline.domain.errors import ConflictError
from consentline.domain.instants import ALWAYS, Instant, from_datetime
from consentline.domain.records import ConsentSaid, NoticeServed, User
from consentline.graph import facts, facts_people, upper
from consentline.graph.facts_people import ConsentKey, FactKey, ServingKey
from consentline.graph.session import Tx
from consentline.usecases.members import Outcome
from consentline.usecases.rejudging import of_people
from consentline.usecases.service import Service


async def record_users(tx: Tx, service: Service, records: Sequence[User]) -> list[Outcome]:
    """Record jurisdictions and adulthoods; a record that says nothing new about a recorded person changes nothing."""
    locked = await facts.lock_people(tx, service.pseudonyms, {record.key for record in records})
    known = await facts_people.facts(tx, locked.people)
    unseen = set(locked.created)
    new: dict[FactKey, str | None] = {}
    outcomes: list[Outcome] = []
    for record in records:
        said = _said(record)
        conflict = next((key[1] for key, value in said.items() if key in known and known[key] != value), None)
        if conflict is not None:
            message = f"the person is recorded with another {conflict} from then on; the first stays"
            outcomes.append(ConflictError(message, path=(conflict,)))
            continue
        fresh = {key: value for key, value in said.items() if key not in known}
        outcomes.append(bool(fresh) or record.key in unseen)
        unseen.discard(record.key)
        known |= fresh
        new |= fresh
    if not new:
        if locked.created:
            await upper.recording_time(tx)
        return outcomes
    # A jurisdiction decides about the flags of the objections of those whom the person's posts depict, too. They are
    # not locked here; the upper graph's guard, under which objections are recorded, keeps us from missing each other.
    moved = {person for person, name, _ in new if name == "jurisdiction"} - locked.created
    concerned = set[str]()
    if moved and (moved & locked.objecting or await facts_people.have_posts(tx, moved)):
        await upper.lock(tx)
        concerned = moved & locked.objecting | await facts_people.depicted_objectors(tx, moved)
    since = min(valid_from for _, _, valid_from in new)
    people = {person for person, _, _ in new} - locked.created
    rejudging = await of_people(tx, service, people, since, alone=len(records) == 1)
    now = await upper.recording_time(tx)
    await facts_people.add_facts(tx, new, now)
    await rejudging.end(tx, service, now, concerned)
    return outcomes


def _said(record: User) -> dict[FactKey, str | None]:
    valid_from = ALWAYS if record.valid_from is None else from_datetime(record.valid_from)
    said: dict[FactKey, str | None] = {}
    if record.jurisdiction is not UNSET:
        said[(record.key, "jurisdiction", valid_from)] = record.jurisdiction
    if record.adult_from is not UNSET:
        adult_from = None if record.adult_from is None else record.adult_from.isoformat()
        said[(record.key, "adult_from", valid_from)] = adult_from
    return said


async def record_consents(tx: Tx, service: Service, records: Sequence[ConsentSaid]) -> list[Outcome]:
    """Record what people said where the lawful basis is consent."""
    locked = await facts.lock_people(tx, service.pseudonyms, {record.user for record in records})
    known = await facts_people.consents(tx, locked.people)
    new: list[ConsentKey] = []
    outcomes: list[Outcome] = []
    for record in records:
        said = (record.user, record.purpose, str(record.status), from_datetime(record.valid_from))
        outcomes.append(said not in known)
        if said not in known:
            known.add(said)
            new.append(said)
    if new:
        people = {person for person, _, _, _ in new} - locked.created
        since = min(valid_from for _, _, _, valid_from in new)
        rejudging = await of_people(tx, service, people, since, alone=len(records) == 1)
        now = await upper.recording_time(tx)
        await facts_people.add_consents(tx, new, now)
        await rejudging.end(tx, service, now)
    return outcomes


async def record_servings(tx: Tx, service: Service, records: Sequence[NoticeServed]) -> list[Outcome]:
    """Record which notices reached people; when one was seen may be said later, and only once."""
    locked = await facts.lock_people(tx, service.pseudonyms, {record.user for record in records})
    known = await facts_people.servings(tx, locked.people)
    new: dict[ServingKey, Instant | None] = {}
    seen: dict[ServingKey, Instant] = {}
    outcomes: list[Outcome] = []
    for record in records:
        key = ServingKey(record.user, record.notice, record.version, from_datetime(record.served_at))
        seen_at = None if record.seen_at is None else from_datetime(record.seen_at)
        if key not in known:
            known[key] = new[key] = seen_at
            outcomes.append(True)
        elif seen_at is None or known[key] == seen_at:
            outcomes.append(False)
        elif known[key] is not None:
            message = "the notice is recorded as seen at another time; the first stays"
            outcomes.append(ConflictError(message, path=("seen_at",)))
        else:
            known[key] = seen_at
            (new if key in new else seen)[key] = seen_at
            outcomes.append(True)
    if new:
        people = {key.user for key in new} - locked.created
        since = min(key.served_at for key in new)
        rejudging = await of_people(tx, service, people, since, alone=len(records) == 1)
        now = await upper.recording_time(tx)
        await facts_people.add_servings(tx, new, now)
        await rejudging.end(tx, service, now)
    if seen:
        await facts_people.add_seen(tx, seen, await upper.recording_time(tx))
    return outcomes
