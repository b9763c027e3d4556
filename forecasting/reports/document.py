"""From a plan to the blocks that every form is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from forecasting.reports.base import (
    Block,
    Bullets,
    Cell,
    Details,
    Document,
    Figure,
    Heading,
    KeyFigures,
    Paragraph,
    Section,
    SectionContent,
    Table,
)
from forecasting.reports.formatting import clean, name
from forecasting.terms.plan import Plan


def build_document(plan: Plan, sections: Sequence[Section] | None = None) -> Document:
    """Return the plan's sections with their blocks; all text is on one line, printable and of bounded length.

    Parameters
    ----------
    plan : Plan
        The result of a run; nothing else is read.
    sections : sequence of Section or None
        Sections to print, in order; None = the table in `forecasting.reports.sections`.
    """
    if sections is None:
        from forecasting.reports.sections import SECTIONS

        sections = SECTIONS
    return Document(
        title=f"Service level and capacity plan: {name(plan.organisation)}",
        organisation=name(plan.organisation),
        sections=tuple(
            SectionContent(number=s.number, title=s.title, blocks=tuple(_tidy(b) for b in s.blocks(plan)))
            for s in sections
        ),
    )


def _tidy(block: Block) -> Block:
    """Clean every text of a block."""
    match block:
        case Heading() | Paragraph():
            return replace(block, text=clean(block.text))
        case Bullets():
            return replace(block, title=clean(block.title), items=tuple(clean(i) for i in block.items))
        case Table():
            return _tidy_table(block)
        case KeyFigures():
            return replace(
                block,
                items=tuple(
                    replace(i, label=clean(i.label), note=clean(i.note), cell=_tidy_cell(i.cell)) for i in block.items
                ),
            )
        case Figure():
            return replace(
                block,
                alt=clean(block.alt),
                caption=clean(block.caption),
                data=tuple(_tidy_table(t) for t in block.data),
            )
        case Details():
            return replace(block, summary=clean(block.summary), blocks=tuple(_tidy(b) for b in block.blocks))


def _tidy_table(block: Table) -> Table:
    """Clean every text of a table."""
    return replace(
        block,
        caption=clean(block.caption),
        note=clean(block.note),
        columns=tuple(replace(c, name=clean(c.name), unit=clean(c.unit)) for c in block.columns),
        rows=tuple(tuple(_tidy_cell(c) for c in row) for row in block.rows),
    )


def _tidy_cell(cell: Cell) -> Cell:
    """Clean the words of a cell; most cells are clean already and stay the same object."""
    shown = clean(cell.text)
    value = clean(cell.value) if isinstance(cell.value, str) else cell.value
    if shown == cell.text and value == cell.value:
        return cell
    return replace(cell, text=shown, value=value)
