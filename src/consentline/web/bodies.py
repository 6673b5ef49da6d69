"""Reading request bodies within bounds."""

import zlib
from collections.abc import AsyncIterator

from starlette.requests import Request

from consentline.domain.errors import InvalidInputError

_PIECE = 256 * 1024


class BodyTooLargeError(InvalidInputError):
    """The body is larger than this service reads."""

    code = "BODY_TOO_LARGE"


class UnsupportedMediaTypeError(InvalidInputError):
    """The body is of a type, or in an encoding, that this endpoint does not read."""

    code = "UNSUPPORTED_MEDIA_TYPE"


async def read_body(request: Request, most: int) -> bytes:
    """The whole body, if it has at most `most` bytes; no more than that is ever held.

    Raises:
        BodyTooLargeError: it is larger.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise _too_large(most)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


async def inflate(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The bytes of a gzip stream (several members may follow each other), in pieces of bounded size.

    However much a chunk inflates to, only one piece of it is held at a time.

    Raises:
        InvalidInputError: GZIP_INVALID, when it is no gzip stream or ends in the middle; what came before is given.
    """
    inflater = zlib.decompressobj(wbits=31)
    begun = False
    async for chunk in chunks:
        rest = chunk
        while rest:
            if inflater.eof:
                inflater = zlib.decompressobj(wbits=31)
                begun = False
            begun = True
            try:
                piece = inflater.decompress(rest, _PIECE)
            except zlib.error:
                raise _bad_gzip() from None
            if piece:
                yield piece
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    while begun and not inflater.eof:
        # Input is used up; what the inflater still holds comes out piece by piece.
        piece = inflater.decompress(b"", _PIECE)
        if not piece:
            raise _bad_gzip()
        yield piece


def _too_large(most: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the body has more than {most} bytes")


def _bad_gzip() -> InvalidInputError:
    return InvalidInputError("the body is not a whole gzip stream", code="GZIP_INVALID")
