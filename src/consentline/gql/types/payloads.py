"""What mutations answer: the entity as it now stands, or why nothing was changed."""

import strawberry

from consentline.domain import gate
from consentline.domain.eligibility import Reason
from consentline.domain.errors import RefusedError
from consentline.domain.lineage import Lineage
from consentline.gql.types.eligibility import ReasonCount
from consentline.gql.types.erasures import Erasure
from consentline.gql.types.lineage import (
    DatasetVersion,
    ModelVersion,
    RetrainingFlag,
    TrainingRun,
    dataset_version,
)
from consentline.gql.types.people import Objection


@strawberry.type(description="Why a mutation was refused; nothing was changed.")
class UserError:
    """A refusal that the caller can do something about."""

    code: str = strawberry.field(description="Stable, for programs.")
    message: str = strawberry.field(description="For people; it may change.")
    path: list[str] | None = strawberry.field(
        description="The field of the input that is meant; null when it is the whole."
    )


def user_errors(refusal: RefusedError | None) -> list[UserError]:
    """The refusal as the API shows it, in a list."""
    if refusal is None:
        return []
    return [UserError(code=refusal.code, message=refusal.message, path=list(refusal.path) or None)]


@strawberry.type(description="The registered version, or why there is none.")
class RegisterDatasetVersionPayload:
    """Of registerDatasetVersion."""

    dataset_version: DatasetVersion | None = strawberry.field(description="The version; null when refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="The dataset version, or why nothing was changed.")
class DatasetVersionPayload:
    """Of mutations on a dataset version."""

    dataset_version: DatasetVersion | None = strawberry.field(description="The version; null when refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="The version that was built, and what was left out.")
class BuildDatasetVersionPayload:
    """Of buildDatasetVersion."""

    dataset_version: DatasetVersion | None = strawberry.field(description="The version; null when refused.")
    excluded: list[ReasonCount] = strawberry.field(description="What was left out, by reason.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="The training run, or why nothing was changed.")
class TrainingRunPayload:
    """Of mutations on a training run."""

    training_run: TrainingRun | None = strawberry.field(description="The run; null when refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")
    permit: str | None = strawberry.field(
        default=None,
        description="Of startTraining: what the training job shows to prove that it may read its inputs, a signed and"
        " short-lived JWT. Null of other mutations, and when refused.",
    )


@strawberry.type(description="Why an input may not be trained on.")
class TrainingRefusal:
    """One reason of one input."""

    dataset_version: DatasetVersion = strawberry.field(description="The input.")
    reason: Reason | None = strawberry.field(
        description="Why members may not be used; null when it is the version itself, or what generated it."
    )
    count: int = strawberry.field(description="How many members have the reason.")
    sample_posts: list[str] = strawberry.field(description="The keys of some of them: the five smallest.")
    message: str = strawberry.field(description="For people; it may change.")


def training_refusal(known: Lineage, refusal: gate.TrainingRefusal) -> TrainingRefusal:
    """The view of a refusal, in a lineage that knows its version."""
    return TrainingRefusal(
        dataset_version=dataset_version(known, refusal.version),
        reason=refusal.reason,
        count=refusal.count,
        sample_posts=list(refusal.sample_posts),
        message=refusal.message,
    )


@strawberry.type(description="The authorised run, or everything that stands against it.")
class AuthorizeTrainingPayload:
    """Of authorizeTraining."""

    training_run: TrainingRun | None = strawberry.field(description="The run; null when refused.")
    refusals: list[TrainingRefusal] = strawberry.field(description="What stands against it, by input and reason.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="The model version, or why nothing was changed.")
class ModelVersionPayload:
    """Of mutations on a model version."""

    model_version: ModelVersion | None = strawberry.field(description="The model version; null when refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="The objection, or why nothing was changed.")
class ObjectionPayload:
    """Of mutations on an objection."""

    objection: Objection | None = strawberry.field(description="The objection; null when refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="The erasure, or why nothing was changed.")
class ErasurePayload:
    """Of mutations on an erasure."""

    erasure: Erasure | None = strawberry.field(description="The erasure; null when refused.")
    affected_post_count: int = strawberry.field(
        description="How many recorded posts it concerns: written by the person, or depicting them; 0 when refused."
    )
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="The retraining flag, or why nothing was changed.")
class RetrainingFlagPayload:
    """Of mutations on a retraining flag."""

    flag: RetrainingFlag | None = strawberry.field(description="The flag; null when refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")
