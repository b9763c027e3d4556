"""What the command line prints: tables, one JSON document, progress, exit codes."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
_PIPE_WIDTH = 120
WIDE = 116
"""Columns of a terminal from which wide tables have room."""


@contextmanager
def stages(total: int) -> Iterator[Callable[[str], None]]:
    """Show the stages as a progress bar on standard error; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda stage: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=total)

        def advance(stage: str) -> None:
            bar.update(task, description=stage, advance=1)

        yield advance


def print_json(command: str, data: object) -> None:
    """Print one document with sorted keys."""
    document = {"schema_version": SCHEMA_VERSION, "command": command, "data": data}
    print(json.dumps(document, sort_keys=True, allow_nan=False, ensure_ascii=False, default=str))  # noqa: T201


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as plain values; missing ones are None."""
    text = frame.to_json(orient="records", date_format="iso", date_unit="s")
    rows: list[dict[str, Any]] = json.loads(text or "[]")
    return rows


def say(text: str) -> None:
    """Print one line without markup and wrapping, so that paths can be copied; no text of others moves the cursor."""
    print(inert(text))  # noqa: T201


def inert(text: str) -> str:
    r"""Return a text in which what a terminal would obey (escape sequences, changes of direction) is only shown.

    Examples
    --------
    >>> print(inert("late\x1b[31m data"))
    late\x1b[31m data
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def show_table(title: str, frame: pd.DataFrame, columns: Mapping[str, str], *, rows: int = 60) -> None:
    """Print chosen columns of a frame as a table; `columns` maps a column to its format.

    The formats are ``text`` (folded where it is long), ``name`` (folded at hyphens), ``key`` (never folded), ``%``,
    ``share``, ``money``, ``num``, ``ratio`` and ``day``. Nothing is cut off: what is too long goes on in the next line.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(inert(title), style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for column, form in columns.items():
        left = form in {"text", "name", "key", "day"}
        table.add_column(
            column.replace("_", " "), justify="left" if left else "right", overflow="fold", no_wrap=form != "text"
        )
    longest = 26 if console_width() >= WIDE else 20
    for record in frame.head(rows).to_dict("records"):
        texts = ((cell(record[column], form), form) for column, form in columns.items())
        table.add_row(*(Text(textwrap.fill(text, longest) if form == "name" else text) for text, form in texts))
    Console(soft_wrap=False, width=width()).print(table)
    more_rows(len(frame), rows)


def more_rows(count: int, shown: int) -> None:
    """Say how many rows were not shown."""
    if count > shown:
        say(f"… {count - shown} more rows (--json has all, --rows shows more)")


def width() -> int | None:
    """Return the width of tables where the terminal does not say: in a file or a pipe."""
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else _PIPE_WIDTH


def console_width() -> int:
    """Return the columns that a table may take."""
    from rich.console import Console

    return width() or Console().width


def cell(value: Any, form: str) -> str:
    """Return one cell as text; what is missing is a dash."""
    if value is None or value != value:
        return "–"
    if form == "%":
        return f"{100 * value:.0f} %"
    if form == "share":
        return percent(value)
    if form == "money":
        return f"{value:,.0f}"
    if form == "num":
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.3g}"
    if form == "ratio":
        return f"{value:.2f}"
    return str(value)[:10] if form == "day" else inert(str(value))


def percent(share: Decimal | float) -> str:
    """Return a share with two decimals, or up to four where two would hide a difference; never more than it is.

    Examples
    --------
    >>> percent(0.8), percent(Decimal("0.998999")), percent(Decimal("0.99999999"))
    ('80.00 %', '99.8999 %', '99.9999 %')
    """
    exact = share if isinstance(share, Decimal) else Decimal(repr(float(share)))
    shown = (exact * 100).quantize(Decimal("0.0001"), rounding=ROUND_FLOOR)
    short = shown.quantize(Decimal("0.01"), rounding=ROUND_FLOOR)
    return f"{short if short == shown else shown.normalize():f} %"


def interval(value: float, low: float, high: float) -> str:
    """Return a probability with its interval, such as ``72 % (46–90)``."""
    return f"{100 * value:.0f} % ({100 * low:.0f}–{100 * high:.0f})"


def money_unit(frame: pd.DataFrame) -> str:
    """Return the currency of a frame of results; there is one for a project."""
    known = sorted({str(c) for c in frame["currency"] if c})
    return ", ".join(known)


def exit_if(found: bool) -> None:
    """End with 1 where something needs attention."""
    if found:
        raise typer.Exit(1)
