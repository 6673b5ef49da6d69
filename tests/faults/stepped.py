"""Runs `consentline serve` with a clock that somebody sets: the seconds in the file STEP_FILE are added to it.

A process of ours, and what checks tokens for it, read the clock through `time` and `datetime` only: both say another
time in these modules. Monotonic clocks are not touched, for nobody can set them.
"""

import datetime
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

STEP = Path(os.environ["STEP_FILE"])
REAL = datetime.datetime
REAL_TIME, REAL_TIME_NS = time.time, time.time_ns


def _step() -> float:
    return float(STEP.read_text() or 0)


class _Meta(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, REAL)


class Stepped(REAL, metaclass=_Meta):
    """`datetime`, whose present moment is another."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        """The present moment, by the clock that was set."""
        return REAL.now(tz) + datetime.timedelta(seconds=_step())


def main() -> None:
    """Set the clock, then run the command."""
    command = importlib.import_module("consentline.cli").main
    importlib.import_module("consentline.cli_serve")
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("consentline", "jwt") and getattr(module, "datetime", None) is REAL:
            vars(module)["datetime"] = Stepped
    time.time = lambda: REAL_TIME() + _step()
    time.time_ns = lambda: REAL_TIME_NS() + round(_step() * 1e9)
    sys.argv[0] = "consentline"
    command()


if __name__ == "__main__":
    main()
