"""Options that several commands share, and how a workspace is opened with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from forecasting.workspace import Workspace

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", help="Folder with forecasting.yaml.", envvar="FORECASTING_WORKSPACE")
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="Cut-off, ISO date or instant: nothing at or after it is read. Default: end of data."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on standard output.")]
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, max=2**63 - 1, help="Seed of every simulation.")]
PathsOption = Annotated[int | None, typer.Option("--paths", min=200, max=100_000, help="Sample paths.")]
JobsOption = Annotated[int | None, typer.Option("--jobs", min=1, max=256, help="Processes.")]
FailOption = Annotated[bool, typer.Option("--fail-on-findings", help="Exit with 1 when something needs attention.")]
RowsOption = Annotated[int, typer.Option("--rows", min=1, help="Rows shown (JSON always has all).")]


def open_workspace(
    path: Path,
    *,
    seed: int | None = None,
    paths: int | None = None,
    jobs: int | None = None,
    mlflow: bool = False,
    strict: bool = False,
    notices: bool = True,
) -> Workspace:
    """Open a workspace with the settings given on the command line."""
    from dataclasses import replace

    from forecasting.terms.settings import Settings
    from forecasting.workspace import Workspace

    settings = Settings()
    if seed is not None:
        settings = replace(settings, seed=seed)
    if paths is not None:
        settings = replace(settings, paths=paths)
    if jobs is not None:
        settings = replace(settings, jobs=jobs)
    space = Workspace(path, mlflow=mlflow, settings=settings, strict=strict)
    if notices and space.catalogue.notices:
        count = len(space.catalogue.notices)
        print(f"note: {count} notes on the catalogue; forecasting catalogue check -w {path}", file=sys.stderr)  # noqa: T201
    return space
