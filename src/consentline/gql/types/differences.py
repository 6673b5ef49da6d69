"""What lies between two versions of a dataset; each part is read when it is asked for."""

import strawberry

from consentline.domain.datasets import VersionRef
from consentline.domain.paging import Page, PageRequest
from consentline.gql.arguments import After, First
from consentline.gql.context import Context, Info
from consentline.gql.types.paging import Connection, connect, listing_of
from consentline.gql.types.people import Post
from consentline.usecases import datasets as dataset_cases
from consentline.usecases import posts as post_cases

_COUNT_ONLY = PageRequest(first=1)


@strawberry.type(description="What lies between two versions of a dataset.")
class DatasetVersionDiff:
    """From one recorded version to another of the same dataset, whichever of them is the newer."""

    begin: strawberry.Private[VersionRef]
    end: strawberry.Private[VersionRef]

    @strawberry.field(description="How many posts `to` holds and `from` does not.")
    async def added_count(self, info: Info) -> int:
        """A count; no post is read."""
        return (await self._read(info.context, _COUNT_ONLY, added=True)).total

    @strawberry.field(description="How many posts `from` holds and `to` does not.")
    async def removed_count(self, info: Info) -> int:
        """A count; no post is read."""
        return (await self._read(info.context, _COUNT_ONLY, added=False)).total

    @strawberry.field(description="The posts that `to` holds and `from` does not, by key.")
    async def added(self, info: Info, first: First = 50, after: After = None) -> Connection[Post]:
        """A page of what was added."""
        return await self._posts(info.context, first, after, added=True)

    @strawberry.field(description="The posts that `from` holds and `to` does not, by key.")
    async def removed(self, info: Info, first: First = 50, after: After = None) -> Connection[Post]:
        """A page of what was removed."""
        return await self._posts(info.context, first, after, added=False)

    async def _posts(self, context: Context, first: int, after: str | None, *, added: bool) -> Connection[Post]:
        field = "added" if added else "removed"
        listing = listing_of(f"DatasetVersionDiff.{field}", str(self.begin), str(self.end))
        page = await self._read(context, context.cursors.request(listing, first, after), added=added)
        found = await post_cases.find_posts(context.service, page.items)
        return connect(context.cursors, listing, page, lambda key: Post(value=found.get(key, post_cases.Post(key))))

    async def _read(self, context: Context, request: PageRequest, *, added: bool) -> Page[str]:
        return await dataset_cases.list_difference(
            context.service,
            self.begin.dataset,
            begin=self.begin.number,
            end=self.end.number,
            added=added,
            request=request,
        )
