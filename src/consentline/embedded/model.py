"""What callers of the embedded Neo4j see: the server's address, its state, and the progress towards it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Stage = Literal["wait", "verify", "fetch", "start"]
State = Literal["stopped", "starting", "running", "stopping", "failed"]


@dataclass(frozen=True)
class Server:
    """A Neo4j on loopback that answers; the password never appears in a representation."""

    uri: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Progress:
    """How far the way to a running server is.

    `done` and `total` count bytes in the stages verify and fetch, and are 0 in wait (for another command that fetches
    or starts the same) and start.
    """

    stage: Stage
    done: int = 0
    total: int = 0


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Status:
    """What is known of the server of one home; `port`, `pid` and `error` are None where there is none."""

    state: State
    home: Path
    version: str
    port: int | None = None
    pid: int | None = None
    kept: bool = False
    error: str | None = None


def report_nothing(progress: Progress) -> None:
    """Ignore progress: what is used when the caller did not ask."""
