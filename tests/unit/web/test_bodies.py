import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Iterable

import pytest

from consentline.domain.errors import InvalidInputError
from consentline.web.bodies import inflate


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def inflated(chunks: Iterable[bytes]) -> list[bytes]:
    async def work() -> list[bytes]:
        return [piece async for piece in inflate(stream(chunks))]

    return asyncio.run(work())


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[begin : begin + size] for begin in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_a_gzip_stream_is_inflated_however_it_is_cut(size: int) -> None:
    text = b"".join(b"line %d\n" % number for number in range(5000))

    assert b"".join(inflated(pieces(gzip.compress(text), size))) == text


@pytest.mark.parametrize("size", [1, 13, 10**6])
def test_members_that_follow_each_other_are_one_stream(size: int) -> None:
    data = gzip.compress(b"one\n") + gzip.compress(b"two\n") + gzip.compress(b"")

    assert b"".join(inflated(pieces(data, size))) == b"one\ntwo\n"


def test_an_empty_body_is_an_empty_stream() -> None:
    assert inflated([]) == []


@pytest.mark.parametrize(
    "data",
    [b"plain text", gzip.compress(b"a line\n" * 100)[:-9], gzip.compress(b"a\n")[:5], gzip.compress(b"a\n") + b"junk"],
    ids=["plain", "cut off in the end", "cut off in the header", "junk after it"],
)
def test_what_is_no_whole_gzip_stream_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError) as raised:
        inflated([data])

    assert raised.value.code == "GZIP_INVALID"


def test_a_bomb_is_held_one_piece_at_a_time() -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024), compresslevel=1)

    async def size() -> int:
        return sum([len(piece) async for piece in inflate(stream([bomb]))])

    tracemalloc.start()
    inflated_bytes = asyncio.run(size())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert inflated_bytes == 200 * 1024 * 1024
    assert peak < 20 * 1024 * 1024
