"""People as they stand, their posts and their objections."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from consentline.domain.objections import Objection
from consentline.domain.paging import Page, PageRequest
from consentline.domain.people import adult_from_at, jurisdiction_at
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


async def find_user(service: Service, key: str) -> User | None:
    """The person as known now; None when nothing names them."""
    return (await find_users(service, [key])).get(key)


async def find_users(service: Service, keys: Sequence[str]) -> dict[str, User]:
    """The people as known now, in two statements; whom nothing names is absent."""

    async def work(tx: Tx) -> dict[str, User]:
        facts = await posts.person_facts(tx, keys)
        if not facts:
            return {}
        now = (await upper.now(tx)).instant
        return {
            key: User(key, jurisdiction_at(each, now, now), adult_from_at(each, now, now))
            for key, each in facts.items()
        }

    return await service.graph.read(work)


async def list_posts(service: Service, user: str, request: PageRequest) -> Page[Post]:
    """The described posts that the person is believed to have written, by key."""
    return await service.graph.read(lambda tx: posts.page_of_person(tx, user, request))


async def list_objections_of(service: Service, user: str, request: PageRequest) -> Page[Objection]:
    """The person's objections, by the time of receipt."""
    return await service.graph.read(lambda tx: objection_lists.page_of_person(tx, user, request))
