"""What `consentline audit verify` does."""

import asyncio

from consentline.cli_notices import shown
from consentline.connection import open_service
from consentline.domain.audit import READ, Verification
from consentline.settings import Settings
from consentline.usecases.audit import enter, operator, verify

_MOST_TOLD = 20


def run_verify(settings: Settings) -> bool:
    """Look at every entry and print what was found; whether nothing is wrong.

    Raises:
        ConsentlineError: the database cannot be reached, or this look not be entered itself.
    """
    found = asyncio.run(_verify(settings))
    missing = found.missing
    counts = f"{len(found.changed):,} changed, {sum(missing.values()):,} missing"
    if found.apart:
        counts += f", {len(found.apart):,} whose clocks were apart"
    print(f"{found.entries:,} entries of {found.processes:,} processes: {counts}")  # noqa: T201 - the command's answer
    for uid in found.changed[:_MOST_TOLD]:
        print(f"changed: {uid}")  # noqa: T201
    for uid in found.apart[:_MOST_TOLD]:
        print(f"clocks apart: {uid}")  # noqa: T201
    for process, count in list(missing.items())[:_MOST_TOLD]:
        print(f"missing: {count:,} of process {process}")  # noqa: T201
    return not found.changed and not found.apart and not missing


async def _verify(settings: Settings) -> Verification:
    async with open_service(settings) as service:
        await enter(service, operator(), "verifyAudit", READ)
        with shown("verifying", "entries") as report:
            return await verify(service, report)
