"""What a report is made of: sections return blocks, and every form is drawn from the same blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from forecasting.terms.plan import Plan

Tone = Literal["plain", "good", "attention", "bad", "muted"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One value as it is printed, with the unrounded value beside it.

    Examples
    --------
    >>> Cell(text="34 % (27–41)", value=0.3412, low=0.27, high=0.41, unit="share").value
    0.3412
    """

    text: str
    """What every form prints; never empty and never ``nan``."""
    value: float | int | str | bool | None = None
    """Unrounded value for JSON and for sorting; None where the text is all there is."""
    low: float | None = None
    """Lower end of the printed interval, unrounded."""
    high: float | None = None
    unit: str = ""
    """Unit of `value`: ``share``, a currency, ``days``, ``date`` ..."""
    price_date: str = ""
    """ISO date of the prices behind a sum of money."""
    tone: Tone = "plain"
    """Emphasis; the words always say the same as the colour."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """Head of a table column."""

    name: str
    unit: str = ""
    align: Literal["left", "right"] = "left"


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A heading inside a section."""

    text: str
    level: Literal[3, 4, 5] = 3


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """Running text."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, kw_only=True)
class Bullets:
    """A list of short statements."""

    items: tuple[str, ...]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells under typed columns; `note` carries what holds for all of them, such as the price date."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    sortable: bool = True


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A drawing with its words and the numbers it was drawn from."""

    name: str
    """Unique within the report; made of letters, digits and hyphens."""
    svg: str
    """One ``<svg>`` element without style attributes, scripts or outside references."""
    alt: str
    """What a reader who cannot see it needs to know."""
    caption: str
    data: tuple[Table, ...]


@dataclass(frozen=True, kw_only=True)
class KeyFigure:
    """One number that matters, with what it means."""

    label: str
    cell: Cell
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class KeyFigures:
    """A row of key figures; `compact` prints them as a line of facts."""

    items: tuple[KeyFigure, ...]
    compact: bool = False


@dataclass(frozen=True, kw_only=True)
class Details:
    """Blocks a reader opens when needed."""

    summary: str
    blocks: tuple[Block, ...]


Block = Heading | Paragraph | Bullets | Table | Figure | KeyFigures | Details


class Section(Protocol):
    """One section of the plan: it returns blocks, at least one, which say why where there is nothing."""

    @property
    def number(self) -> int:
        """Number of the section in the plan's outline."""
        ...

    @property
    def title(self) -> str:
        """Title of the section."""
        ...

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return what the section prints."""
        ...


@dataclass(frozen=True, kw_only=True)
class SectionContent:
    """A section with its blocks, ready to be drawn."""

    number: int
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Document:
    """The whole report before it is drawn in any form."""

    title: str
    organisation: str
    sections: tuple[SectionContent, ...]


def table(
    caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, note: str = "", sortable: bool = True
) -> Table:
    """Make a `Table` and check that every row has a cell per column.

    Raises
    ------
    ValueError
        If a row has another number of cells than there are columns (a mistake in a section, not in data).

    Examples
    --------
    >>> table("Demand", [Column(name="Day")], [[Cell(text="2013-09-01")]]).rows[0][0].text
    '2013-09-01'
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"table {caption!r}: {len(row)} cells under {len(columns)} columns")
    return Table(
        caption=caption, columns=tuple(columns), rows=tuple(tuple(row) for row in rows), note=note, sortable=sortable
    )
