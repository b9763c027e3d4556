"""The plan as one JSON document: the printed text and, beside it, the value to 12 significant digits."""

from __future__ import annotations

import json
import math

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
    Table,
)
from forecasting.reports.formatting import instant
from forecasting.terms.plan import Plan

SCHEMA_VERSION = 1


def plain_json(document: Document, plan: Plan) -> str:
    """Return exactly one JSON document with sorted keys, ending in a newline; never NaN or Infinity.

    Drawings are left out; their words and the numbers behind them are in.
    """
    m = plan.manifest
    whole = {
        "schema": "forecasting/plan",
        "schema_version": SCHEMA_VERSION,
        "title": document.title,
        "organisation": document.organisation,
        "as_of": instant(plan.as_of).value,
        "data_cut_off": instant(plan.as_of).value,
        "horizon_end": instant(plan.horizon_end).value,
        "data_first": plan.data_first.isoformat(),
        "data_last": plan.data_last.isoformat(),
        "currency": plan.currency,
        "manifest": {
            "run_id": m.run_id,
            "as_of": instant(m.as_of).value,
            "seed": m.seed,
            "paths": m.paths,
            "code_version": m.code_version,
            "catalogue_version": m.catalogue_version,
            "data_version": m.data_version,
            "libraries": dict(m.libraries),
            "settings": dict(m.settings),
        },
        "sections": [
            {"number": s.number, "title": s.title, "blocks": [_block(b) for b in s.blocks]} for s in document.sections
        ],
    }
    return json.dumps(whole, sort_keys=True, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def _block(block: Block) -> dict[str, object]:
    """Return one block as plain values."""
    match block:
        case Heading():
            return {"type": "heading", "text": block.text, "level": block.level}
        case Paragraph():
            return {"type": "paragraph", "text": block.text}
        case Bullets():
            return {"type": "bullets", "title": block.title, "items": list(block.items)}
        case KeyFigures():
            items = [{"label": i.label, "note": i.note, **_cell(i.cell)} for i in block.items]
            return {"type": "key_figures", "items": items}
        case Table():
            return _table(block)
        case Figure():
            return {
                "type": "figure",
                "name": block.name,
                "alt": block.alt,
                "caption": block.caption,
                "data": [_table(t) for t in block.data],
            }
        case Details():
            return {"type": "details", "summary": block.summary, "blocks": [_block(b) for b in block.blocks]}


def _table(table: Table) -> dict[str, object]:
    """Return a table as plain values."""
    return {
        "type": "table",
        "caption": table.caption,
        "note": table.note,
        "columns": [{"name": c.name, "unit": c.unit, "align": c.align} for c in table.columns],
        "rows": [[_cell(c) for c in row] for row in table.rows],
    }


def _cell(cell: Cell) -> dict[str, object]:
    """Return the text of a cell and what is known unrounded; a value that repeats the text is left out."""
    plain: dict[str, object] = {"text": cell.text}
    if cell.value is not None and cell.value != cell.text:
        plain["value"] = _finite(cell.value)
    if cell.low is not None and cell.high is not None:
        plain["low"], plain["high"] = _finite(cell.low), _finite(cell.high)
    if cell.unit:
        plain["unit"] = cell.unit
    if cell.price_date:
        plain["price_date"] = cell.price_date
    return plain


def _finite(value: float | int | str | bool) -> float | int | str | bool | None:
    """Return the value as JSON can carry it: not finite becomes null; 12 digits, as the rest differs by processor."""
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    return float(f"{value:.12g}") if math.isfinite(value) else None
