"""People as they stand, their posts and their objections."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from consentline.domain.instants import Instant
from consentline.domain.objections import Objection
from consentline.domain.paging import Page, PageRequest
from consentline.domain.people import PersonFacts, adult_from_at, jurisdiction_at
from consentline.graph import objection_lists, posts, upper
from consentline.graph.session import Tx
from consentline.usecases.posts import Post
from consentline.usecases.service import Service


@dataclass(frozen=True, slots=True)
class User:
    """What is known of a person now."""

    key: str
    jurisdiction: str | None
    adult_from: date | None
    erased_at: Instant | None = None


async def find_user(service: Service, key: str) -> User | None:
    """The person as known now; None when nothing names them."""
    return (await find_users(service, [key])).get(key)


async def find_users(service: Service, keys: Sequence[str]) -> dict[str, User]:
    """The people as known now, in two statements; whom nothing names is absent."""
    asked = {stored: key for key in keys for stored in service.pseudonyms.either("User", key)}

    async def work(tx: Tx) -> dict[str, User]:
        facts = await posts.person_facts(tx, list(asked))
        if not facts:
            return {}
        now = (await upper.now(tx)).instant
        return {asked[key]: _user(asked[key], each.left, now) for key, each in facts.items()}

    return await service.graph.read(work)


def _user(key: str, facts: PersonFacts, now: Instant) -> User:
    return User(key, jurisdiction_at(facts, now, now), adult_from_at(facts, now, now), facts.erased_at)


async def list_posts(service: Service, user: str, request: PageRequest) -> Page[Post]:
    """The described posts that the person is believed to have written, by key."""
    keys = service.pseudonyms.either("User", user)
    return await service.graph.read(lambda tx: posts.page_of_person(tx, keys, request))


async def list_objections_of(service: Service, user: str, request: PageRequest) -> Page[Objection]:
    """The person's objections, by the time of receipt."""
    keys = service.pseudonyms.either("User", user)
    return await service.graph.read(lambda tx: objection_lists.page_of_person(tx, keys, request))
