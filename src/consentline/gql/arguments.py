"""Arguments that many fields share, each with its description."""

from typing import Annotated, TypeAlias

import strawberry

from consentline.domain.keys import check_not_reserved
from consentline.gql.scalars import DateTime

First: TypeAlias = Annotated[int, strawberry.argument(description="How many items at most, from 1 to 100.")]
After: TypeAlias = Annotated[
    str | None, strawberry.argument(description="The cursor of the item after which the page begins.")
]
At: TypeAlias = Annotated[
    DateTime | None, strawberry.argument(description="Valid time: when it was true in the world. Left out: now.")
]
KnownAt: TypeAlias = Annotated[
    DateTime | None, strawberry.argument(description="Recorded time: what the system knew then. Left out: now.")
]
Purpose: TypeAlias = Annotated[
    str, strawberry.argument(description="What the data is to be used for: an upper-case code of an open set.")
]

AI_TRAINING = "AI_TRAINING"


def asked(key: str, *path: str) -> str:
    """The key of a person, a post, an objection or an erasure that somebody asks about.

    Raises:
        InvalidInputError: KEY_RESERVED; it is, or may be, the digest of something erased.
    """
    check_not_reserved(key, *path)
    return key
