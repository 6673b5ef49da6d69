"""Notice coverage of a policy, and the campaign of those still to be served; people are read page by page.

Nothing is locked. Facts recorded after the question was asked are not seen, so that nobody is met twice.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec

from consentline.domain.audit import READ, Actor, Subject, SubjectKind
from consentline.domain.instants import ALWAYS, Instant
from consentline.domain.notices import (
    NoticeCoverage,
    NoticeQuestion,
    NoticeTally,
    find_policy,
    served_since,
    settled_since,
)
from consentline.domain.people import PersonFacts
from consentline.graph import notices, upper
from consentline.graph.notices import PlacedPage
from consentline.graph.session import Tx
from consentline.usecases.audit import lasting
from consentline.usecases.service import Service, known_or_now

PAGE = 2_000
"""About how many people are held at a time."""


async def ask(
    service: Service, policy: str, version: int, at: Instant | None = None, known_at: Instant | None = None
) -> NoticeQuestion:
    """What `coverage` and `to_be_served` answer; now where no time is given.

    Raises:
        NotFoundError: POLICY_NOT_FOUND.
        InvalidInputError: `known_at` lies in the future.
    """
    now = await service.graph.read(upper.now)
    asked = known_or_now(known_at, now.instant)
    lineage = await service.lineages.at(now.revision)
    found = find_policy(lineage.policies, policy, version, asked)
    return NoticeQuestion(found, lineage.policies, now.instant if at is None else at, asked)


async def coverage(
    service: Service, question: NoticeQuestion, report: Callable[[int], None] | None = None
) -> NoticeCoverage:
    """The figures of everybody whom the policy governs; `report` is told how many were counted so far."""
    tally = NoticeTally(question)
    async with aclosing(_governed(service, question)) as pages:
        async for page in pages:
            for person in page:
                tally.add(person)
            if report is not None:
                report(tally.people)
    return tally.coverage()


async def to_be_served(service: Service, question: NoticeQuestion) -> AsyncGenerator[list[str]]:
    """The keys of those whom the policy governs and whom no notice of its purpose reached, each once, in pages.

    A page may be empty.
    """
    async with aclosing(_governed(service, question)) as pages:
        async for page in pages:
            yield [person.key for person in page if served_since(person, question) is None]


async def campaign_lines(
    service: Service, question: NoticeQuestion, actor: Actor, report: Callable[[int], None] | None = None
) -> AsyncGenerator[bytes]:
    """The campaign as NDJSON: a line `{"user":KEY}` a person, and a last one by which a whole stream is known.

    It is entered into the audit before its first line and before its last. `report` is told how many people were listed
    so far.

    Raises:
        AuditUnavailableError: it cannot be entered.
    """
    encode = msgspec.json.Encoder().encode
    people = 0
    about = [Subject(SubjectKind.POLICY, question.policy.key)]
    async with lasting(service, actor, "exportCampaign", about, READ) as told:
        async with aclosing(to_be_served(service, question)) as pages:
            async for page in pages:
                people += len(page)
                if report is not None:
                    report(people)
                if page:
                    yield b"".join(b'{"user":%b}\n' % encode(user) for user in page)
        told.counts = {"people": people}
    yield b'{"end":true,"people":%d}\n' % people


async def _governed(service: Service, question: NoticeQuestion) -> AsyncGenerator[list[PersonFacts]]:
    """Everybody whom the policy governs, once, in pages."""
    async with aclosing(_jurisdictions(service, question)) as jurisdictions:
        async for jurisdiction in jurisdictions:
            async with aclosing(_residents(service, question, jurisdiction)) as pages:
                async for page in pages:
                    yield page


async def _jurisdictions(service: Service, question: NoticeQuestion) -> AsyncGenerator[str]:
    """Where the policy governs: its own jurisdiction and, of a country, subdivisions without a policy of their own."""
    place = question.policy.jurisdiction
    found: str | None = place
    while found is not None:
        if question.governs(found):
            yield found
        if "-" in place:
            return
        after = None if found == place else found
        found = await service.graph.read(lambda tx, after=after: notices.next_subdivision(tx, place, after))


async def _residents(
    service: Service, question: NoticeQuestion, jurisdiction: str
) -> AsyncGenerator[list[PersonFacts]]:
    """The people who are in exactly this jurisdiction at `at`, in pages.

    Somebody who was placed here more than once, or has moved, is taken by the one fact that tells where they are.
    """

    after, purpose = ALWAYS, question.policy.purpose

    async def read(tx: Tx) -> PlacedPage | None:
        return await notices.placed(tx, jurisdiction, purpose, after=after, known_at=question.known_at, most=PAGE)

    while (page := await service.graph.read(read)) is not None:
        after = page.until
        yield [
            person for person, since in page.people if settled_since(person, question.at, question.known_at) == since
        ]
