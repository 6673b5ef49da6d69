"""The pools that scenarios draw from, a scenario, and what to ask after it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.oracle import Step, instant

GRID = (
    datetime(2024, 1, 15, tzinfo=UTC),
    datetime(2024, 2, 14, tzinfo=UTC),  # 30 days later
    datetime(2024, 3, 15, tzinfo=UTC),  # 30 days later
    datetime(2024, 8, 31, 22, 30, tzinfo=UTC),  # 1 September in Sydney
    datetime(2025, 3, 15, 12, tzinfo=UTC),
    datetime(2026, 3, 15, tzinfo=UTC),
)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
AHEAD = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=12)  # by the clock of whoever says so
RECENT, FUTURE = TODAY - timedelta(days=10), TODAY + timedelta(days=20)  # windows are open, deadlines ahead
AT_AUTHORISATION = "AT_AUTHORISATION"  # stands for the time right after the run was authorised
ADULT_FROM = ("1990-05-17", "2024-01-15", "2024-02-14", "2024-02-15", "2025-03-15", "2025-03-16", "2031-01-01")
PEOPLE = ("ana", "ben", "cai", "dee", "eli")
POSTS = (
    *("facebook:p1", "facebook:p2", "facebook:p3", "instagram:p4", "instagram:p5"),
    *("instagram:p6", "threads:p7", "threads:p8", "facebook:p9", "threads:p10"),
)
NEVER_MENTIONED = "facebook:never-mentioned"
PLATFORMS = ("FACEBOOK", "INSTAGRAM", "THREADS")
PURPOSES = ("AI_TRAINING", "ADS", "RANKING")
JURISDICTIONS = ("GB", "GB-SCT", "AU", "IE", None)
# Keys sort as the names of the kinds of node do (dataset, model, run): paths compare alike by either.
DATASETS = ("corpus", "drafts", "extra")
MODELS = (("m1", "1"), ("m1", "2"), ("m2", "1"), ("m3", "1"), ("m3", "2"), ("m4", "1"), ("m4", "2"), ("m5", "1"))
LONGEST = 160
RUNS = ("run-1", "run-2", "run-3", "run-4")


@dataclass(frozen=True)
class Questions:
    posts: tuple[str, ...]
    purposes: tuple[str, ...]
    ats: tuple[str | None, ...]  # None: now


@dataclass(frozen=True)
class Scenario:
    """Steps to be applied one after the other."""

    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        lines = [f"  {number:2} {json.dumps(step)}" for number, step in enumerate(self.steps)]
        return "\n".join(["Scenario of the steps", *lines])

    def to_json(self) -> str:
        return json.dumps({"steps": self.steps}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Scenario":
        steps = json.loads(text)["steps"]
        return cls(tuple(step if isinstance(step, dict) else (step[0], step[1]) for step in steps))


def questions(scenario: Scenario) -> Questions:
    """What to ask after the scenario: every post that it mentions and one that it never does, around every date."""
    text = scenario.to_json()
    mentioned = [post for post in POSTS if f'"{post}"' in text]
    eves = (GRID[1] - timedelta(microseconds=1), GRID[4] + timedelta(microseconds=1))
    ats = (*(moment.isoformat() for moment in sorted((*GRID, *eves, RECENT))), None)
    return Questions((*mentioned, NEVER_MENTIONED), PURPOSES, ats)


def with_times(step: Step, authorized: Mapping[str, int]) -> Step:
    """The step as it is applied: a start at its run's authorisation names the time; authorised never, none."""
    if isinstance(step, Mapping) or step[0] != "startTraining" or step[1].get("startedAt") != AT_AUTHORISATION:
        return step
    name, given = step
    moment = authorized.get(given["run"])
    rest = {key: value for key, value in given.items() if key != "startedAt"}
    return (name, rest if moment is None else {**rest, "startedAt": instant(moment).isoformat()})
