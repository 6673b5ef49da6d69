"""What a line may say, and the code of every refusal that needs nothing but the line."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
from msgspec import UNSET

from consentline.domain.errors import InvalidInputError
from consentline.domain.keys import check_key
from consentline.domain.record_lines import parse
from consentline.domain.records import KINDS, Post, User
from consentline.usecases.lines import LONGEST_LINE, split_lines

LATEST = datetime(2026, 6, 2, tzinfo=UTC)
TIME = "2024-09-13T00:00:00+01:00"

EXAMPLES: dict[str, dict[str, Any]] = {
    "user": {"key": "u", "jurisdiction": "GB-SCT", "adult_from": "2010-01-01", "valid_from": TIME},
    "post": {
        "key": "p",
        "author": "u",
        "platform": "FACEBOOK",
        "post_kind": "PHOTO",
        "visibility": "PUBLIC",
        "published_at": TIME,
        "depicts": ["v"],
        "special_category": True,
        "content_digest": "sha256:" + "a" * 64,
    },
    "visibility": {"post": "p", "visibility": "FRIENDS", "valid_from": TIME},
    "post_author": {"post": "p", "author": "v", "reason": "a shared device"},
    "post_deleted": {"post": "p", "valid_from": TIME},
    "policy": {
        "key": "gb",
        "version": 1,
        "jurisdiction": "GB",
        "purpose": "AI_TRAINING",
        "lawful_basis": "CONSENT",
        "effective_from": "2030-01-01T00:00:00Z",
        "notice_required": False,
        "objection_window_days": 30,
        "platforms": ["FACEBOOK"],
        "assessment": "lia:1",
        "assessment_expires": "2036-01-01T00:00:00Z",
        "protects_depicted": True,
        "flags_past_use": False,
        "objection_absolute": True,
        "gate_flagged_bases": False,
        "effective_until": "2040-01-01T00:00:00Z",
    },
    "notice": {"key": "n", "version": 1, "purpose": "AI_TRAINING", "channel": "IN_APP", "published_at": TIME},
    "notice_served": {"user": "u", "notice": "n", "version": 1, "served_at": TIME, "seen_at": TIME},
    "consent": {"user": "u", "purpose": "AI_TRAINING", "status": "GIVEN", "valid_from": TIME},
    "objection": {"key": "o", "user": "u", "received_at": TIME, "purposes": ["AI_TRAINING"], "platforms": ["THREADS"]},
    "member": {"dataset": "d", "version": 1, "post": "p"},
    "member_removed": {"dataset": "d", "version": 1, "post": "p"},
    "seal": {"dataset": "d", "version": 1},
}


def line(kind: str, **changes: Any) -> bytes:
    """The example of a kind, changed; a field that is `...` is left out."""
    record = {"kind": kind} | EXAMPLES[kind] | changes
    return json.dumps({name: value for name, value in record.items() if value is not ...}).encode()


def refusal(text: bytes) -> tuple[str, str | None]:
    with pytest.raises(InvalidInputError) as caught:
        parse(text, LATEST)
    assert caught.value.message
    return caught.value.code, caught.value.path[-1] if caught.value.path else None


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_every_kind_of_the_contract_is_read(kind: str) -> None:
    assert type(parse(line(kind), LATEST)) is KINDS[kind]


def test_the_examples_are_all_kinds() -> None:
    assert EXAMPLES.keys() == KINDS.keys()


def test_an_absent_field_of_a_person_is_not_an_unknown_one() -> None:
    said = parse(line("user", jurisdiction=..., adult_from=None), LATEST)
    assert isinstance(said, User)
    assert said.jurisdiction is UNSET
    assert said.adult_from is None


def test_an_optional_field_may_be_null_or_absent() -> None:
    said = parse(line("post", depicts=None, special_category=..., content_digest=None), LATEST)
    assert isinstance(said, Post)
    assert (said.depicts, said.special_category, said.content_digest) == (None, None, None)


@pytest.mark.parametrize(
    "written", ["2024-09-12T23:00Z", "20240912T230000Z", "2024-09-13T00:00:00+0100", "2024-09-12 23:00:00Z"]
)
def test_times_are_iso_8601_and_not_only_rfc_3339(written: str) -> None:
    said = parse(line("post", published_at=written), LATEST)
    assert isinstance(said, Post)
    assert said.published_at == datetime(2024, 9, 12, 23, tzinfo=UTC)


@dataclass(frozen=True)
class Bad:
    """A line, and the code and field of its refusal."""

    text: bytes
    code: str
    field: str | None = None


BAD = [
    Bad(b"{", "INVALID_JSON"),
    Bad(b'{"kind":"user","key":"u"} x', "INVALID_JSON"),
    Bad(b'{"kind":"user","key":NaN}', "INVALID_JSON"),
    Bad(b'{"kind":"user","key":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "INVALID_JSON"),
    Bad(b'{"kind":"user","key":"a\x01b"}', "INVALID_JSON"),
    Bad(b'{"kind":"user","key":"\xff\xfe"}', "INVALID_UTF8"),
    Bad(b'{"kind":"user","key":"u","x":"\xff"}', "INVALID_UTF8"),
    Bad(b'{"kind":"user","key":"\xed\xa0\x80"}', "INVALID_UTF8"),
    Bad(b'{"kind":"user","key":"\\ud800abcdef"}', "INVALID_JSON"),
    Bad(b"[]", "NOT_AN_OBJECT"),
    Bad(b"null", "NOT_AN_OBJECT"),
    Bad(b'"text"', "NOT_AN_OBJECT"),
    Bad(b"{}", "MISSING_FIELD", "kind"),
    Bad(b'{"kind":3}', "WRONG_TYPE", "kind"),
    Bad(b'{"kind":"like","key":"u"}', "UNKNOWN_KIND", "kind"),
    Bad(line("user", name="Ann"), "UNKNOWN_FIELD", "name"),
    Bad(line("user", **{"a`b": 1}), "UNKNOWN_FIELD", "a`b"),
    Bad(line("user", recorded_at=TIME), "UNKNOWN_FIELD", "recorded_at"),
    Bad(line("post", author=...), "MISSING_FIELD", "author"),
    Bad(line("post", author=None), "WRONG_TYPE", "author"),
    Bad(line("post", key=7), "WRONG_TYPE", "key"),
    Bad(line("post", depicts="v"), "WRONG_TYPE", "depicts"),
    Bad(line("post", depicts=["v", 3]), "WRONG_TYPE", "depicts"),
    Bad(line("post", special_category="yes"), "WRONG_TYPE", "special_category"),
    Bad(line("post", published_at=3), "WRONG_TYPE", "published_at"),
    Bad(line("seal", version="1"), "WRONG_TYPE", "version"),
    Bad(line("seal", version=True), "WRONG_TYPE", "version"),
    Bad(line("seal", version=0), "INVALID_VALUE", "version"),
    Bad(line("seal", version=2**64), "INVALID_VALUE", "version"),
    Bad(line("policy", objection_window_days=-1), "INVALID_VALUE", "objection_window_days"),
    Bad(line("post", post_kind="STORY"), "INVALID_VALUE", "post_kind"),
    Bad(line("post", visibility="public"), "INVALID_VALUE", "visibility"),
    Bad(line("post", platform="facebook"), "INVALID_VALUE", "platform"),
    Bad(line("objection", platforms=["threads"]), "INVALID_VALUE", "platforms"),
    Bad(line("post", platform="FACEBOOK "), "INVALID_VALUE", "platform"),
    Bad(line("post", platform="P" * 65), "INVALID_VALUE", "platform"),
    Bad(line("policy", platforms=["FACEBOOK", "Threads"]), "INVALID_VALUE", "platforms"),
    Bad(line("policy", purpose="ai_training"), "INVALID_VALUE", "purpose"),
    Bad(line("notice", purpose="AI-TRAINING"), "INVALID_VALUE", "purpose"),
    Bad(line("consent", purpose=""), "KEY_EMPTY", "purpose"),
    Bad(line("objection", purposes=["AI_TRAINING", "ads"]), "INVALID_VALUE", "purposes"),
    Bad(line("consent", status="ASKED"), "INVALID_VALUE", "status"),
    Bad(line("policy", lawful_basis="CONTRACT"), "INVALID_VALUE", "lawful_basis"),
    Bad(line("post", published_at="2024-09-13T00:00:00"), "TIME_WITHOUT_OFFSET", "published_at"),
    Bad(line("post", published_at="2024-09-13"), "TIME_WITHOUT_OFFSET", "published_at"),
    Bad(line("post", published_at="yesterday"), "INVALID_TIME", "published_at"),
    Bad(line("post", published_at="2024-02-30T00:00:00Z"), "INVALID_TIME", "published_at"),
    Bad(line("post", published_at="0001-01-01T00:00:00+14:00"), "INVALID_TIME", "published_at"),
    Bad(line("policy", effective_until="9999-12-31T23:59:59-14:00"), "INVALID_TIME", "effective_until"),
    Bad(line("user", adult_from="2010-02-30"), "INVALID_TIME", "adult_from"),
    Bad(line("post", published_at="2026-06-02T00:00:01Z"), "TIME_IN_FUTURE", "published_at"),
    Bad(line("visibility", valid_from="2036-01-01T00:00:00Z"), "TIME_IN_FUTURE", "valid_from"),
    Bad(line("post_deleted", valid_from="2036-01-01T00:00:00Z"), "TIME_IN_FUTURE", "valid_from"),
    Bad(line("user", valid_from="2036-01-01T00:00:00Z"), "TIME_IN_FUTURE", "valid_from"),
    Bad(line("consent", valid_from="2036-01-01T00:00:00Z"), "TIME_IN_FUTURE", "valid_from"),
    Bad(line("notice", published_at="2036-01-01T00:00:00Z"), "TIME_IN_FUTURE", "published_at"),
    Bad(line("notice_served", served_at="2036-01-01T00:00:00Z"), "TIME_IN_FUTURE", "served_at"),
    Bad(line("notice_served", seen_at="2036-01-01T00:00:00Z"), "TIME_IN_FUTURE", "seen_at"),
    Bad(line("notice_served", seen_at="2024-09-12T22:59:59Z"), "SEEN_BEFORE_SERVED", "seen_at"),
    Bad(line("objection", received_at="2036-01-01T00:00:00Z"), "TIME_IN_FUTURE", "received_at"),
    Bad(line("user", key=""), "KEY_EMPTY", "key"),
    Bad(line("user", key="  "), "KEY_EMPTY", "key"),
    Bad(line("post", author=""), "KEY_EMPTY", "author"),
    Bad(line("post", key="k" * 257), "KEY_TOO_LONG", "key"),
    Bad(line("post", author="k" * 257), "KEY_TOO_LONG", "author"),
    Bad(line("post", depicts=["k" * 257]), "KEY_TOO_LONG", "depicts"),
    Bad(line("user", key="a\x00b"), "KEY_CONTROL_CHARACTER", "key"),
    Bad(line("post", key="a\x7fb"), "KEY_CONTROL_CHARACTER", "key"),
    Bad(line("post", author="a\u0085b"), "KEY_CONTROL_CHARACTER", "author"),
    Bad(line("post_author", reason="a\u2028b"), "KEY_CONTROL_CHARACTER", "reason"),
    Bad(line("user", jurisdiction="Scotland"), "INVALID_JURISDICTION", "jurisdiction"),
    Bad(line("policy", jurisdiction="gb"), "INVALID_JURISDICTION", "jurisdiction"),
    Bad(line("user", jurisdiction="GB-"), "INVALID_JURISDICTION", "jurisdiction"),
    Bad(line("user", jurisdiction="UK"), "INVALID_JURISDICTION", "jurisdiction"),
    Bad(line("policy", jurisdiction="UK-SCT"), "INVALID_JURISDICTION", "jurisdiction"),
    Bad(line("post", content_digest="sha256:abc"), "INVALID_DIGEST", "content_digest"),
    Bad(line("notice", content_digest="md5:" + "a" * 32), "INVALID_DIGEST", "content_digest"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.code}-{bad.field}")
def test_a_bad_line_is_refused_with_its_code_and_field(bad: Bad) -> None:
    assert refusal(bad.text) == (bad.code, bad.field)


def test_what_lies_ahead_by_nature_may() -> None:
    parse(line("policy"), LATEST)
    said = parse(line("user", adult_from="2040-01-01"), LATEST)
    assert isinstance(said, User)
    assert said.adult_from == date(2040, 1, 1)


@pytest.mark.parametrize("key", ["k" * 256, "é" * 256, "a b", "<script>", "' OR 1=1 //", "{u:1})--", "日本", "\u202e"])
def test_keys_are_plain_text_and_stay_as_they_are(key: str) -> None:
    assert check_key(key, "key") == key
    said = parse(line("post", key=key, author=key), LATEST)
    assert isinstance(said, Post)
    assert (said.key, said.author) == (key, key)


def test_a_lone_surrogate_is_no_key() -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_key("a\ud800", "user")
    assert (caught.value.code, caught.value.path) == ("KEY_CONTROL_CHARACTER", ("user",))


def lines_of(*chunks: bytes) -> list[bytes | None]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def collect() -> list[bytes | None]:
        return [each async for group in split_lines(stream()) for each in group]

    return asyncio.run(collect())


@pytest.mark.parametrize(
    "chunks",
    [(b"ab\ncd\nef",), (b"a", b"b\nc", b"d\n", b"e", b"f"), (b"ab\n", b"", b"cd", b"\n", b"ef"), (b"ab", b"\ncd\nef")],
)
def test_lines_do_not_depend_on_where_the_chunks_are_cut(chunks: Iterable[bytes]) -> None:
    assert lines_of(*chunks) == [b"ab", b"cd", b"ef"]


def test_an_empty_stream_has_no_lines_and_a_final_line_feed_adds_none() -> None:
    assert lines_of() == []
    assert lines_of(b"") == []
    assert lines_of(b"a\n") == [b"a"]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert lines_of(b"\xef\xbb\xbfa\nb") == [b"a", b"b"]


def test_a_line_that_is_too_long_is_named_and_the_rest_goes_on() -> None:
    longest = b"x" * LONGEST_LINE
    assert lines_of(longest + b"\nb\n") == [longest, b"b"]
    assert lines_of(longest + b"x\nb\n") == [None, b"b"]
    assert lines_of(b"a\n" + longest, b"x\nb\n") == [b"a", None, b"b"]
    assert lines_of(longest, b"x", longest, b"\nb") == [None, b"b"]
    assert lines_of(longest, b"x") == [None]
