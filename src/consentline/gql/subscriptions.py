"""What can be followed: announced, not built yet."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from consentline.domain.access import Action
from consentline.gql.access import needs
from consentline.gql.types.lineage import RetrainingFlag
from consentline.gql.types.node import not_yet
from consentline.gql.types.people import Objection


@strawberry.type(description="What can be followed.")
class Subscription:
    """The root of subscriptions."""

    @strawberry.subscription(description="Each flag when it is raised or changes.", metadata=needs(Action.READ_LINEAGE))
    def retraining_flag_changed(
        self,
        model_version: Annotated[
            str | None, strawberry.argument(description="Only of this model version. Left out: of all.")
        ] = None,
    ) -> AsyncGenerator[RetrainingFlag]:
        """Not built yet."""
        raise not_yet("retrainingFlagChanged")

    @strawberry.subscription(
        description="Each objection when it is filed or changes.", metadata=needs(Action.READ_PEOPLE)
    )
    def objection_changed(
        self, key: Annotated[str | None, strawberry.argument(description="Only this one. Left out: all.")] = None
    ) -> AsyncGenerator[Objection]:
        """Not built yet."""
        raise not_yet("objectionChanged")
