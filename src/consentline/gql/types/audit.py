"""The audit as auditors see it: who did what to whose record; it names nobody but by digest."""

import strawberry

from consentline.domain import audit
from consentline.domain.paging import Page
from consentline.gql.context import Context, Info
from consentline.gql.scalars import DateTime, instant
from consentline.gql.types.paging import Edge, PageInfo, edges_of, page_info_of


@strawberry.type(description="How many of something an audit entry counted.")
class AuditCount:
    """A name and a number."""

    name: str = strawberry.field(
        description='Of what was loaded: "accepted", "unchanged", "rejected"; of what was exported: "people", "posts".'
    )
    count: int = strawberry.field(description="How many.")


@strawberry.type(
    description="What is recorded for ever of a change, or of records of people that left in an answer. Keys stand in"
    " it as keyed digests only."
)
class AuditEntry:
    """An entry as it is recorded."""

    value: strawberry.Private[audit.AuditEntry]

    @strawberry.field(description="Its process's name and a number that counts up from 1 within it.")
    def uid(self) -> str:
        """The unique name."""
        return self.value.uid

    @strawberry.field(description="When it was written, by the database's clock.")
    def at(self) -> DateTime:
        """Recorded time."""
        return instant(self.value.at)

    @strawberry.field(description='The bearer\'s role; "operator" of whoever worked at a shell.')
    def role(self) -> str:
        """Who."""
        return self.value.actor.role

    @strawberry.field(description='The id of the bearer\'s token (its `jti`); "cli" of a shell.')
    def token_id(self) -> str:
        """By which token."""
        return self.value.actor.token_id

    @strawberry.field(description="The request's id, as the answer's X-Request-ID and the service's log have it.")
    def request_id(self) -> str:
        """In which request."""
        return self.value.actor.request_id

    @strawberry.field(
        description="The mutation; of a reading the root fields that were asked, separated by commas; of other routes"
        " and commands ingest, exportCampaign, exportDataset and the like."
    )
    def operation(self) -> str:
        """What was done."""
        return self.value.operation

    @strawberry.field(
        description="ACCEPTED (a change; also one that stood already), READ, STARTED (what takes long; its end has an"
        " entry of the same request), or the code by which it was refused or failed."
    )
    def outcome(self) -> str:
        """What came of it."""
        return self.value.outcome

    @strawberry.field(
        description='The digests ("hmac-sha256:…") of those whom and what it concerns; the first 500. Search for a key'
        " with `auditEntries(subject:)`."
    )
    def subjects(self) -> list[str]:
        """Whom it concerns."""
        return list(self.value.subjects)

    @strawberry.field(description="How many it concerns, listed or not.")
    def subject_count(self) -> int:
        """How many subjects there were."""
        return self.value.subject_count

    @strawberry.field(description="Of a load or an export: how many records it had, and what became of them.")
    def counts(self) -> list[AuditCount]:
        """The counts, empty for other operations."""
        return [AuditCount(name=name, count=count) for name, count in self.value.counts]

    @strawberry.field(description='"sha256:…" of what was loaded or exported, as it was sent; null for others.')
    def digest(self) -> str | None:
        """The digest of the bytes."""
        return self.value.digest

    @strawberry.field(description="False when somebody changed it in the database: its seal does not fit any more.")
    def intact(self, info: Info) -> bool:
        """Whether it is as it was written."""
        return self.value.intact(info.context.service.pseudonyms)


@strawberry.type(
    description="A page of the audit, by keyset: what is added meanwhile shifts nothing. It has no total: the audit"
    " only ever grows."
)
class AuditEntryConnection:
    """A page of entries."""

    context: strawberry.Private[Context]
    listing: strawberry.Private[str]
    page: strawberry.Private[Page[audit.AuditEntry]]

    @strawberry.field(description="The entries of the page, the newest first.")
    def edges(self) -> list[Edge[AuditEntry]]:
        """Each entry with its position."""
        return edges_of(self.context.cursors, self.listing, self.page, lambda entry: AuditEntry(value=entry))

    @strawberry.field(description="Where the page lies.")
    def page_info(self) -> PageInfo:
        """Sealed positions of both ends."""
        return page_info_of(self.context.cursors, self.listing, self.page)
