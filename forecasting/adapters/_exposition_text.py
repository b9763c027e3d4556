"""Writes Prometheus text exposition (version 0.0.4): declared gauges with their samples, nothing else.

Written here because it is forty lines, the output is the same bytes for the same plan, and the reference library keeps
process-wide registries and one dependency more; `promtool` and a real server check what comes out.
Source: prometheus.io, Exposition formats, "Text-based format".
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LABELS = r'[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'
_SAMPLE = re.compile(rf"(?P<name>[a-z][a-z0-9_]*)(?:\{{{_LABELS}(?:,{_LABELS})*\}})? -?[0-9][0-9.e+-]*")
LabelValues = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """A declared gauge: its samples may carry these labels and no others.

    Examples
    --------
    >>> Gauge(name="forecasting_warnings", help="Warnings that stand.", labels=("severity",)).labels
    ('severity',)
    """

    name: str
    help: str
    """What it means, with its unit and range."""
    labels: tuple[str, ...] = ()


def exposition(
    gauges: Sequence[Gauge], samples: Mapping[str, Iterable[tuple[LabelValues, float]]], *, before: str = ""
) -> str:
    """Return the text of all gauges that have samples, in the order of `gauges`.

    Parameters
    ----------
    gauges : sequence of Gauge
        Every gauge that may come.
    samples : mapping of str to samples
        By name: values of the labels, in their declared order, and the number. An empty label value is left out (to
        Prometheus it is the same as no label); a number that is not finite is no sample.
    before : str
        An exposition that `exposition` made; a gauge without samples keeps those it has there.

    Raises
    ------
    ValueError
        Where a name is not declared, a label is missing, or two samples carry the same labels: one wrong line makes
        Prometheus refuse the whole scrape.

    Examples
    --------
    >>> gauge = Gauge(name="a_ratio", help="A share.", labels=("service",))
    >>> print(exposition([gauge], {"a_ratio": [(("a b",), 0.5)]}), end="")
    # HELP a_ratio A share.
    # TYPE a_ratio gauge
    a_ratio{service="a b"} 0.5
    """
    unknown = set(samples) - {g.name for g in gauges}
    if unknown:
        raise ValueError(f"samples of undeclared gauges: {sorted(unknown)}")
    lines: list[str] = []
    kept = _kept(before, {g.name for g in gauges}) if before else {}
    for gauge in gauges:
        found: dict[LabelValues, float] = {}
        for values, number in samples.get(gauge.name, ()):
            if len(values) != len(gauge.labels):
                raise ValueError(f"{gauge.name}: {len(values)} values for the labels {gauge.labels}")
            if not math.isfinite(number):
                continue
            shown = tuple(_clean(v) for v in values)
            if shown in found:
                raise ValueError(f"{gauge.name}: two samples with the labels {dict(zip(gauge.labels, shown))}")  # noqa: B905
            found[shown] = number
        if not found and gauge.name in kept:
            lines += _head(gauge) + kept[gauge.name]
        if found:
            assert _NAME.fullmatch(gauge.name), gauge.name
            lines += _head(gauge)
            lines += [f"{gauge.name}{_label_set(gauge.labels, k)} {_number(v)}" for k, v in found.items()]
    return "\n".join(lines) + "\n" if lines else ""


def _head(gauge: Gauge) -> list[str]:
    """Return the lines before the samples."""
    return [f"# HELP {gauge.name} {_escaped(gauge.help, quote=False)}", f"# TYPE {gauge.name} gauge"]


def _kept(text: str, names: Collection[str]) -> dict[str, list[str]]:
    """Return the lines of samples by name; what is none of a declared gauge is left out."""
    found: dict[str, list[str]] = {}
    for line in text.split("\n"):
        hit = _SAMPLE.fullmatch(line)
        if hit and hit["name"] in names:
            found.setdefault(hit["name"], []).append(line)
    return found


def seconds(when: datetime) -> float:
    """Return an instant as seconds since 1970.

    Examples
    --------
    >>> from datetime import UTC
    >>> seconds(datetime(1970, 1, 2, tzinfo=UTC))
    86400.0
    """
    return when.timestamp()


def _label_set(names: tuple[str, ...], values: LabelValues) -> str:
    """Return ``{a="x",b="y"}`` without empty values; nothing where none is left."""
    pairs = [f'{n}="{_escaped(v, quote=True)}"' for n, v in zip(names, values, strict=True) if v]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escaped(text: str, *, quote: bool) -> str:
    """Escape backslash, line feed and, in label values, the quote."""
    found = text.replace("\\", "\\\\").replace("\n", "\\n")
    return found.replace('"', '\\"') if quote else found


def _clean(text: str) -> str:
    """Replace what the format cannot carry (control characters but the line feed, lone surrogates)."""
    return "".join("\ufffd" if c != "\n" and unicodedata.category(c) in {"Cc", "Cs"} else c for c in text)


def _number(value: float) -> str:
    """Return a number so that reading it gives the same double; whole numbers without a point."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
