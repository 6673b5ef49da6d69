import io

import pytest
from rich.console import Console

from consentline import cli_notices


def on_screen(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, patience: float) -> str:
    """What standard error shows of two reports."""
    screen = io.StringIO()

    def console(*, stderr: bool) -> Console:
        assert stderr
        return Console(file=screen, force_terminal=terminal, width=100)

    monkeypatch.setattr(cli_notices, "Console", console)
    monkeypatch.setattr(cli_notices, "PATIENCE_SECONDS", patience)
    with cli_notices.shown("counting") as report:
        report(2_000)
        report(4_000)
    return screen.getvalue()


def test_how_far_it_is_shows_once_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "counting: 4,000 people" in on_screen(monkeypatch, terminal=True, patience=0)


def test_what_is_quick_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_screen(monkeypatch, terminal=True, patience=3600) == ""


def test_a_file_for_errors_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_screen(monkeypatch, terminal=False, patience=0) == ""
