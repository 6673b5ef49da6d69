"""Recording what is said of posts: the post itself, its author corrected, its visibility, its deletion."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from consentline.domain.errors import ConflictError
from consentline.domain.instants import ALWAYS, Instant, from_datetime
from consentline.domain.pseudonyms import is_digest
from consentline.domain.records import AuthorCorrection, Deletion, Post, VisibilityChange
from consentline.graph import facts, facts_posts, suppression, upper
from consentline.graph.facts import LockedPeople, UnlockedPeopleError
from consentline.graph.facts_posts import Change, PostState
from consentline.graph.session import Tx
from consentline.graph.suppression import SuppressedError
from consentline.usecases.members import Outcome
from consentline.usecases.rejudging import Rejudging, of_posts, take_guard
from consentline.usecases.service import Service


async def record_posts(tx: Tx, service: Service, records: Sequence[Post], more_people: frozenset[str]) -> list[Outcome]:
    """Record posts, those of one key one after the other.

    The people of all records are locked before any post is read, so that a post and an objection of the same person
    never miss each other; the guard of the upper graph is taken only when somebody who objects is concerned.
    """
    locked = await facts.lock_people(tx, service.pseudonyms, _named(records) | more_people)
    keys = {record.key: None for record in records}
    before = await facts_posts.states(tx, keys)
    _refuse_erased(before)
    outcomes, after, new = _decide(records, before)
    changed = [key for key, state in after.items() if key not in new and state != before[key]]
    rejudging = Rejudging()
    if changed:
        guarded = await take_guard(tx, changed)
        # Read without a lock so far. What stays as it is stays; the rest is decided again under the posts' locks.
        concerned = await _lock_changed(tx, locked, before, after, changed)
        before = await facts_posts.states(tx, keys)
        _refuse_erased(before)
        outcomes, after, new = _decide(records, before)
        changed = [key for key, state in after.items() if key not in new and state != before[key]]
        tied = _tied(before, after, changed)
        _require_locked(locked, tied)
        if not tied & locked.objecting <= concerned:
            raise facts.RacedError
        rejudging = await of_posts(tx, service, changed, ALWAYS, guarded=guarded or bool(concerned))
    else:
        concerned = set[str]()
    if new or changed:
        now = await upper.recording_time(tx)
        await _write_new(tx, service, new, after, now)
        if changed:
            await _write_changed(tx, [(before[key], after[key]) for key in changed], now)
        await rejudging.end(tx, service, now, concerned)
    if any(isinstance(outcome, ConflictError) for outcome in outcomes):
        await _forget_unused(tx, locked, records, outcomes)
    return outcomes


async def record_unseen_posts(
    tx: Tx, service: Service, records: Sequence[Post], more_people: frozenset[str]
) -> list[Outcome]:
    """Record posts of which none is recorded yet, without looking; the uniqueness of keys finds out where one is.

    Raises:
        RacedError: one is; nothing of this transaction may stay.
    """
    locked = await facts.lock_people(tx, service.pseudonyms, _named(records) | more_people)
    outcomes, after, new = _decide(records, {})
    await _write_new(tx, service, new, after, await upper.recording_time(tx))
    if any(isinstance(outcome, ConflictError) for outcome in outcomes):
        await _forget_unused(tx, locked, records, outcomes)
    return outcomes


def _named(records: Sequence[Post]) -> set[str]:
    people = {record.author for record in records}
    for record in records:
        if record.depicts:
            people.update(record.depicts)
    return people


async def record_corrections(
    tx: Tx, service: Service, records: Sequence[AuthorCorrection], more_people: frozenset[str]
) -> list[Outcome]:
    """Record who really wrote posts: from now on the facts and objections of the new author govern."""
    locked = await facts.lock_people(tx, service.pseudonyms, {record.author for record in records} | more_people)
    keys = {record.post for record in records}
    before = await facts_posts.states(tx, keys)
    _refuse_erased(before)
    tied = set[str]().union(*(state.tied for state in before.values()))
    _require_locked(locked, tied)
    concerned = (tied | {record.author for record in records}) & locked.objecting
    guarded = await take_guard(tx, keys) or bool(concerned)
    if concerned:
        await upper.lock(tx)
    await facts.ensure_posts(tx, service.pseudonyms, keys)
    before = await facts_posts.states(tx, keys)
    _refuse_erased(before)
    _require_locked(locked, set[str]().union(*(state.tied for state in before.values())))
    outcomes: list[Outcome] = []
    said: dict[str, list[tuple[str, str]]] = {}
    for record in records:
        correction = (record.author, record.reason)
        known = before[record.post].corrections
        outcomes.append(correction not in known)
        if correction not in known:
            known.add(correction)
            said.setdefault(record.post, []).append(correction)
    if said:
        rejudging = await of_posts(tx, service, said, ALWAYS, guarded=guarded)
        now = await upper.recording_time(tx)
        await facts_posts.end_authors(tx, said, now)
        rows: list[tuple[str, str, str | None, Instant | None]] = [
            (post, author, reason, None if position == len(corrections) else now)
            for post, corrections in said.items()
            for position, (author, reason) in enumerate(corrections, 1)
        ]
        await facts_posts.link_authors(tx, rows, now)
        await rejudging.end(tx, service, now, concerned)
    return outcomes


async def record_changes(tx: Tx, service: Service, records: Sequence[VisibilityChange | Deletion]) -> list[Outcome]:
    """Record changes of visibility and deletions, also of posts that no record describes yet."""
    changes: list[Change] = [
        (record.post, "visibility", record.visibility, from_datetime(record.valid_from))
        if isinstance(record, VisibilityChange)
        else (record.post, "deleted", None, from_datetime(record.valid_from))
        for record in records
    ]
    posts = {change[0] for change in changes}
    guarded = await take_guard(tx, posts)
    await facts.ensure_posts(tx, service.pseudonyms, posts)
    await suppression.check_authors(tx, posts)
    known = await facts_posts.changes(tx, posts)
    outcomes: list[Outcome] = []
    new: list[Change] = []
    for change in changes:
        outcomes.append(change not in known)
        if change not in known:
            known.add(change)
            new.append(change)
    if new:
        # A post has its visibility from its publication on, also for a run that started before.
        since = min(valid_from if field == "deleted" else ALWAYS for _, field, _, valid_from in new)
        rejudging = await of_posts(tx, service, {change[0] for change in new}, since, guarded=guarded)
        now = await upper.recording_time(tx)
        await facts_posts.add_changes(tx, new, now)
        await rejudging.end(tx, service, now)
    return outcomes


def _refuse_erased(before: Mapping[str, PostState]) -> None:
    """Return when nobody who is being erased wrote the posts, whose own keys stand there until their turn comes.

    Raises:
        SuppressedError: naming those that are to be erased.
    """
    erased = {key for key, state in before.items() if state.author is not None and is_digest(state.author)}
    if erased:
        raise SuppressedError(posts=erased)


_IMMUTABLE = (
    ("author", "described_by"),
    ("platform", "platform"),
    ("post_kind", "kind"),
    ("visibility", "visibility"),
    ("published_at", "published_at"),
)


def _decide(
    records: Sequence[Post], before: dict[str, PostState]
) -> tuple[list[Outcome], dict[str, PostState], dict[str, Post]]:
    """What becomes of each record, the states afterwards, and the records whose keys were new.

    A new post has a state only when several records speak of it: nearly all do not, and this is the hot path.
    """
    after = {key: replace(state, corrections=set(state.corrections)) for key, state in before.items()}
    new: dict[str, Post] = {}
    outcomes: list[Outcome] = []
    for record in records:
        key = record.key
        state = after.get(key)
        if state is None:
            first = new.setdefault(key, record)
            if first is record:
                outcomes.append(True)
                continue
            state = after[key] = PostState(key)
            _say(state, first)
        outcomes.append(_say(state, record))
    return outcomes, after, new


def _say(state: PostState, record: Post) -> Outcome:
    """Let a record change the state that it speaks of; a conflict changes nothing."""
    published_at = from_datetime(record.published_at)
    if not state.described:
        state.described = True
        state.described_by = record.author
        state.author = state.author or record.author
        state.platform, state.kind, state.visibility = record.platform, record.post_kind, record.visibility
        state.published_at, state.digest = published_at, record.content_digest
        state.special_category = record.special_category
        state.depicts = frozenset(record.depicts or ())
        return True
    for name, attribute in _IMMUTABLE:
        said = published_at if name == "published_at" else getattr(record, name)
        if getattr(state, attribute) != said:
            return _conflict(name)
    if record.content_digest is not None and state.digest not in (None, record.content_digest):
        return _conflict("content_digest")
    changed = False
    if record.content_digest is not None and state.digest is None:
        state.digest, changed = record.content_digest, True
    if record.depicts is not None and frozenset(record.depicts) != state.depicts:
        state.depicts, changed = frozenset(record.depicts), True
    if record.special_category is not None and record.special_category != bool(state.special_category):
        state.special_category, changed = record.special_category, True
    return changed


def _conflict(field: str) -> ConflictError:
    return ConflictError(f"the post is recorded with another {field}; the first stays", path=(field,))


def _tied(before: dict[str, PostState], after: dict[str, PostState], posts: Collection[str]) -> set[str]:
    return set[str]().union(*(before[key].tied | after[key].tied for key in posts))


def _require_locked(locked: LockedPeople, people: Collection[str]) -> None:
    unlocked = frozenset(people) - locked.people
    if unlocked:
        raise UnlockedPeopleError(unlocked)


async def _lock_changed(
    tx: Tx, locked: LockedPeople, before: dict[str, PostState], after: dict[str, PostState], posts: Sequence[str]
) -> set[str]:
    """Take the locks for changing posts that exist, and tell whose objections are concerned."""
    people = _tied(before, after, posts)
    _require_locked(locked, people)
    concerned = people & locked.objecting
    if concerned:
        await upper.lock(tx)
    await facts.lock_posts(tx, posts)
    return concerned


def _row(record: Post) -> list[Any]:
    return [
        record.key,
        record.platform,
        record.post_kind,
        from_datetime(record.published_at),
        record.visibility,
        record.special_category,
        record.content_digest,
    ]


async def _write_new(tx: Tx, service: Service, new: dict[str, Post], after: dict[str, PostState], now: Instant) -> None:
    """Write the posts whose keys were new: as the last record of each left them."""
    authors: dict[str, list[list[Any]]] = {}
    depicted: list[tuple[str, str]] = []
    for key, record in new.items():
        row = _row(record)
        depicts: Collection[str] = record.depicts or ()
        state = after.get(key)
        if state is not None:
            row[5:] = [state.special_category, state.digest]
            depicts = state.depicts
        posts = authors.get(record.author)
        if posts is None:
            authors[record.author] = [row]
        else:
            posts.append(row)
        if depicts:
            depicted += [(key, user) for user in sorted(set(depicts))]
    if authors:
        await facts_posts.create(tx, service.pseudonyms, list(authors.items()), now)
    if depicted:
        await facts_posts.link_depicted(tx, depicted, now)


async def _write_changed(tx: Tx, changed: Sequence[tuple[PostState, PostState]], now: Instant) -> None:
    """Write the difference between what was recorded of posts and what is now."""
    described = [(old, new) for old, new in changed if not old.described]
    if described:
        rows = [
            [new.key, new.platform, new.kind, new.published_at, new.visibility, new.special_category, new.digest]
            for _, new in described
        ]
        await facts_posts.describe(tx, rows, now)
        # Behind a correction the post record's own author is kept without ever having been believed.
        authors = [(new.key, new.described_by or "", None, now if old.author else None) for old, new in described]
        await facts_posts.link_authors(tx, authors, now)
    digests = [(new.key, new.digest) for old, new in changed if old.described and new.digest and not old.digest]
    if digests:
        await facts_posts.add_digests(tx, digests)
    special = [
        (new.key, bool(new.special_category))
        for old, new in changed
        if old.described and bool(new.special_category) != bool(old.special_category)
    ]
    if special:
        await facts_posts.add_special_category(tx, special, now)
    gone = [(new.key, user) for old, new in changed for user in sorted(old.depicts - new.depicts)]
    if gone:
        await facts_posts.end_depictions(tx, gone, now)
    come = [(new.key, user) for old, new in changed for user in sorted(new.depicts - old.depicts)]
    if come:
        await facts_posts.link_depicted(tx, come, now)


async def _forget_unused(tx: Tx, locked: LockedPeople, records: Sequence[Post], outcomes: Sequence[Outcome]) -> None:
    """Leave no trace of people whom only refused records named."""
    named = set[str]()
    for record, outcome in zip(records, outcomes, strict=True):
        if outcome is True:
            named.add(record.author)
            named.update(record.depicts or ())
    unused = (locked.created - named) & {
        user for record in records for user in (record.author, *(record.depicts or ()))
    }
    if unused:
        await facts.forget_people(tx, unused)
