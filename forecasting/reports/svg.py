"""A matplotlib canvas for small, deterministic SVG without style attributes (so that a strict policy can hold)."""

from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Okabe & Ito (2008), Color Universal Design: distinguishable with every common colour blindness.
BLUE, SKY, GREEN, ORANGE, VERMILLION, PURPLE = "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7"
INK = "#010203"
"""Stands for the colour of the surrounding text; becomes ``currentColor``, so that dark mode works."""

_DROPPED = {"metadata", "title", "desc", "style"}
_KEPT_STYLES = {
    "fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-dashoffset", "stroke-linejoin", "stroke-linecap",
    "fill-opacity", "stroke-opacity", "opacity", "text-anchor", "font-size", "fill-rule",
}  # fmt: skip
_NUMBER = re.compile(r"-?\d+\.\d+")
_FONT_SIZE = re.compile(r"([\d.]+)px")


def canvas(width: float = 6.2, height: float = 2.5) -> tuple[Canvas, Axes]:
    """Return a figure of `width` × `height` inches and its quiet axes: no box, a light grid.

    Examples
    --------
    >>> figure, axes = canvas()
    >>> axes.spines["top"].get_visible()
    False
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0.09, 0.15, 0.89, 0.70))
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(INK)
        axes.spines[side].set_linewidth(0.6)
        axes.spines[side].set_alpha(0.6)
    axes.tick_params(colors=INK, labelsize=7.5, width=0.5, length=2.5)
    axes.grid(True, axis="y", color=INK, alpha=0.12, linewidth=0.5)
    axes.set_axisbelow(True)
    return figure, axes


def label(axes: Axes, *, y: str, x: str = "", note: str = "") -> None:
    """Write the unit of each axis and, at the lower right, a note such as the data cut-off."""
    axes.set_title(y, loc="left", pad=16, fontsize=7.5, color=INK, parse_math=False)
    if x:
        axes.set_xlabel(x, fontsize=7.5, color=INK, parse_math=False)
    if note:
        axes.figure.text(
            0.98, 0.015, note, ha="right", va="bottom", fontsize=6.5, color=INK, alpha=0.7, parse_math=False
        )


def time_axis(axes: Axes) -> None:
    """Label an axis of days since 1970-01-01 (matplotlib's own unit) with months."""
    from matplotlib import dates

    axes.xaxis_date()
    locator = dates.AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]
    axes.margins(x=0.01)


def days_since_epoch(when: date) -> float:
    """Return a day or an instant as days since 1970-01-01.

    Examples
    --------
    >>> days_since_epoch(date(1970, 1, 3)), days_since_epoch(datetime(1970, 1, 1, 12, tzinfo=UTC))
    (2.0, 0.5)
    """
    if isinstance(when, datetime):
        return when.astimezone(UTC).timestamp() / 86400
    return float((when - date(1970, 1, 1)).days)


def legend(axes: Axes, columns: int = 5) -> None:
    """Put the legend in one line above the drawing; names that start with ``_`` are kept out by matplotlib."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 0.985),
        ncols=columns,
        frameon=False,
        fontsize=6.8,
        labelcolor=INK,
        handlelength=1.4,
        columnspacing=1.1,
        handletextpad=0.5,
        borderpad=0.1,
    )


def finish(figure: Canvas, name: str, alt: str) -> str:
    """Return the figure as one ``<svg>`` element with text as text, named ids and presentation attributes only.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The drawing; it is not changed.
    name : str
        Prefix of the ids inside, so that many figures live in one page.
    alt : str
        Text alternative, put on the element as ``aria-label``.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "text.parse_math": False}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _slim(buffer.getvalue(), name, alt)


def _slim(svg: str, name: str, alt: str) -> str:
    """Drop what a page does not need and turn style attributes into presentation attributes."""
    from xml.etree import ElementTree

    root = ElementTree.fromstring(svg)  # noqa: S314  (matplotlib's own output, made two lines above)
    used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))
    _plain(root, {old: f"{name}-{i}" for i, old in enumerate(sorted(used))})
    view = root.get("viewBox", "0 0 1 1")
    root.attrib.clear()
    root.attrib.update({"viewBox": view, "role": "img", "aria-label": alt, "class": "chart"})
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _plain(node: Element, ids: dict[str, str]) -> None:
    """Rewrite one element and its children in place."""
    node.tag = node.tag.rsplit("}", 1)[-1]
    for key in list(node.attrib):
        value = node.attrib.pop(key)
        short = key.rsplit("}", 1)[-1]
        if short == "id":
            if value in ids:
                node.set("id", ids[value])
        elif short == "style":
            for attribute, setting in _presentation(value).items():
                node.set(attribute, _reference(setting, ids))
        elif short in {"href", "clip-path"}:
            node.set(short, _reference(value, ids))
        elif node.tag in {"path", "use", "g", "text", "rect", "svg", "tspan"} and short not in {"type", "space"}:
            node.set(short, _NUMBER.sub(lambda m: f"{float(m[0]):.1f}".removesuffix(".0"), value))
        else:
            node.set(short, value)
    if node.tag == "g" and "id" not in node.attrib:
        node.attrib.pop("class", None)
    for child in list(node):
        if child.tag.rsplit("}", 1)[-1] in _DROPPED:
            node.remove(child)
            continue
        _plain(child, ids)
        child.tail = None
        if child.tag in {"g", "defs"} and len(child) == 0:
            node.remove(child)
        elif child.tag == "g" and not child.attrib:
            at = list(node).index(child)
            node.remove(child)
            for offset, grandchild in enumerate(child):
                node.insert(at + offset, grandchild)
    if node.tag not in {"text", "tspan"}:
        node.text = None


def _presentation(style: str) -> dict[str, str]:
    """Return the style declarations that are presentation attributes too; a font keeps its size only."""
    found: dict[str, str] = {}
    for declaration in style.split(";"):
        key, _, value = declaration.partition(":")
        key, value = key.strip(), value.strip()
        if key == "font":
            size = _FONT_SIZE.search(value)
            if size:
                found["font-size"] = size[1]
        elif key in _KEPT_STYLES:
            found[key] = "currentColor" if value.lower() == INK else value
    return found


def _reference(value: str, ids: dict[str, str]) -> str:
    """Point a local reference at the new id."""
    hit = re.search(r"#([\w.-]+)", value)
    if hit and hit[1] in ids:
        return value.replace(f"#{hit[1]}", f"#{ids[hit[1]]}")
    return value
