"""POST /ingest: a stream of records by whoever may send them, counted line by line."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import Api

NDJSON = {"Content-Type": "application/x-ndjson"}


def user(key: str, **fields: Any) -> str:
    return json.dumps({"kind": "user", "key": key, "jurisdiction": "GB", **fields})


def send(api: Api, content: Any, role: str | None = "service", **headers: str) -> httpx.Response:
    return api.post("/ingest", role, content=content, headers=NDJSON | headers)


def code_of(response: httpx.Response) -> str:
    (error,) = response.json()["errors"]
    return error["extensions"]["code"]


def people(api: Api) -> set[str]:
    query = "query ($k: String!) { user(key: $k) { key } }"
    return {key for key in ("u1", "u2", "u3") if api.data(query, {"k": key})["user"] is not None}


def test_records_are_counted_and_repeating_them_changes_nothing(api: Api) -> None:
    lines = f"{user('u1')}\n\n{user('u2')}\n".encode()

    first, second = send(api, lines), send(api, lines)

    assert first.json() == {"accepted": 2, "unchanged": 0, "rejected": 0, "errors": []}
    assert second.json() == {"accepted": 0, "unchanged": 2, "rejected": 0, "errors": []}
    assert people(api) == {"u1", "u2"}


@pytest.mark.parametrize("role", ["service", "admin"])
def test_roles_that_may(api: Api, role: str) -> None:
    assert send(api, user("u1").encode(), role).status_code == 200


@pytest.mark.parametrize("role", ["ml", "compliance", "auditor"])
def test_roles_that_may_not_get_403_and_nothing_is_recorded(api: Api, role: str) -> None:
    response = send(api, user("u1").encode(), role)

    assert (response.status_code, code_of(response)) == (403, "FORBIDDEN")
    assert people(api) == set()


BAD_LINES = {
    "not json": b"not json",
    "an array": b"[1]",
    "invalid UTF-8": b'{"kind": "user", "key": "\xff"}',
    "an unknown kind": b'{"kind": "person", "key": "u"}',
    "no kind": b'{"key": "u"}',
    "an unknown field": user("u3", name="Ada").encode(),
    "a wrong type": user("u3", jurisdiction=5).encode(),
    "a time without offset": user("u3", valid_from="2024-01-01T00:00:00").encode(),
    "a time in the far future": user("u3", valid_from="2999-01-01T00:00:00Z").encode(),
    "a long key": user("x" * 257).encode(),
    "a control character": user("a\u0007b").encode(),
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_is_told_and_the_good_ones_load(api: Api, bad: bytes) -> None:
    response = send(api, b"\n".join([user("u1").encode(), bad, user("u2").encode()]))

    answer = response.json()
    assert response.status_code == 200
    assert (answer["accepted"], answer["unchanged"], answer["rejected"]) == (2, 0, 1)
    (error,) = answer["errors"]
    assert error.keys() == {"line", "field", "code", "message"}
    assert error["line"] == 2
    assert error["code"]
    assert error["message"]
    assert people(api) == {"u1", "u2"}


def test_the_first_100_rejections_are_told_and_all_are_counted(api: Api) -> None:
    answer = send(api, b"\n".join([b"nonsense"] * 150)).json()

    assert (answer["rejected"], len(answer["errors"])) == (150, 100)


def test_a_gzip_stream_is_inflated(api: Api) -> None:
    lines = "\n".join(user(key) for key in ("u1", "u2", "u3")).encode()

    response = send(api, gzip.compress(lines), **{"Content-Encoding": "gzip"})

    assert response.json()["accepted"] == 3


def test_a_gzip_stream_that_ends_in_the_middle_is_400(api: Api) -> None:
    whole = gzip.compress("\n".join(user(f"u{number}") for number in range(200)).encode())

    response = send(api, whole[:-20], **{"Content-Encoding": "gzip"})

    assert (response.status_code, code_of(response)) == (400, "GZIP_INVALID")
    assert send(api, whole, **{"Content-Encoding": "gzip"}).json()["rejected"] == 0


def test_a_body_without_a_length_is_read_as_a_stream(api: Api) -> None:
    def chunks() -> Iterator[bytes]:
        for number in range(500):
            line = user(f"stream-{number}").encode() + b"\n"
            yield line[:20]
            yield line[20:]

    assert send(api, chunks()).json()["accepted"] == 500


def test_a_line_without_an_end_is_refused_at_a_bound(api: Api) -> None:
    def endless() -> Iterator[bytes]:
        yield user("u1").encode() + b'\n{"kind": "user", "key": "'
        for _ in range(512):
            yield b"x" * 65536
        yield b'"}\n' + user("u2").encode()

    answer = send(api, endless()).json()

    assert (answer["accepted"], answer["rejected"]) == (2, 1)
    assert answer["errors"][0]["line"] == 2
    assert people(api) == {"u1", "u2"}


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_a_wrong_content_type_is_415(api: Api, content_type: str) -> None:
    response = send(api, user("u1").encode(), **{"Content-Type": content_type})

    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_an_unknown_encoding_is_415(api: Api, encoding: str) -> None:
    response = send(api, user("u1").encode(), **{"Content-Encoding": encoding})

    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_an_empty_body_is_no_records(api: Api) -> None:
    assert send(api, b"").json() == {"accepted": 0, "unchanged": 0, "rejected": 0, "errors": []}
