"""What `consentline report compliance` refuses before it looks for a database."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consentline.cli import app
from consentline.cli_report import run_report
from consentline.domain.errors import InvalidInputError
from consentline.settings import Settings


@dataclass(frozen=True)
class Wrong:
    name: str
    first: str
    end: str
    telling: str


@pytest.mark.parametrize(
    "case",
    [
        Wrong("no day at the beginning", "yesterday", "2026-01-01", "--from is a day such as 2026-01-31"),
        Wrong("no day at the end", "2026-01-01", "2026-02-30", "--to is a day such as 2026-01-31"),
        Wrong("a time", "2026-01-01T00:00", "2026-02-01", "--from is a day"),
        Wrong("no day between", "2026-01-01", "2026-01-01", "a period ends after it begins"),
        Wrong("the wrong way round", "2026-01-02", "2026-01-01", "a period ends after it begins"),
        Wrong("more than ten years", "2000-01-01", "2026-01-01", "a period has at most 3660 days"),
    ],
    ids=lambda case: case.name,
)
def test_what_is_no_period_is_refused(tmp_path: Path, case: Wrong) -> None:
    with pytest.raises(InvalidInputError) as raised:
        run_report(Settings(home=tmp_path), case.first, case.end, None, None)

    assert raised.value.code == "REPORT_PERIOD"
    assert case.telling in raised.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_a_folder_that_does_not_exist_is_refused_before_anything_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "none" / "report.html"

    with pytest.raises(InvalidInputError) as raised:
        run_report(Settings(home=tmp_path), "2026-01-01", "2026-02-01", None, file)

    assert raised.value.code == "FILE_UNWRITABLE"
    assert raised.value.message == f"the folder of {file} does not exist"


def test_the_command_tells_it_in_one_line(tmp_path: Path) -> None:
    answer = CliRunner(env={"CONSENTLINE_HOME": str(tmp_path)}).invoke(
        app, ["report", "compliance", "--from", "2026-02-01", "--to", "2026-01-01"]
    )

    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == "error [REPORT_PERIOD]: a period ends after it begins\n"


def test_another_form_is_refused(tmp_path: Path) -> None:
    answer = CliRunner(env={"CONSENTLINE_HOME": str(tmp_path)}).invoke(
        app, ["report", "compliance", "--from", "2026-01-01", "--to", "2026-02-01", "--format", "pdf"]
    )

    assert answer.exit_code == 2
