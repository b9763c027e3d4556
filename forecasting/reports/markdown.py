"""The plan as Markdown (CommonMark with tables), from the same blocks as every other form."""

from __future__ import annotations

import re

from forecasting.reports.base import (
    Block,
    Bullets,
    Details,
    Document,
    Figure,
    Heading,
    KeyFigures,
    Paragraph,
    Table,
)

LARGEST_DATA_TABLE = 40
"""Rows up to which the data behind a figure are printed; longer ones are in the JSON form."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$])")
_STARTS = re.compile(r"^([-+=>])")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")


def escape(text: str) -> str:
    """Return text that Markdown prints as it is: no markup, no HTML, no link.

    Examples
    --------
    >>> escape("<b> [x](javascript:y) *z* http://a.b")
    '&lt;b&gt; \\\\[x\\\\](javascript:y) \\\\*z\\\\* http:&#47;&#47;a.b'
    """
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("://", ":\0")
    safe = _STARTS.sub(r"\\\1", _SPECIAL.sub(r"\\\1", plain))
    return _NUMBERED.sub(r"\1\\\2", safe).replace(":\0", ":&#47;&#47;")


def markdown(document: Document) -> str:
    """Return the document as Markdown, ending in a newline."""
    lines = [f"# {escape(document.title)}", ""]
    for section in document.sections:
        if section.number:
            lines += [f"## {section.number} {escape(section.title)}", ""]
        for block in section.blocks:
            lines += _block(block, 3)
    return "\n".join(lines).rstrip("\n") + "\n"


def _block(block: Block, level: int) -> list[str]:
    """Return the lines of one block, a blank line last."""
    match block:
        case Heading():
            return [f"{'#' * min(max(block.level, level), 6)} {escape(block.text)}", ""]
        case Paragraph():
            return [escape(block.text), ""]
        case Bullets():
            head = [f"**{escape(block.title)}**", ""] if block.title else []
            return [*head, *(f"- {escape(item)}" for item in block.items), ""]
        case KeyFigures():
            notes = [f" ({escape(item.note)})" if item.note else "" for item in block.items]
            return [
                *(
                    f"- {escape(i.label)}: **{escape(i.cell.text)}**{n}"
                    for i, n in zip(block.items, notes, strict=True)
                ),
                "",
            ]
        case Table():
            return _table(block)
        case Figure():
            lines = [f"*Figure: {escape(block.caption)}* {escape(block.alt)}", ""]
            for data in block.data:
                if len(data.rows) <= LARGEST_DATA_TABLE:
                    lines += _table(data)
                else:
                    lines += [f"The {len(data.rows)} rows behind it ({escape(data.caption)}) are in the JSON form.", ""]
            return lines
        case Details():
            lines = [f"{'#' * min(level, 6)} {escape(block.summary)}", ""]
            for inner in block.blocks:
                lines += _block(inner, level + 1)
            return lines


def _table(table: Table) -> list[str]:
    """Return the lines of a table."""
    heads = [escape(f"{c.name} ({c.unit})" if c.unit else c.name) for c in table.columns]
    rules = ["---:" if c.align == "right" else "---" for c in table.columns]
    lines = [f"**{escape(table.caption)}**", "", f"| {' | '.join(heads)} |", f"| {' | '.join(rules)} |"]
    lines += [f"| {' | '.join(escape(cell.text) for cell in row)} |" for row in table.rows]
    return [*lines, "", *([escape(table.note), ""] if table.note else [])]
