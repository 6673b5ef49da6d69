"""What `consentline doctor` does: everything that is wrong in the graph, a line each."""

import asyncio
import json
import sys

from rich.console import Console

from consentline.connection import open_service
from consentline.settings import Settings
from consentline.usecases.doctor import Finding, examine

UNSOUND = 2


def run_doctor(settings: Settings, *, as_json: bool) -> int:
    """Print what is wrong; the exit status: 0 when nothing is, else 2.

    Raises:
        ConsentlineError: the database cannot be reached.
    """
    findings = asyncio.run(_examine(settings))
    if as_json:
        sys.stdout.write(json.dumps([each._asdict() for each in findings], indent=2) + "\n")
    else:
        for each in findings:
            sys.stdout.write(f"{each.check:<12}{each.subject}: {each.message}\n")
        sys.stdout.write(f"{len(findings)} findings\n" if findings else "The graph is sound.\n")
    return UNSOUND if findings else 0


async def _examine(settings: Settings) -> list[Finding]:
    console = Console(stderr=True)
    async with open_service(settings) as service:
        if not console.is_terminal:
            return await examine(service)
        with console.status("examining") as status:
            return await examine(service, lambda what: status.update(f"examining {what}"))
