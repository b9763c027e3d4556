"""The printed plan, byte for byte; `UPDATE_GOLDEN=1 pytest tests/golden` writes it anew after a wanted change."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from plan_fixture import make_plan

from forecasting.reports.render import render_html, render_json, render_markdown, summary_text
from forecasting.terms.plan import Plan

GOLDEN = Path(__file__).parents[2] / "reports" / "golden"
FORMS: dict[str, Callable[[Plan], str]] = {
    "plan.html": render_html,
    "plan.md": render_markdown,
    "plan.json": render_json,
    "summary.txt": summary_text,
}
DRAWN_BY = "drawn-by.txt"


@pytest.mark.parametrize("file", FORMS)
def test_the_printed_plan_has_not_changed(file: str) -> None:
    came = FORMS[file](make_plan())
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / file).write_bytes(came.encode())
        (GOLDEN / DRAWN_BY).write_text(f"matplotlib {version('matplotlib')}\n", encoding="utf-8")
    expected = (GOLDEN / file).read_bytes().decode()
    if (GOLDEN / DRAWN_BY).read_text(encoding="utf-8").split()[1] != version("matplotlib"):
        # Another version of matplotlib moves points by fractions; everything but the drawings stays comparable.
        came, expected = (re.sub(r"<svg.*?</svg>", "<svg/>", text, flags=re.S) for text in (came, expected))
    assert came == expected
