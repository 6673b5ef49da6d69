"""Subscriptions as server-sent events: the "distinct connections" mode of the GraphQL over SSE protocol.

    id: evt_…              of each event: send the last one back as Last-Event-ID, and what followed it comes first
    event: next            an answer; the last one may hold only errors, which say why it ends
    event: complete        nothing more comes; a stream that ends without it was cut off

The first block has an id and no event: it says where the stream begins. While nothing happens there is a comment now
and then, so that what lies between does not think the connection dead.
"""

import asyncio
import time
from collections.abc import AsyncGenerator

import orjson
from starlette.responses import StreamingResponse

from consentline.domain.errors import ConsentlineError, UnauthenticatedError
from consentline.gql.errors import internal_error
from consentline.gql.execution import Answer, Following
from consentline.usecases.feed import FeedClosedError

EVENT_STREAM = "text/event-stream"
_BEAT_SECONDS = 12.0
_COMPLETE = b"event: complete\ndata:\n\n"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def takes_streams(accept: str | None) -> bool:
    """Whether a client takes server-sent events."""
    return EVENT_STREAM in _types(accept)


def only_streams(accept: str | None) -> bool:
    """Whether a client takes server-sent events and nothing else."""
    return _types(accept) == {EVENT_STREAM}


def _types(accept: str | None) -> set[str]:
    items = (item.replace(" ", "").lower() for item in (accept or "").split(","))
    return {item.partition(";")[0] for item in items if not item.endswith(";q=0")}


class EventStream(StreamingResponse):
    """The answers of a subscription, for as long as the token is good."""

    def __init__(self, following: Following, *, expires_at: float, request_id: str) -> None:
        super().__init__(_blocks(following, expires_at, request_id), headers=_HEADERS, media_type=EVENT_STREAM)


_closing = set[asyncio.Task[None]]()
"""Kept until they are done: whoever waits for them may have been cancelled."""


async def _blocks(following: Following, expires_at: float, request_id: str) -> AsyncGenerator[bytes]:
    answers = following.answers
    coming: asyncio.Future[Answer] | None = None
    yield b":\n\n" if following.begun is None else f"id: {following.begun}\n\n".encode()
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(answers))
            left = expires_at - time.time()
            await asyncio.wait({coming}, timeout=max(0.0, min(left, _BEAT_SECONDS)))
            if left <= 0:
                raise UnauthenticatedError("the token has expired", code="TOKEN_EXPIRED")
            if not coming.done():
                yield b":\n\n"
                continue
            answer, coming = coming.result(), None
            yield _next(answer)
    except FeedClosedError:
        # Cut off without an end: the client comes again.
        return
    except StopAsyncIteration:
        yield _COMPLETE
    except ConsentlineError as error:
        yield _next(Answer(errors=[{"message": error.message, "extensions": {"code": error.code}}], ran=False))
        yield _COMPLETE
    except Exception as fault:
        yield _next(Answer(errors=[internal_error(fault, request_id)], ran=False))
        yield _COMPLETE
    finally:
        closing = asyncio.create_task(_close(answers, coming))
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)


async def _close(answers: AsyncGenerator[Answer], coming: asyncio.Future[Answer] | None) -> None:
    if coming is not None:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
    await answers.aclose()


def _next(answer: Answer) -> bytes:
    mark = b"" if answer.event is None else f"id: {answer.event.id}\n".encode()
    return mark + b"event: next\ndata: " + orjson.dumps(answer.body()) + b"\n\n"
