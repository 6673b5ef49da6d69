"""The records of shared/contract/records.md: one struct a kind.

A struct is what the line said: times are aware datetimes, an optional field that is absent or null is None (but for
`user`, where absent is UNSET and null means unknown). See record_lines.py for how a line becomes one.
"""

from datetime import date, datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

Time: TypeAlias = Annotated[datetime, Meta(tz=True)]
VersionNumber: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Days: TypeAlias = Annotated[int, Meta(ge=0, le=36_500)]
PostKindCode: TypeAlias = Literal["POST", "COMMENT", "PHOTO", "VIDEO", "PRIVATE_MESSAGE"]
VisibilityCode: TypeAlias = Literal["PUBLIC", "FRIENDS", "PRIVATE"]
LawfulBasisCode: TypeAlias = Literal["LEGITIMATE_INTERESTS", "CONSENT"]
ConsentCode: TypeAlias = Literal["GIVEN", "WITHDRAWN"]


class User(Struct, tag="user", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """What is known of a person from `valid_from` on (None: always)."""

    key: str
    jurisdiction: str | UnsetType | None = UNSET
    adult_from: date | UnsetType | None = UNSET
    valid_from: Time | None = None


class Post(Struct, tag="post", tag_field="kind", forbid_unknown_fields=True, frozen=True, gc=False):
    """A post; `visibility` as it was when published. A `depicts` of None says nothing."""

    key: str
    author: str
    platform: str
    post_kind: PostKindCode
    visibility: VisibilityCode
    published_at: Time
    depicts: tuple[str, ...] | None = None
    special_category: bool | None = None
    content_digest: str | None = None


class VisibilityChange(Struct, tag="visibility", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """Who may see the post from `valid_from` on."""

    post: str
    visibility: VisibilityCode
    valid_from: Time


class AuthorCorrection(Struct, tag="post_author", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """Somebody else wrote the post than its record says."""

    post: str
    author: str
    reason: str


class Deletion(Struct, tag="post_deleted", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """The post is deleted from `valid_from` on."""

    post: str
    valid_from: Time


class PolicyVersion(Struct, tag="policy", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """One version of the rules of a jurisdiction for a purpose; None takes the default of records.md."""

    key: str
    version: VersionNumber
    jurisdiction: str
    purpose: str
    lawful_basis: LawfulBasisCode
    effective_from: Time
    notice_required: bool | None = None
    objection_window_days: Days | None = None
    platforms: tuple[str, ...] | None = None
    assessment: str | None = None
    assessment_expires: Time | None = None
    protects_depicted: bool | None = None
    flags_past_use: bool | None = None
    objection_absolute: bool | None = None
    gate_flagged_bases: bool | None = None
    effective_until: Time | None = None


class NoticeText(Struct, tag="notice", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """A version of a notice; its text stays with the caller, at most its digest is kept."""

    key: str
    version: VersionNumber
    purpose: str
    channel: str
    published_at: Time
    content_digest: str | None = None


class NoticeServed(Struct, tag="notice_served", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """A version of a notice reached a person."""

    user: str
    notice: str
    version: VersionNumber
    served_at: Time
    seen_at: Time | None = None


class ConsentSaid(Struct, tag="consent", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """A person gave or withdrew consent to a purpose."""

    user: str
    purpose: str
    status: ConsentCode
    valid_from: Time


class ObjectionFiled(Struct, tag="objection", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """The same as the mutation fileObjection, with its defaults."""

    key: str
    user: str
    received_at: Time
    purposes: tuple[str, ...] | None = None
    platforms: tuple[str, ...] | None = None
    channel: str | None = None


class Member(Struct, tag="member", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """A post belongs to a version that is still BUILDING."""

    dataset: str
    version: VersionNumber
    post: str


class MemberRemoved(Struct, tag="member_removed", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """A post of the version that this one is based on does not belong to it."""

    dataset: str
    version: VersionNumber
    post: str


class Seal(Struct, tag="seal", tag_field="kind", forbid_unknown_fields=True, frozen=True):
    """The manifest is complete: the version becomes immutable."""

    dataset: str
    version: VersionNumber


Record: TypeAlias = (
    User
    | Post
    | VisibilityChange
    | AuthorCorrection
    | Deletion
    | PolicyVersion
    | NoticeText
    | NoticeServed
    | ConsentSaid
    | ObjectionFiled
    | Member
    | MemberRemoved
    | Seal
)

KINDS: dict[str, type[Record]] = {
    "user": User,
    "post": Post,
    "visibility": VisibilityChange,
    "post_author": AuthorCorrection,
    "post_deleted": Deletion,
    "policy": PolicyVersion,
    "notice": NoticeText,
    "notice_served": NoticeServed,
    "consent": ConsentSaid,
    "objection": ObjectionFiled,
    "member": Member,
    "member_removed": MemberRemoved,
    "seal": Seal,
}
"""Every kind of record, by the name in its `kind` field."""
