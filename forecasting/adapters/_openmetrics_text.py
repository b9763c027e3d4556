"""Reads OpenMetrics text, one sample a line; also several scrapes one after the other.

Written here because the reference parser (`prometheus_client`) refuses scrapes one after the other, does not say in
which line something is wrong, and ends some wrong inputs with an IndexError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from forecasting.adapters._http import cleaned
from forecasting.terms.errors import InputError

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_QUOTED = r'"(?:[^"\\]++|\\.)*+"'
_LABELS = rf'\{{(?:[^"{{}}]++|{_QUOTED})*+\}}'
_SAMPLE = re.compile(
    rf"({_NAME})({_LABELS})? ([0-9A-Za-z.+-]{{1,60}})(?: ([0-9.eE+-]{{1,40}}))?"
    rf"(?: # {_LABELS} [0-9A-Za-z.+-]+(?: [0-9.eE+-]+)?)?"
)
_LABEL = re.compile(rf"([a-zA-Z_][a-zA-Z0-9_]*+)=({_QUOTED})(?:,|\Z)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_META = re.compile(rf"# (TYPE|HELP|UNIT) ({_NAME})(?: (.*))?", re.DOTALL)
_TYPES = frozenset(
    "counter gauge histogram gaugehistogram summary stateset info unknown untyped".split()  # noqa: SIM905
)
_COUNTING = {"counter": ("_total", ""), "histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}
"""Suffixes of samples that run up, by type."""
_LONGEST_LINE = 1 << 16
_MOST_SERIES = 1_000_000


class Sample(NamedTuple):
    """One line."""

    line: int
    key: str
    """Name and labels as written: the same text is the same series."""
    name: str
    labels: Mapping[str, str]
    running: bool | None
    """Whether its values run up (counters, buckets, counts, sums); None where no TYPE says so."""
    value: float
    """As written: may be NaN or infinite."""
    at_us: int
    """Microseconds since 1970."""


def read_samples(text: str, *, file: str, wanted: frozenset[str]) -> Iterator[Sample]:
    """Yield the samples whose name is wanted, and check every line.

    Parameters
    ----------
    text : str
        The whole file.
    file : str
        Its name in messages.
    wanted : frozenset of str
        Names of samples (with their suffix, such as ``http_requests_total``).

    Raises
    ------
    InputError
        For a line that is none of the format, a wanted sample without a timestamp, and a file without ``# EOF`` at its
        end (half-written).

    Examples
    --------
    >>> text = '# TYPE hits counter\\nhits_total{app="a"} 3 1700000000\\n# EOF\\n'
    >>> [(s.labels, s.running, s.value) for s in read_samples(text, file="a.om", wanted=frozenset({"hits_total"}))]
    [({'app': 'a'}, True, 3.0)]
    """
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if not lines or lines[-1] != "# EOF":
        came = cleaned(lines[-1])[:80] if lines else "an empty file"
        raise _problem(file, max(len(lines), 1), "end", came, "# EOF as the last line", "wait until it is complete")
    types = dict[str, str]()
    series = dict[str, tuple[str, Mapping[str, str], bool | None]]()
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            _read_meta(line, number, types, file)
            continue
        match = _SAMPLE.fullmatch(line) if len(line) <= _LONGEST_LINE else None
        if match is None:
            raise _problem(
                file, number, "line", cleaned(line[:200])[:80], 'a sample such as hits_total{app="a"} 3 1700000000',
                "no empty lines, no comments but TYPE, HELP and UNIT, single spaces, quoted label values",
            )  # fmt: skip
        name, labels, value, stamp = match.groups()
        if name not in wanted:
            continue
        key = name + (labels or "")
        known = series.get(key)
        if known is None:
            if len(series) >= _MOST_SERIES:
                raise _problem(
                    file, number, "series", name, f"at most {_MOST_SERIES} series", "fewer metrics or labels"
                )
            known = series[key] = name, _read_labels(labels or "", number, file), _runs_up(name, types)
        at_us = _read_time(stamp, name, number, file)
        yield Sample(
            line=number, key=key, name=name, labels=known[1], running=known[2],
            value=_read_value(value, name, number, file), at_us=at_us,
        )  # fmt: skip


def read_selector(text: str) -> tuple[str, Mapping[str, str]] | None:
    """Return name and labels of a selector such as ``hits_total{code="200"}``, or None where it is none.

    Examples
    --------
    >>> read_selector('hits_total{code="200"}'), read_selector("sum(hits_total)")
    (('hits_total', {'code': '200'}), None)
    """
    match = re.fullmatch(rf"({_NAME})({_LABELS})?", text.strip())
    if match is None:
        return None
    try:
        return match[1], _read_labels(match[2] or "", 1, "")
    except InputError:
        return None


def _problem(file: str, line: int, argument: str, came: object, allowed: str, hint: str) -> InputError:
    """Shorthand for an error at a line."""
    return InputError(argument=argument[:160], came=came, allowed=allowed, try_instead=hint, file=file, line=line)


def _read_meta(line: str, number: int, types: dict[str, str], file: str) -> None:
    """Read a line that begins with a hash."""
    if line == "# EOF":
        return
    match = _META.fullmatch(line) if len(line) <= _LONGEST_LINE else None
    if match is None:
        allowed = "# TYPE, # HELP, # UNIT or # EOF"
        raise _problem(file, number, "line", cleaned(line[:200])[:80], allowed, "remove other comments")
    if match[1] != "TYPE":
        return
    kind = match[3] or ""
    if kind not in _TYPES:
        raise _problem(file, number, f"TYPE of {match[2]}", kind, ", ".join(sorted(_TYPES)), "the type's full name")
    if types.setdefault(match[2], kind) != kind:
        came = f"{kind}, and {types[match[2]]} before"
        raise _problem(file, number, f"TYPE of {match[2]}", came, "one type for a metric", "two files")


def _runs_up(name: str, types: Mapping[str, str]) -> bool | None:
    """Tell whether the samples of a name run up; None where its TYPE is not said before."""
    found = None
    for suffix in ("", "_total", "_bucket", "_count", "_sum", "_created", "_gcount", "_gsum", "_info"):
        if not name.endswith(suffix):
            continue
        kind = types.get(name.removesuffix(suffix) if suffix else name)
        if kind is not None and kind not in ("unknown", "untyped"):
            found = suffix in _COUNTING.get(kind, ())
            break
    return found


def _read_labels(text: str, number: int, file: str) -> Mapping[str, str]:
    """Return the labels of a sample."""
    inner, found, position = text[1:-1], dict[str, str](), 0
    while position < len(inner):
        match = _LABEL.match(inner, position)
        if match is None or match[1] in found:
            came = cleaned(inner[position : position + 80])
            raise _problem(file, number, "labels", came, 'name="value", each name once', "correct the labels")
        found[match[1]] = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2][1:-1])
        position = match.end()
    return found


def _read_value(text: str, name: str, number: int, file: str) -> float:
    """Return the number, which may be NaN or infinite."""
    if _NUMBER.fullmatch(text) or re.fullmatch(r"nan|[+-]?inf(inity)?", text, re.IGNORECASE):
        return float(text)
    raise _problem(file, number, f"value of {name}", text, "a number, NaN or Inf", "a decimal point, no separators")


def _read_time(text: str | None, name: str, number: int, file: str) -> int:
    """Return microseconds since 1970 of a timestamp in seconds."""
    allowed = "seconds since 1970 after the value"
    if text is None:
        hint = "scrape with timestamps, or add them: a file says nothing of when it was measured"
        raise _problem(file, number, f"timestamp of {name}", None, allowed, hint)
    if not _NUMBER.fullmatch(text):
        raise _problem(file, number, f"timestamp of {name}", text, allowed, "such as 1700000000 or 1700000000.5")
    seconds = float(text)
    if not 631_152_000 <= seconds < 4_102_444_800:
        hint = "divide by 1000 (looks like milliseconds)" if 631_152e6 <= seconds < 4_102_444_800e3 else "seconds"
        raise _problem(file, number, f"timestamp of {name}", text, allowed + ", 1990 to 2100", hint)
    return round(seconds * 1e6)
