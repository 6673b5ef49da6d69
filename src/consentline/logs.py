"""Structured logs: one JSON object a line, without the values that messages and exceptions may hold."""

import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson

FIELDS = (
    *("request_id", "method", "route", "status", "ms", "role", "token_id"),
    *("webhook", "event", "attempt", "outcome", "error"),
)


class JsonFormatter(logging.Formatter):
    """Writes a record as JSON; an exception is its types and the lines that it passed, never its message."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        attributes = record.__dict__
        entry.update({name: attributes[name] for name in FIELDS if attributes.get(name) is not None})
        if record.exc_info and record.exc_info[1] is not None:
            entry["error"] = trace_of(record.exc_info[1])
        return orjson.dumps(entry).decode()


def trace_of(error: BaseException) -> list[str]:
    """The exception's types, causes first, each with the places that it passed; no value of any variable."""
    lines: list[str] = []
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        lines += trace_of(cause)
    lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
    lines += _places(error.__traceback__)
    return lines


def _places(trace: TracebackType | None) -> list[str]:
    return [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]


def configure(level: str = "INFO") -> None:
    """Send every log of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # What no line shows is not looked up for each of them ("Optimization" in the documentation of `logging`).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # The driver's messages can quote parameters.
    logging.getLogger("neo4j").setLevel("ERROR")
