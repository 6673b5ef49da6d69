"""What mutations on datasets take."""

from collections.abc import Iterable

import strawberry

from consentline.domain.datasets import Coverage, Selection, VersionRef
from consentline.domain.keys import check_key
from consentline.gql.arguments import AI_TRAINING
from consentline.gql.inputs.checks import checked_keys, checked_text
from consentline.gql.scalars import DateTime
from consentline.usecases.builds import BuildVersion
from consentline.usecases.datasets import RegisterVersion


@strawberry.input(description="Names a dataset version.")
class DatasetVersionRef:
    """A dataset version by its dataset's key and its number."""

    dataset: str = strawberry.field(description="The dataset's key.")
    number: int = strawberry.field(description="The version's number, from 1 up.")

    def ref(self, field: str) -> VersionRef:
        """The reference, its key checked."""
        return VersionRef(check_key(self.dataset, field), self.number)


@strawberry.input(description="What a dataset version was drawn from. A criterion left out or empty covers everything.")
class SelectionInput:
    """A declared selection."""

    jurisdictions: list[str] | None = strawberry.field(
        default=None, description='Of the authors: ISO 3166-1 alpha-2 or 3166-2 ("GB", "GB-SCT"); "UK" is none.'
    )
    platforms: list[str] | None = strawberry.field(
        default=None, description="Where the posts were made: upper-case codes."
    )
    published_from: DateTime | None = strawberry.field(default=None, description="Published then or later.")
    published_before: DateTime | None = strawberry.field(default=None, description="Published before then.")

    def selection(self) -> Selection:
        """The domain value; its codes are checked by the use case."""
        return Selection(
            jurisdictions=tuple(self.jurisdictions or ()),
            platforms=tuple(self.platforms or ()),
            published_from=self.published_from,
            published_before=self.published_before,
        )


@strawberry.input(description="A dataset version to register.")
class RegisterDatasetVersionInput:
    """Of all three coverages."""

    dataset: str = strawberry.field(description="The dataset's key; it is created when new.")
    number: int | None = strawberry.field(
        default=None,
        description="The number expected, for safe retries: the same number and content changes nothing.",
    )
    title: str | None = strawberry.field(default=None, description="What people call the dataset.")
    coverage: Coverage = strawberry.field(description="How much is known of what it holds.")
    posts: list[str] | None = strawberry.field(
        default=None,
        description="COMPLETE: the member keys, even none: SEALED at once. Left out: BUILDING, members come as records"
        " until `seal`.",
    )
    declared_selection: SelectionInput | None = strawberry.field(
        default=None, description="DECLARED: what it was drawn from."
    )
    based_on: int | None = strawberry.field(
        default=None,
        description="COMPLETE without `posts`: start from this version's members and record only changes (member,"
        " member_removed).",
    )
    derived_from: list[DatasetVersionRef] | None = strawberry.field(
        default=None, description="The dataset versions that it was made from."
    )
    generated_by: list[str] | None = strawberry.field(
        default=None, description="The keys of the model versions that wrote it."
    )

    def command(self) -> RegisterVersion:
        """The command of the use case."""
        selection = self.declared_selection
        return RegisterVersion(
            dataset=check_key(self.dataset, "dataset"),
            coverage=self.coverage,
            number=self.number,
            title=checked_text(self.title, "title"),
            posts=None if self.posts is None else checked_keys(self.posts, "posts"),
            selection=None if selection is None else selection.selection(),
            based_on=self.based_on,
            derived_from=refs(self.derived_from, "derivedFrom"),
            generated_by=checked_keys(self.generated_by, "generatedBy"),
        )


@strawberry.input(description="A dataset version to build from the posts that may be used.")
class BuildDatasetVersionInput:
    """A selection and a purpose."""

    dataset: str = strawberry.field(description="The dataset's key; it is created when new.")
    title: str | None = strawberry.field(default=None, description="What people call the dataset.")
    purpose: str = strawberry.field(default=AI_TRAINING, description="What the data is to be used for.")
    selection: SelectionInput | None = strawberry.field(default=None, description="Which posts; left out: all.")
    as_of: DateTime | None = strawberry.field(default=None, description="Valid time of the selection. Left out: now.")

    def command(self) -> BuildVersion:
        """The command of the use case."""
        return BuildVersion(
            dataset=check_key(self.dataset, "dataset"),
            title=checked_text(self.title, "title"),
            purpose=self.purpose,
            selection=None if self.selection is None else self.selection.selection(),
            as_of=self.as_of,
        )


@strawberry.input(description="A dataset version to withdraw.")
class WithdrawDatasetVersionInput:
    """A version and why."""

    dataset: str = strawberry.field(description="The dataset's key.")
    number: int = strawberry.field(description="The version's number.")
    reason: str = strawberry.field(description="Why it may not be used again.")

    def ref(self) -> VersionRef:
        """The version, its key checked."""
        checked_text(self.reason, "reason")
        return VersionRef(check_key(self.dataset, "dataset"), self.number)


def refs(given: Iterable[DatasetVersionRef] | None, field: str) -> tuple[VersionRef, ...]:
    """The references, their keys checked; none when the field was left out."""
    return tuple(each.ref(field) for each in given or ())
