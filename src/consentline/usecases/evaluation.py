"""Whether many posts may be used: all of a version, of a dataset, or of a selection, streamed in pages.

Nothing is locked and nothing written. Pages are read one after the other, each by what is committed then: what is
recorded meanwhile may or may not be seen, so that a decision is taken under locks about what was found here. While a
page is judged the next ones are read.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from consentline.domain.at_use import is_ordinary, violates
from consentline.domain.datasets import Selection, VersionRef
from consentline.domain.eligibility import Reason
from consentline.domain.evaluation import Evaluator
from consentline.domain.instants import ALWAYS, EVER, Instant
from consentline.domain.judgement import Judge, Judgement
from consentline.domain.lineage import Lineage
from consentline.domain.people import PersonFacts, covers, jurisdiction_at
from consentline.domain.posts import PostFacts
from consentline.domain.training import TrainingRun
from consentline.graph import evaluation
from consentline.graph.evaluation import Criteria, PostPage, Sized, Span
from consentline.usecases.service import Service

T = TypeVar("T")

PAGE = 10_000
"""How many posts a page reads; a shard is read whole, however large it was allowed to grow."""
_LISTED = 2_000
_AHEAD = 2


class Verdict(NamedTuple):
    """A post, and every reason why it may not be used."""

    post: str
    reasons: tuple[Reason, ...]


class Judged(NamedTuple):
    """A member judged for every purpose that a policy speaks of, beside what is stored of it."""

    post: str
    judgement: Judgement
    stored: Judgement

    @property
    def changed(self) -> bool:
        """Whether what is stored has to be written anew."""
        return self.judgement != self.stored


class Picked(NamedTuple):
    """A post of a selection, and every reason why it may not be used, at the selection's time and now."""

    post: str
    reasons: tuple[Reason, ...]
    reasons_now: tuple[Reason, ...]


async def of_version(
    service: Service, lineage: Lineage, ref: VersionRef, *, purpose: str, at: Instant
) -> AsyncGenerator[list[Verdict]]:
    """Every member of a version, a page at a time, in no order."""
    evaluator = Evaluator(lineage.policies, purpose, at)
    async with aclosing(_pages_of(service, ref)) as pages:
        async for page in pages:
            yield [Verdict(each.post, *each.reasons) for each in _asked(page, [evaluator])]


async def violating(
    service: Service, lineage: Lineage, ref: VersionRef, run: TrainingRun, *, purpose: str, at: Instant
) -> AsyncGenerator[list[str]]:
    """Every member of a version that the run, which read it, could not use when it started; sorted within its page."""
    evaluator = Evaluator(lineage.policies, purpose, at)
    async with aclosing(_pages_of(service, ref)) as pages:
        async for page in pages:
            special = {post.key: violates(post, lineage.policies, run) for post in page.others if not is_ordinary(post)}
            asked = _asked(page, [evaluator])
            yield sorted(each.post for each in asked if special.get(each.post, bool(each.reasons[0])))


def _pages_of(service: Service, ref: VersionRef) -> AsyncGenerator[PostPage]:
    people = evaluation.People()

    def read(keys: Sequence[str]) -> Coroutine[Any, Any, PostPage]:
        return service.graph.read(lambda tx: evaluation.of_version(tx, people, keys, ref.number))

    return _read_ahead(shards_of(service, ref.dataset), read)


async def of_dataset(service: Service, lineage: Lineage, dataset: str, *, at: Instant) -> AsyncGenerator[list[Judged]]:
    """Every post that is or was a member of the dataset once, for all purposes that a policy speaks of."""
    judge, people = Judge(lineage.policies, at), evaluation.People()

    def read(keys: Sequence[str]) -> Coroutine[Any, Any, PostPage]:
        return service.graph.read(lambda tx: evaluation.of_dataset(tx, people, dataset, keys))

    async with aclosing(_read_ahead(shards_of(service, dataset), read)) as pages:
        async for page in pages:
            changes = dict(_changes(page, judge.evaluators))
            yield [
                Judged(
                    each.post,
                    judge.judgement(each.reasons, changes.get(each.post), each.author, each.facts),
                    page.stored[each.post],
                )
                for each in _asked(page, judge.evaluators)
            ]


async def of_selection(
    service: Service, lineage: Lineage, selection: Selection, *, purpose: str, at: Instant, now: Instant
) -> AsyncGenerator[list[Picked]]:
    """The described posts that the selection picks by what was true at `at`, judged at `at` and at `now`.

    Picked are posts on its platforms, published in its period, whose author was at `at` where a jurisdiction of the
    selection covers; a criterion left empty picks all, and an author of unknown jurisdiction is in none.
    """
    evaluators = [Evaluator(lineage.policies, purpose, each) for each in (at, now)]
    people = evaluation.People()
    criteria = Criteria(
        platforms=selection.platforms,
        published_from=ALWAYS if selection.published_from is None else selection.published_from,
        published_before=EVER if selection.published_before is None else selection.published_before,
    )

    def wanted(author: PersonFacts) -> bool:
        if author.erased_at is not None:
            return False
        place = jurisdiction_at(author, at, EVER)
        covered = place is not None and any(covers(each, place) for each in selection.jurisdictions)
        return covered or not selection.jurisdictions

    def read(span: Span) -> Coroutine[Any, Any, PostPage]:
        return service.graph.read(lambda tx: evaluation.of_people(tx, people, span, criteria, wanted))

    async with aclosing(_read_ahead(_people(service), read)) as pages:
        async for page in pages:
            yield [Picked(each.post, *each.reasons) for each in _asked(page, evaluators)]


class _Asked(NamedTuple):
    """A post, what each evaluator says of it, and who wrote it; `facts` where more than its record speaks of it."""

    post: str
    reasons: tuple[tuple[Reason, ...], ...]
    author: PersonFacts | None = None
    facts: PostFacts | None = None


def _asked(page: PostPage, evaluators: Sequence[Evaluator]) -> Iterator[_Asked]:
    for author, plain in page.plain:
        judged = zip(*(each.of_author(author, plain) for each in evaluators), strict=True)
        for post, reasons in zip(plain, judged, strict=True):
            yield _Asked(post[0], reasons, author)
    for post in page.bare:
        facts = PostFacts(post)
        yield _Asked(post, tuple(each.reasons(facts) for each in evaluators))
    for facts in page.others:
        yield _Asked(facts.key, tuple(each.reasons(facts) for each in evaluators), facts.author(EVER), facts)


def _changes(page: PostPage, evaluators: Sequence[Evaluator]) -> Iterator[tuple[str, Instant | None]]:
    """When time alone may change what some evaluator says of a post; for bare posts it never does."""
    for author, plain in page.plain:
        for post, *changes in zip(plain, *(each.changes_of_author(author, plain) for each in evaluators), strict=True):
            yield post[0], _earliest(changes)
    for facts in page.others:
        yield facts.key, _earliest(each.next_change(facts) for each in evaluators)


def _earliest(changes: Iterable[Instant | None]) -> Instant | None:
    return min((change for change in changes if change is not None), default=None)


async def shards_of(service: Service, dataset: str) -> AsyncGenerator[tuple[str, ...]]:
    """The dataset's shards, some at a time: as many as make a page."""
    after: str | None = None
    while listed := await service.graph.read(lambda tx, after=after: evaluation.shards(tx, dataset, after, _LISTED)):
        after = listed[-1].key
        for batch in _batches(listed):
            yield tuple(shard.key for shard in batch)


async def _people(service: Service) -> AsyncGenerator[Span]:
    """Everybody who wrote anything, some at a time: as many as make a page, or a part of what one person wrote."""
    after = ""
    while listed := await service.graph.read(lambda tx, after=after: evaluation.authors(tx, after, _LISTED)):
        after = listed[-1].key
        for batch in _batches([person for person in listed if person.posts]):
            if batch[0].posts <= PAGE:
                yield Span(tuple(person.key for person in batch))
                continue
            author = batch[0].key
            bounds = await service.graph.read(lambda tx, author=author: evaluation.bounds(tx, author, PAGE))
            for begin, end in pairwise(["", *bounds, None]):
                yield Span((author,), begin or "", end)


def _batches(listed: Iterable[Sized]) -> Iterator[list[Sized]]:
    """Neighbours together up to a page of posts; whatever is larger than a page, alone."""
    batch: list[Sized] = []
    held = 0
    for each in listed:
        if batch and held + each.posts > PAGE:
            yield batch
            batch, held = [], 0
        batch.append(each)
        held += each.posts
    if batch:
        yield batch


async def _read_ahead(
    spans: AsyncGenerator[T], read: Callable[[T], Coroutine[Any, Any, PostPage]]
) -> AsyncGenerator[PostPage]:
    """The pages of the spans in order; while one is in use, the next ones are read."""
    reading: deque[asyncio.Task[PostPage]] = deque()
    try:
        async with aclosing(spans):
            async for span in spans:
                reading.append(asyncio.create_task(read(span)))
                if len(reading) > _AHEAD:
                    yield await reading.popleft()
            while reading:
                yield await reading.popleft()
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
