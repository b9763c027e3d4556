"""The command line: parse, choose, call the workspace, print, exit code.

Exit codes: 0 ok · 1 findings that need attention (with ``--fail-on-findings``) · 2 bad input · 3 partial result.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, NoReturn

import typer

from forecasting import __version__
from forecasting.cli import (
    analysis,
    answers,
    catalogue,
    ledger,
    models,
    negotiate,
    portfolio,
    proposals,
    scoring,
    service_levels,
    watch,
    what_if,
)
from forecasting.cli._output import SCHEMA_VERSION
from forecasting.terms.errors import CatalogueError, ForecastingError

app = typer.Typer(
    name="forecasting",
    help="History of service metrics → demand forecast → service level and breach risk → proposals → report, warnings.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

COMMANDS: dict[str, Callable[..., None]] = {
    "init": analysis.init,
    "ingest": analysis.ingest,
    "attainment": analysis.attainment,
    "budget": service_levels.budget,
    "credits": service_levels.credits_,
    "backtest": analysis.backtest,
    "forecast": analysis.forecast,
    "risk": analysis.risk,
    "score-risk": scoring.score_risk,
    "negotiate": negotiate.negotiate,
    "what-if": what_if.what_if,
    "portfolio": portfolio.portfolio,
    "propose": proposals.propose,
    "decide": proposals.decide,
    "outcome": proposals.outcome,
    "plan": analysis.plan,
    "warn": analysis.warn,
    "watch": watch.watch,
    "doctor": analysis.doctor,
}
"""Commands by name, in the order in which the help shows them."""

GROUPS: dict[str, typer.Typer] = {
    "catalogue": catalogue.app,
    "ledger": ledger.app,
    "models": models.app,
    "register": proposals.app,
    "warning": answers.app,
}
"""Groups of commands by name."""

for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
for _name, _group in GROUPS.items():
    app.add_typer(_group, name=_name, no_args_is_help=True)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)  # noqa: T201
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors of the user become one clear message and exit code 2."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=args, standalone_mode=True)
    except ForecastingError as error:
        _refuse(error, as_json="--json" in args)
    except ImportError as error:
        wrong = ForecastingError(
            argument="library",
            came=str(error),
            allowed="every library of service-forecasting",
            try_instead="pip install service-forecasting (forecasting doctor lists what is there)"
            + ("; or --no-mlflow" if (error.name or "").startswith("mlflow") else ""),
        )
        _refuse(wrong, as_json="--json" in args)
    except OSError as error:
        wrong = ForecastingError(
            argument="file",
            came=error.strerror or str(error),
            allowed="files and folders that can be read and written, and free space",
            try_instead="check the path, its permissions and the disk",
            file=None if error.filename is None else os.fsdecode(error.filename),
        )
        _refuse(wrong, as_json="--json" in args)


def _refuse(error: ForecastingError, *, as_json: bool) -> NoReturn:
    """Say what was wrong, once for people and, if asked for, once for programs; exit code 2."""
    if as_json:
        problems = error.problems if isinstance(error, CatalogueError) else ()
        document = {
            "schema_version": SCHEMA_VERSION,
            "error": error.as_dict(),
            "problems": [p.as_dict() for p in problems],
        }
        print(json.dumps(document, sort_keys=True, ensure_ascii=False))  # noqa: T201
    print(f"error: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(error.exit_code)
