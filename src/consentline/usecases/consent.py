"""Where a person stands for a purpose, now or as known before, and how they came to stand there."""

from consentline.domain.codes import check_purpose
from consentline.domain.instants import Instant
from consentline.domain.paging import Page, PageRequest
from consentline.domain.standing import ConsentState, lawful_basis, standing
from consentline.graph import consent, posts, upper
from consentline.graph.session import Tx
from consentline.usecases.service import Service, known_or_now


async def find_consent(
    service: Service, user: str, purpose: str, at: Instant | None, known_at: Instant | None
) -> ConsentState:
    """The person's standing for the purpose at `at`, as known at `known_at`.

    Raises:
        InvalidInputError: `known_at` lies in the future, or the purpose is no code.
    """
    check_purpose(purpose, "purpose")

    async def work(tx: Tx) -> ConsentState:
        person = (await posts.person(tx, service.pseudonyms.either("User", user))).left
        now = await upper.now(tx)
        asked = known_or_now(known_at, now.instant)
        lineage = await service.lineages.at(now.revision)
        return standing(person, lineage.policies, purpose, now.instant if at is None else at, asked)

    return await service.graph.read(work)


async def list_consent_history(service: Service, user: str, purpose: str, request: PageRequest) -> Page[ConsentState]:
    """What the person was told and said about the purpose, by valid time; each with the lawful basis of then.

    Raises:
        InvalidInputError: the purpose is no code.
    """
    check_purpose(purpose, "purpose")

    async def work(tx: Tx) -> Page[ConsentState]:
        person = (await posts.person(tx, service.pseudonyms.either("User", user))).left
        now = await upper.now(tx)
        lineage = await service.lineages.at(now.revision)
        page = await consent.history(tx, service.pseudonyms.either("User", user), purpose, request)
        states = tuple(
            ConsentState(
                event.status,
                purpose,
                lawful_basis(person, lineage.policies, purpose, event.valid_from, now.instant),
                event.valid_from,
                event.recorded_at,
            )
            for event in page.items
        )
        return Page(states, page.positions, page.has_next, page.has_previous, page.total)

    return await service.graph.read(work)
