"""From a line to a record: everything that can be refused by looking at the line alone, with a code for each.

Keys and values are checked, never changed.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import msgspec

from consentline.domain.codes import check_jurisdiction, check_platform, check_purpose
from consentline.domain.errors import InvalidInputError
from consentline.domain.keys import LONGEST_KEY, check_key
from consentline.domain.pseudonyms import PREFIX
from consentline.domain.records import KINDS, NoticeServed, Post, Record

_decode = msgspec.json.Decoder[Record](Record).decode

_KEYS = ("key", "user", "author", "post", "notice", "dataset", "channel", "reason", "assessment", "depicts")
_CODES: dict[str, Callable[[str, str], str]] = {
    "jurisdiction": check_jurisdiction,
    "platforms": check_platform,
    "purpose": check_purpose,
    "purposes": check_purpose,
}
_HAPPENINGS = ("published_at", "served_at", "seen_at", "received_at", "valid_from")
_TIMES = (*_HAPPENINGS, "effective_from", "effective_until", "assessment_expires")
_FIRST = datetime(1, 1, 3, tzinfo=UTC)
_LAST = datetime(9999, 12, 29, tzinfo=UTC)


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


class _Fields(NamedTuple):
    """Which fields of a kind are held to what; those of keys and codes hold one or several."""

    texts: tuple[tuple[str, Callable[[str, str], str]], ...]
    times: tuple[str, ...]
    digest: bool


def _fields_of(kind: type[Record]) -> _Fields:
    checks = dict.fromkeys(_KEYS, check_key) | _CODES
    names = kind.__struct_fields__
    return _Fields(
        texts=tuple((name, check) for name, check in checks.items() if name in names),
        times=tuple(name for name in _TIMES if name in names),
        digest="content_digest" in names,
    )


_FIELDS: dict[type[Record], _Fields] = {kind: _fields_of(kind) for kind in KINDS.values()}


_SEEN_PLATFORMS: set[str] = set()


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
    """What `_check` does, by name and without a call where all is well: nearly every line of a large file is a post."""
    both = post.key + post.author
    plain = both.isascii() and both.isprintable() and " " not in both and PREFIX not in both
    if not (plain and 0 < len(post.key) <= LONGEST_KEY and 0 < len(post.author) <= LONGEST_KEY):
        check_key(post.key, "key")
        check_key(post.author, "author")
    if post.platform not in _SEEN_PLATFORMS:
        check_platform(post.platform, "platform")
        if len(_SEEN_PLATFORMS) < 1000:
            _SEEN_PLATFORMS.add(post.platform)
    if post.depicts is not None:
        for key in post.depicts:
            check_key(key, "depicts")
    if not _FIRST < post.published_at <= latest:
        _check_time(post.published_at, "published_at", latest)
    if post.content_digest is not None:
        _check_digest(post.content_digest)


def _check(record: Record, latest: datetime) -> None:
    fields = _FIELDS[type(record)]
    for name, check in fields.texts:
        given: object = getattr(record, name)
        if isinstance(given, str):
            check(given, name)
        elif isinstance(given, tuple):
            for value in cast("tuple[str, ...]", given):
                check(value, name)
    for name in fields.times:
        moment: datetime | None = getattr(record, name)
        if moment is not None:
            _check_time(moment, name, latest)
    if isinstance(record, NoticeServed) and record.seen_at is not None and record.seen_at < record.served_at:
        raise InvalidInputError("seen_at lies before served_at", code="SEEN_BEFORE_SERVED", path=("seen_at",))
    if fields.digest:
        digest: str | None = getattr(record, "content_digest")  # noqa: B009 - not every kind has one
        if digest is not None:
            _check_digest(digest)


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
