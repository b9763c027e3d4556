"""The plan in each of its forms: HTML, Markdown, JSON and the top of it as plain text."""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from forecasting.reports.base import Bullets, Document, KeyFigures, Paragraph, Table
from forecasting.reports.document import build_document
from forecasting.terms.plan import Plan

if TYPE_CHECKING:
    from markupsafe import Markup

_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}Z)?")
_DOCUMENTS: WeakKeyDictionary[Plan, Document] = WeakKeyDictionary()
SUMMARY_LINES = 40
SUMMARY_ROWS = 3
SUMMARY_WIDTH = 110


def render_html(plan: Plan) -> str:
    """Return the plan as one self-contained HTML page that loads nothing and runs only its own script.

    Parameters
    ----------
    plan : Plan
        The result of a run; nothing else is read.

    Returns
    -------
    str
        A whole document. Its policy (Content-Security-Policy) allows exactly the style and the script inside it.
    """
    return html(_document(plan))


def render_markdown(plan: Plan) -> str:
    """Return the plan as Markdown with the same numbers."""
    from forecasting.reports.markdown import markdown

    return markdown(_document(plan))


def render_json(plan: Plan) -> str:
    """Return the plan as exactly one JSON document with the same texts and, beside them, values to 12 digits."""
    from forecasting.reports.plain_json import plain_json

    return plain_json(_document(plan), plan)


def summary_text(plan: Plan) -> str:
    """Return the top of the plan as plain text for a terminal: at most 40 lines of at most 110 characters."""
    from forecasting.reports.sections import SECTIONS

    document = build_document(plan, [s for s in SECTIONS if s.number in {0, 1, 2}])
    lines = [document.title, "=" * min(len(document.title), SUMMARY_WIDTH)]
    for section in document.sections:
        if section.number:
            lines += ["", section.title.upper()]
        for block in section.blocks:
            match block:
                case Paragraph():
                    lines += textwrap.wrap(block.text, SUMMARY_WIDTH)
                case KeyFigures(compact=True):
                    facts = " · ".join(f"{i.label}: {i.cell.text}" for i in block.items)
                    lines += textwrap.wrap(facts, SUMMARY_WIDTH)
                case KeyFigures():
                    lines += [f"  {i.label:<44} {i.cell.text}" for i in block.items]
                case Table():
                    lines += _rows(block, section.number)
                case Bullets():
                    continue
                case _:
                    continue
    cut = [line if len(line) <= SUMMARY_WIDTH else line[: SUMMARY_WIDTH - 1] + "…" for line in lines]
    if len(cut) > SUMMARY_LINES:
        cut = [*cut[: SUMMARY_LINES - 1], "… the rest is in the report"]
    return "\n".join(cut) + "\n"


def _document(plan: Plan) -> Document:
    """Return the plan's document, built once for all forms while the plan (which never changes) lives."""
    found = _DOCUMENTS.get(plan)
    if found is None:
        found = _DOCUMENTS[plan] = build_document(plan)
    return found


def _rows(table: Table, section: int) -> list[str]:
    """Return the rows of a table as plain lines: decisions with their numbers below, else one line each."""
    if section == 1:
        lines = []
        for number, what, by, cost, before, after, undecided in (tuple(c.text for c in row) for row in table.rows):
            lines.append(f"  {number}. {what}")
            lines.append(f"     by {by} · {cost} · P(miss) {before} → {after} · if not decided: {undecided}")
        return lines
    shown = table.rows[:SUMMARY_ROWS]
    grid = [[c.name for c in table.columns], *([cell.text for cell in row] for row in shown)]
    widths = [min(max(len(line[at]) for line in grid), 40) for at in range(len(table.columns))]
    lines = ["", f"  {table.caption}"]
    for line in grid:
        cells = [
            f"{text[:width]:>{width}}" if column.align == "right" else f"{text[:width]:<{width}}"
            for text, width, column in zip(line, widths, table.columns, strict=True)
        ]
        lines.append("    " + "  ".join(cells).rstrip())
    return lines


def html(document: Document) -> str:
    """Return a document as HTML; see `render_html`."""
    from importlib.resources import files

    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment
    from markupsafe import Markup

    package = files("forecasting.reports")
    style, script, template = (
        package.joinpath(f).read_text(encoding="utf-8") for f in ("report.css", "report.js", "report.html.j2")
    )
    environment = SandboxedEnvironment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    return environment.from_string(template).render(
        document=document,
        # Our own files and matplotlib's drawings, whose texts are escaped when the drawing is written.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        drawing=Markup,
        dates=unbroken_dates,
        policy=f"default-src 'none'; style-src {policy_source(style)}; script-src {policy_source(script)}; "
        "img-src 'none'; base-uri 'none'; form-action 'none'",
        kind=lambda block: type(block).__name__,
    )


def unbroken_dates(text: str) -> Markup:
    """Escape a text and keep each ISO date on one line, for a template that escapes by itself.

    Examples
    --------
    >>> print(unbroken_dates("by 2027-03-01 <b>"))
    by <span class="nb">2027-03-01</span> &lt;b&gt;
    """
    from markupsafe import Markup, escape

    return Markup(_DATE.sub(r'<span class="nb">\g<0></span>', str(escape(text))))  # noqa: S704


def policy_source(content: str) -> str:
    """Return the source of a Content-Security-Policy that allows exactly this style or script.

    Source: W3C, Content Security Policy Level 3, "hash-source".

    Examples
    --------
    >>> policy_source("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
