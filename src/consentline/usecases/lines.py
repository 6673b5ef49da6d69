"""Cutting a stream of bytes into lines in bounded memory."""

from collections.abc import AsyncGenerator, AsyncIterable

LONGEST_LINE = 1024 * 1024
"""In bytes, without the line feed; a longer line is refused and never held whole."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


async def split_lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[list[bytes | None]]:
    """The lines of each chunk that ended in it, without their line feeds; None stands for one that is too long.

    What follows the last line feed is a line too. Memory is bounded by one chunk and one line, however long lines are.
    """
    pieces: list[bytes] = []
    held = 0
    first = True
    async for chunk in chunks:
        end = chunk.find(b"\n")
        if end < 0:
            held += len(chunk)
            if held > LONGEST_LINE:
                pieces.clear()
            else:
                pieces.append(chunk)
            continue
        lines: list[bytes | None] = []
        if held:
            pieces.append(chunk[:end])
            lines.append(None if held + end > LONGEST_LINE else b"".join(pieces))
            pieces.clear()
            chunk = chunk[end + 1 :]
        whole = chunk.split(b"\n")
        last = whole.pop()
        lines += whole if len(chunk) <= LONGEST_LINE else map(_bounded, whole)
        held = len(last)
        if 0 < held <= LONGEST_LINE:
            pieces.append(last)
        if first and lines[0]:
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        first = False
        yield lines
    if held:
        yield [None if held > LONGEST_LINE else b"".join(pieces)]


def _bounded(line: bytes) -> bytes | None:
    return line if len(line) <= LONGEST_LINE else None
