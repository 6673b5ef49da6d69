"""A service whose clock is set ahead and back under way."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

import pytest

from consentline.domain.instants import to_datetime
from tests.faults.cascades import Client, Tale, check, prepare
from tests.faults.installation import Database, Serving

HOUR = 3600
PEOPLE = 40
LAUNCHER = str(Path(__file__).with_name("stepped.py"))
DUE: LiteralString = "MATCH (o:Objection) RETURN DISTINCT o.received_at AS received, o.due_at AS due"
ENTRIES: LiteralString = """
MATCH (e:AuditEntry {operation: 'fileObjection'}) RETURN round((e.clock - e.at) / 3600000000.0) AS hours, count(*) AS n
"""


def test_a_service_whose_clock_is_set_ahead_and_back_records_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = tmp_path / "step"
    step.write_text("0")
    monkeypatch.setitem(os.environ, "STEP_FILE", str(step))
    with Database(tmp_path / "home").running() as database:
        serving = Serving(database, tmp_path / "service.log", launcher=(LAUNCHER,))
        try:
            serving.wait()
            asyncio.run(prepare(database, PEOPLE))
            client = Client(database, [serving], 0, Tale())
            for number in range(PEOPLE):
                step.write_text(str((0, HOUR, -HOUR, 0)[number * 4 // PEOPLE]))
                client.file(number, None)
            check(database, [serving], PEOPLE)
            ((_, due),) = database.rows(DUE)
            assert to_datetime(due) == datetime(2026, 4, 7, 22, 59, 59, tzinfo=UTC)
            assert dict(database.rows(ENTRIES)) == {0: 20, 1: 10, -1: 10}
            verified = database.command("audit", "verify")
            assert verified.returncode == 1
            assert " 0 changed, 0 missing, 20 whose clocks were apart\n" in verified.stdout
        finally:
            serving.stop()
