"""The command `consentline report compliance`: the figures of a period, as JSON or as a page."""

import asyncio
import json
from datetime import date
from pathlib import Path

from consentline.connection import open_service
from consentline.domain.errors import InvalidInputError
from consentline.member_files import whole_file
from consentline.report_figures import ComplianceReport, compliance_report, document, period_of
from consentline.report_page import render
from consentline.settings import Settings


def run_report(settings: Settings, first: str, end: str, form: str | None, output: Path | None) -> str | None:
    """Make the report of the UTC days from `first` on, and before `end`; answer it unless it goes to a file.

    `form` is json or html; without one the file's name decides, and else it is json.

    Raises:
        InvalidInputError: REPORT_PERIOD, or FILE_UNWRITABLE.
        ConsentlineError: the database cannot be reached.
    """
    days = _day(first, "--from"), _day(end, "--to")
    period_of(*days)
    if output is not None and not output.absolute().parent.is_dir():
        raise InvalidInputError(f"the folder of {output} does not exist", code="FILE_UNWRITABLE")
    html = form == "html" or (form is None and output is not None and output.suffix.lower() in (".html", ".htm"))
    text = _text(asyncio.run(_make(settings, *days)), html=html)
    if output is None:
        return text
    with whole_file(output) as file:
        file.write(text.encode())
    return None


async def _make(settings: Settings, first: date, end: date) -> ComplianceReport:
    async with open_service(settings) as service:
        return await compliance_report(service, first, end)


def _text(report: ComplianceReport, *, html: bool) -> str:
    return render(report) if html else json.dumps(document(report), ensure_ascii=False, indent=2) + "\n"


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(f"{option} is a day such as 2026-01-31", code="REPORT_PERIOD") from None
