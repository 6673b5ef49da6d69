"""How a command tells an expected error: one line on standard error and status 1, never a trace."""

from collections.abc import Generator
from contextlib import contextmanager

import typer

from consentline.domain.errors import ConsentlineError


@contextmanager
def reported() -> Generator[None]:
    """Tell an expected error in one line on standard error, and end with status 1."""
    try:
        yield
    except ConsentlineError as error:
        typer.echo(f"error [{error.code}]: {error.message}", err=True)
        raise typer.Exit(1) from None
