"""The records of shared/contract/records.md: one struct a kind, and the checks that need nothing but the line.

A struct is what the line said: times are aware datetimes, an optional field that is absent or null is None (but for
`user`, where absent is UNSET and null means unknown). Keys are checked, never changed.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from consentline.domain.errors import InvalidInputError
from consentline.domain.keys import check_key

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
    jurisdiction: str | None | UnsetType = UNSET
    adult_from: date | None | UnsetType = UNSET
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

_decode = msgspec.json.Decoder[Record](Record).decode

_KEYS = ("key", "user", "author", "post", "notice", "dataset", "purpose", "channel", "reason", "assessment")
_LISTS_OF_KEYS = ("depicts", "purposes", "platforms")
_HAPPENINGS = ("published_at", "served_at", "seen_at", "received_at", "valid_from")
_TIMES = (*_HAPPENINGS, "effective_from", "effective_until", "assessment_expires")
_FIRST = datetime(1, 1, 3, tzinfo=UTC)
_LAST = datetime(9999, 12, 29, tzinfo=UTC)

_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)

_checks: dict[type[Record], tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], bool, bool]] = {
    kind: (
        tuple(name for name in _KEYS if name in kind.__struct_fields__),
        tuple(name for name in _LISTS_OF_KEYS if name in kind.__struct_fields__),
        tuple(name for name in _TIMES if name in kind.__struct_fields__),
        "jurisdiction" in kind.__struct_fields__,
        "content_digest" in kind.__struct_fields__,
    )
    for kind in KINDS.values()
}


def parse(line: bytes, latest: datetime) -> Record:
    """The record on a line; a happening later than `latest` is refused.

    Raises:
        InvalidInputError: what is wrong with the line; its path names the field, when there is one.
    """
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        record = _second_look(line, error)
    if type(record) is Post:
        _check_post(record, latest)
    else:
        _check(record, latest)
    return record


def _check_post(post: Post, latest: datetime) -> None:
    """What `_check` does, by name: nearly every line of a large file is a post."""
    check_key(post.key, "key")
    check_key(post.author, "author")
    _check_platform(post.platform, "platform")
    if post.depicts is not None:
        for key in post.depicts:
            check_key(key, "depicts")
    if not _FIRST < post.published_at <= latest:
        _check_time(post.published_at, "published_at", latest)
    if post.content_digest is not None:
        _check_digest(post.content_digest)


def _check(record: Record, latest: datetime) -> None:
    keys, lists, times, has_jurisdiction, has_digest = _checks[type(record)]
    for name in keys:
        value: str | None = getattr(record, name)
        if value is not None:
            check_key(value, name)
    for name in lists:
        values: Iterable[str] = getattr(record, name) or ()
        for value in values:
            (_check_platform if name == "platforms" else check_key)(value, name)
    for name in times:
        moment: datetime | None = getattr(record, name)
        if moment is not None:
            _check_time(moment, name, latest)
    if has_jurisdiction:
        jurisdiction: object = getattr(record, "jurisdiction")  # noqa: B009 - which kinds have one is known above
        if isinstance(jurisdiction, str) and _JURISDICTION.fullmatch(jurisdiction) is None:
            message = "jurisdiction is not a code of ISO 3166-1 (GB) or 3166-2 (GB-SCT)"
            raise InvalidInputError(message, code="INVALID_JURISDICTION", path=("jurisdiction",))
    if has_digest:
        digest: str | None = getattr(record, "content_digest")  # noqa: B009
        if digest is not None:
            _check_digest(digest)


def _check_platform(value: str, field: str) -> None:
    check_key(value, field)
    if not value.isupper():
        raise InvalidInputError(f"{field} is not an upper-case code", code="INVALID_VALUE", path=(field,))


def _check_digest(value: str) -> None:
    if _DIGEST.fullmatch(value) is None:
        message = "content_digest is not sha256: and 64 lower-case hexadecimal digits"
        raise InvalidInputError(message, code="INVALID_DIGEST", path=("content_digest",))


def _check_time(moment: datetime, field: str, latest: datetime) -> None:
    if field in _HAPPENINGS and moment > latest:
        raise InvalidInputError(f"{field} lies more than 24 hours ahead", code="TIME_IN_FUTURE", path=(field,))
    if not _FIRST < moment < _LAST:
        raise InvalidInputError(f"{field} is out of range", code="INVALID_TIME", path=(field,))


def _second_look(line: bytes, error: Exception) -> Record:
    """The record after all, when its times are ISO 8601 though not RFC 3339 (no seconds, a basic format).

    Raises:
        InvalidInputError: what is wrong with the line.
    """
    try:
        line.decode()
        said: Any = msgspec.json.decode(line)
    except UnicodeDecodeError:
        raise InvalidInputError("the line is not UTF-8", code="INVALID_UTF8") from None
    except RecursionError:
        raise InvalidInputError("the line is nested too deeply", code="INVALID_JSON") from None
    except msgspec.DecodeError as reason:
        raise InvalidInputError(f"the line is not JSON: {reason}", code="INVALID_JSON") from None
    if not isinstance(said, dict):
        raise InvalidInputError("the line is not a JSON object", code="NOT_AN_OBJECT")
    _check_kind(said)  # pyright: ignore[reportUnknownArgumentType]
    try:
        return _decode(msgspec.json.encode(_with_plain_times(said)))  # pyright: ignore[reportUnknownArgumentType]
    except msgspec.ValidationError as reason:
        raise _refusal(str(reason)) from None
    except (msgspec.DecodeError, RecursionError):
        raise InvalidInputError(f"the line is not JSON: {error}", code="INVALID_JSON") from None


def _check_kind(said: dict[str, Any]) -> None:
    if "kind" not in said:
        raise InvalidInputError("the field kind is missing", code="MISSING_FIELD", path=("kind",))
    if not isinstance(said["kind"], str):
        raise InvalidInputError("kind is not a string", code="WRONG_TYPE", path=("kind",))
    if said["kind"] not in KINDS:
        message = f"kind is none of {', '.join(KINDS)}"
        raise InvalidInputError(message, code="UNKNOWN_KIND", path=("kind",))


def _with_plain_times(said: dict[str, Any]) -> dict[str, Any]:
    for name in _TIMES:
        value = said.get(name)
        if isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                message = f"{name} is not a time in ISO 8601"
                raise InvalidInputError(message, code="INVALID_TIME", path=(name,)) from None
            if moment.tzinfo is None:
                message = f"{name} has no offset: write Z or +01:00 after the time"
                raise InvalidInputError(message, code="TIME_WITHOUT_OFFSET", path=(name,))
            said[name] = moment.isoformat()
    return said


_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`", re.DOTALL)
_AT = re.compile(r"(?P<what>.*?)(?: - at `\$\.(?P<field>[a-z_]+)[^`]*`)?", re.DOTALL)


def _refusal(reason: str) -> InvalidInputError:
    """What msgspec (pinned, and held by tests) found, with a code of ours."""
    if (missing := _MISSING.match(reason)) is not None:
        field = missing["field"]
        return InvalidInputError(f"the field {field} is missing", code="MISSING_FIELD", path=(field,))
    if (unknown := _UNKNOWN.match(reason)) is not None:
        field = unknown["field"][:64]
        return InvalidInputError(f"there is no field {field} in this kind", code="UNKNOWN_FIELD", path=(field,))
    found = _AT.fullmatch(reason)
    field = (found and found["field"]) or ""
    what = found["what"] if found else reason
    path = (field,) if field else ()
    if what.startswith("Invalid RFC3339"):
        return InvalidInputError(f"{field} is not a date or time in ISO 8601", code="INVALID_TIME", path=path)
    if what.startswith("Invalid enum value"):
        return InvalidInputError(f"{field} is none of the values it may have", code="INVALID_VALUE", path=path)
    if "out of range" in what or ">=" in what or "<=" in what:
        return InvalidInputError(f"{field} is out of range", code="INVALID_VALUE", path=path)
    what = what[:1].lower() + what[1:]
    return InvalidInputError(f"{field}: {what.replace('`', '')}", code="WRONG_TYPE", path=path)
