"""What `consentline plan` does: the retraining plan from the graph, for people or for programs."""

import asyncio
import json
from datetime import UTC, date, datetime, time, timedelta

from consentline.connection import open_service
from consentline.domain.errors import InvalidInputError
from consentline.domain.instants import Instant, from_datetime, parse_instant
from consentline.plan_document import document
from consentline.plan_text import lines
from consentline.settings import Settings
from consentline.usecases.plans import PlanAnswer, make_plan


def run_plan(settings: Settings, model: str | None, by: str | None, *, as_json: bool) -> str:
    """The plan for a model version (None: all with an open flag), for flags due by a day or an instant.

    Raises:
        InvalidInputError: `by` is neither.
        NotFoundError: the model version is not recorded.
        ConsentlineError: the database cannot be reached.
    """
    until = None if by is None else parse_by(by)
    answer = asyncio.run(_plan(settings, model, until))
    if as_json:
        return json.dumps(document(answer), ensure_ascii=False, indent=2) + "\n"
    return "".join(f"{line}\n" for line in lines(answer))


async def _plan(settings: Settings, model: str | None, by: Instant | None) -> PlanAnswer:
    async with open_service(settings) as service:
        return await make_plan(service, model, by)


def parse_by(text: str) -> Instant:
    """The last microsecond of a UTC day, or an instant with an offset.

    Raises:
        InvalidInputError: INVALID_TIME or TIME_WITHOUT_OFFSET.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return parse_instant(text, "--by")
    if day == date.max:
        raise InvalidInputError("--by lies outside the years 1 to 9999", code="INVALID_TIME", path=("--by",))
    return from_datetime(datetime.combine(day + timedelta(days=1), time(), UTC)) - 1
