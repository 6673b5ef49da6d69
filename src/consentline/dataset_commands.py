"""`consentline dataset build|diff|export`: versions built from what may be used, compared, and handed to a pipeline."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from consentline.cli_errors import reported
from consentline.domain.datasets import VersionRef
from consentline.settings import Settings

# What costs time to import is imported by the command that needs it.

dataset_app = typer.Typer(
    name="dataset",
    help="Versions of datasets: build the next from what may be used, compare two, export one for training.",
    no_args_is_help=True,
)

_TIME = "ISO 8601 with an offset, such as 2025-01-01T00:00:00Z"
Dataset = Annotated[str, typer.Argument(help="The dataset's key.", metavar="DATASET")]
Purpose = Annotated[str, typer.Option(help="What the data is to be used for.")]


class Format(StrEnum):
    """What an export is written as."""

    NDJSON = "ndjson"
    PARQUET = "parquet"


@dataset_app.command("build")
def build(
    dataset: Dataset,
    title: Annotated[str | None, typer.Option(help="What people call the dataset.")] = None,
    purpose: Purpose = "AI_TRAINING",
    jurisdiction: Annotated[
        list[str] | None, typer.Option(help="Of the authors, such as GB or GB-SCT; repeat it for more. Left out: all.")
    ] = None,
    platform: Annotated[
        list[str] | None, typer.Option(help="Where the posts were made; repeat it for more. Left out: all.")
    ] = None,
    published_from: Annotated[
        str | None, typer.Option("--from", help=f"Published then or later: {_TIME}.", metavar="TIME")
    ] = None,
    published_before: Annotated[
        str | None, typer.Option("--before", help=f"Published before then: {_TIME}.", metavar="TIME")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help=f"Valid time of the selection: {_TIME}. Left out: now.", metavar="TIME")
    ] = None,
    progress: Annotated[bool, typer.Option("--progress/--no-progress", help="Show how far it is.")] = True,
) -> None:
    """Build and seal the next version of DATASET: the posts of the selection that may be used, as of TIME and now.

    Prints what was left out, by reason. Stopped at any moment, the same command goes on with it.

    Exits with 130 when it was stopped.
    """
    from consentline.cli_dataset import BuildOptions, run_build

    options = BuildOptions(
        dataset, title, purpose, jurisdiction or (), platform or (), published_from, published_before, as_of
    )
    with reported():
        status = run_build(Settings.load(), options, progress=progress)
    raise typer.Exit(status)


@dataset_app.command("diff")
def diff(
    dataset: Dataset,
    begin: Annotated[int, typer.Argument(help="The number of one version.", metavar="FROM")],
    end: Annotated[int, typer.Argument(help="The number of the other.", metavar="TO")],
    keys: Annotated[
        bool,
        typer.Option("--keys", help="Print the posts too, as NDJSON on standard output; counts then go to stderr."),
    ] = False,
) -> None:
    """Count the posts that version TO has and FROM has not, and the other way round."""
    from consentline.cli_dataset import run_diff

    with reported():
        run_diff(Settings.load(), dataset, begin, end, keys=keys)


@dataset_app.command("export")
def export(
    dataset: Dataset,
    number: Annotated[int, typer.Argument(help="The number of the version.", metavar="NUMBER")],
    format_: Annotated[
        Format | None, typer.Option("--format", help="What to write. Left out: by the file's name, else ndjson.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write. Left out: standard output.", metavar="FILE"),
    ] = None,
    purpose: Purpose = "AI_TRAINING",
    allow_ineligible: Annotated[
        bool, typer.Option("--allow-ineligible", help="Export also when members may not be used for the purpose now.")
    ] = False,
    by_shard: Annotated[
        bool, typer.Option("--by-shard", help="A line for each Shard, with its position: for sharded training.")
    ] = False,
) -> None:
    """Write the member keys of a SEALED version, sorted, for a training pipeline; checked against its digest.

    FILE appears whole or not at all. Refused while members may not be used now: build the next version instead.
    """
    from consentline.cli_dataset import run_export

    with reported():
        run_export(
            Settings.load(),
            VersionRef(dataset, number),
            parquet=_is_parquet(format_, output),
            output=output,
            purpose=purpose,
            allow_ineligible=allow_ineligible,
            by_shard=by_shard,
        )


def _is_parquet(form: Format | None, output: Path | None) -> bool:
    if form is None:
        return output is not None and output.suffix.lower() == ".parquet"
    return form is Format.PARQUET
