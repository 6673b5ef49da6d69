"""Whatever the schema allows is answered without a server error: generated documents by schemathesis, in every role."""

import json
import os
import re
from collections.abc import Callable
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import graphql

from consentline.domain.access import Role
from consentline.story import FrontDoor, load_story
from tests.conftest import Api, repository

EXAMPLES = int(os.environ.get("CONSENTLINE_FUZZ_EXAMPLES", "12"))
"""Documents an operation; with more than the default they are drawn anew each time."""
ANEW = "CONSENTLINE_FUZZ_EXAMPLES" in os.environ

graphql.scalar("DateTime", st.datetimes().map(lambda moment: graphql.nodes.String(f"{moment.isoformat()}Z")))
graphql.scalar("Date", st.dates().map(lambda day: graphql.nodes.String(day.isoformat())))

SCHEMA = graphql.from_path(str(repository() / "schema" / "schema.graphql"))
OPERATIONS = {each.ok().label: each.ok() for each in SCHEMA.get_all_operations()}


SEED = repository() / "graph_seed"
RECORDS = [json.loads(line) for file in sorted(SEED.glob("*.ndjson")) for line in file.read_text().splitlines()]
KEYS = sorted({record[name] for record in RECORDS for name in ("key", "post", "user", "dataset") if name in record})
_NAMED = re.compile(r'\b(key|post|user|dataset|model|version|run|objection): "(?:[^"\\]|\\.)*"')


@pytest.fixture(scope="module")
def told(module_api: Api) -> Api:
    """A graph in which the reference case happened."""
    headers = {"authorization": f"Bearer {module_api.token()}"}
    with httpx.Client(base_url=module_api.url, headers=headers, timeout=60) as client:
        load_story(FrontDoor(client), SEED)
    return module_api


def fuzzed(api: Api, operation: Any) -> Callable[[], None]:
    """Ask what is drawn for the operation; half of the keys in it are such as are recorded."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=not ANEW,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), role=st.sampled_from(Role), keys=st.randoms(use_true_random=False))
    def ask(case: Any, role: Role, keys: Random) -> None:
        query = _NAMED.sub(
            lambda given: f'{given[1]}: "{keys.choice(KEYS)}"' if keys.getrandbits(1) else given[0], case.body
        )
        answer = api.post("/graphql", role, json={"query": query})
        assert answer.status_code in (200, 400), (answer.status_code, answer.text, query)
        codes = {error["extensions"]["code"] for error in answer.json().get("errors", [])}
        assert not codes & {"INTERNAL", "DATABASE_UNAVAILABLE", "AUDIT_UNAVAILABLE"}, (codes, query)

    return ask


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_document_meets_a_server_error(told: Api, label: str) -> None:
    fuzzed(told, OPERATIONS[label])()
