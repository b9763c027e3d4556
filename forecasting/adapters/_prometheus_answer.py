"""Reads what a Prometheus server answers: JSON from outside, so nothing in it is taken on trust."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Never

import numpy as np

from forecasting.adapters._http import cleaned
from forecasting.terms.errors import ForecastingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$"
_TOO_MUCH = re.compile(r"maximum resolution|too many (samples|points|data)|exceeds the limit", re.IGNORECASE)
_MOST_WARNINGS = 20
_MOST_SERIES = 50_000


class TooMuch(Exception):
    """The question asked for more points or samples than the server gives at once; less may do."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One series of an answer."""

    labels: Mapping[str, str]
    position: NDArray[np.int64]
    """Shape (n,): which of the times asked for each value is of."""
    values: NDArray[np.float64]
    """Shape (n,): NaN where the server said NaN or an infinity."""

    @property
    def shown(self) -> str:
        """The labels as PromQL writes them, cut."""
        inner = ", ".join(f'{name}="{value}"' for name, value in sorted(self.labels.items()))
        return cleaned("{" + inner + "}")


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """An answer to ``query_range``."""

    series: tuple[Found, ...]
    warnings: tuple[str, ...] = ()
    missing: Mapping[str, int] = field(default_factory=dict)
    """Values that are no finite number, by reason."""


def read_error(body: bytes) -> tuple[str, str] | None:
    """Return type and text of an error that the server describes, or None where the body is no such description.

    Examples
    --------
    >>> read_error(b'{"status": "error", "errorType": "bad_data", "error": "parse error"}')
    ('bad_data', 'parse error')
    """
    try:
        answer = _document(body)
    except ForecastingError:
        return None
    if not isinstance(answer, dict) or answer.get("status") != "error":
        return None
    return cleaned(str(answer.get("errorType", "")))[:40], cleaned(str(answer.get("error", "")))


def is_too_much(error: tuple[str, str]) -> bool:
    """Tell whether a smaller question may succeed.

    Examples
    --------
    >>> is_too_much(("execution", "query processing would load too many samples into memory in query execution"))
    True
    """
    return error[0] == "timeout" or _TOO_MUCH.search(error[1]) is not None


def read_matrix(body: bytes, *, first_us: int, step_us: int, count: int) -> Matrix:
    """Return the series of an answer, checked against what was asked.

    Parameters
    ----------
    body : bytes
        JSON of the Prometheus HTTP API, version 1.
    first_us, step_us, count : int
        The times asked for, in microseconds since 1970.

    Raises
    ------
    ForecastingError
        For anything that is not such an answer.
    TooMuch
        Where the server says that the question was too large.

    Examples
    --------
    >>> series = b'{"metric": {"app": "a"}, "values": [[60, "NaN"]]}'
    >>> body = b'{"status": "success", "data": {"resultType": "matrix", "result": [' + series + b"]}}"
    >>> read_matrix(body, first_us=0, step_us=60_000_000, count=2).missing
    {'NaN': 1}
    """
    answer = _document(body)
    if not isinstance(answer, dict):
        raise _wrong(f"a {type(answer).__name__}")
    if answer.get("status") == "error":
        error = read_error(body) or ("", "")
        if is_too_much(error):
            raise TooMuch(error[1])
        raise _wrong(f"{error[0]}: {error[1]}")
    data = answer.get("data")
    if answer.get("status") != "success" or not isinstance(data, dict):
        raise _wrong("an answer without status and data")
    if data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
        raise _wrong(f"resultType {cleaned(str(data.get('resultType')))[:40]!r}")
    if len(data["result"]) > _MOST_SERIES:
        raise ForecastingError(
            argument="query",
            came=f"{len(data['result'])} series",
            allowed=f"at most {_MOST_SERIES} series, one for each service",
            try_instead="aggregate in the query: sum by (...) (...)",
        )
    missing = dict[str, int]()
    series = _all_series(data["result"], first_us, step_us, count, missing)
    warnings = []
    for name in ("warnings", "infos"):
        said = answer.get(name) or []
        if not isinstance(said, list):
            raise _wrong(f"{name} that are no list")
        warnings += [cleaned(str(text)) for text in said[:_MOST_WARNINGS]]
    return Matrix(series=series, warnings=tuple(dict.fromkeys(warnings)), missing=missing)


def _document(body: bytes) -> Any:
    """Return the JSON value, refusing what JSON does not have."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        shown = cleaned(body[:80].decode("utf-8", "replace")) or "nothing"
        raise _wrong(f"no JSON: {shown}") from error


def _constant(text: str) -> Never:
    """Refuse NaN and Infinity outside of texts."""
    raise ValueError(text)


def _all_series(
    items: list[Any], first_us: int, step_us: int, count: int, missing: dict[str, int]
) -> tuple[Found, ...]:
    """Return the series of the result; their values are read together, because there may be many short ones."""
    labels, sizes, seconds, texts = list[dict[str, str]](), list[int](), list[float](), list[str]()
    for item in items:
        pairs = _pairs(item)
        labels.append(item["metric"])
        sizes.append(len(pairs))
        seconds += [pair[0] for pair in pairs]
        texts += [pair[1] for pair in pairs]
    try:
        times = np.array(seconds, dtype=np.float64)
    except OverflowError as error:
        raise _wrong("a time beyond all bounds") from error
    if not np.all(np.abs(times) < 1e11):
        raise _wrong("a time beyond all bounds")
    position, rest = np.divmod(np.rint(times * 1e3).astype(np.int64) * 1000 - first_us, step_us)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    disordered = (np.diff(position) <= 0) & (np.diff(owner) == 0)
    if np.any(rest != 0) or np.any(position < 0) or np.any(position >= count) or np.any(disordered):
        raise _wrong("times that were not asked for, or not in order")
    values, ends = _numbers(texts, missing), np.cumsum(sizes)
    return tuple(
        Found(labels=names, position=position[end - size : end], values=values[end - size : end])
        for names, size, end in zip(labels, sizes, ends.tolist() if sizes else [], strict=True)
    )


def _pairs(item: Any) -> list[Any]:
    """Return the [time, text] pairs of a series."""
    labels = item.get("metric") if isinstance(item, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise _wrong("a series without labels")
    if item.get("histograms"):
        raise ForecastingError(
            argument="query",
            came="native histograms",
            allowed="a query whose values are numbers",
            try_instead="histogram_count(...), histogram_sum(...) or histogram_quantile(...)",
        )
    pairs = item.get("values")
    if not isinstance(pairs, list) or not all(
        type(pair) is list and len(pair) == 2 and type(pair[1]) is str and type(pair[0]) in (int, float)
        for pair in pairs
    ):
        raise _wrong("a series whose values are not [time, text] pairs")
    return pairs


def _numbers(texts: list[str], missing: dict[str, int]) -> NDArray[np.float64]:
    """Return the values; NaN and infinities are missing and counted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        column = pa.array(texts, type=pa.string())
        plain = np.asarray(pc.match_substring_regex(column, _NUMBER).to_numpy(zero_copy_only=False), dtype=bool)
        if plain.all():
            values = np.array(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        else:
            values = np.array([float(t) if p else _special(t, missing) for t, p in zip(texts, plain, strict=True)])
    except (UnicodeEncodeError, pa.ArrowInvalid):
        values = np.array([float(t) if re.fullmatch(_NUMBER, t) else _special(t, missing) for t in texts])
    huge = np.isinf(values)
    if huge.any():
        missing["beyond the range of numbers"] = missing.get("beyond the range of numbers", 0) + int(huge.sum())
        values = np.where(huge, np.nan, values)
    return np.asarray(values, dtype=np.float64)


def _special(text: str, missing: dict[str, int]) -> float:
    """Count a value that is no finite number."""
    if text not in ("NaN", "+Inf", "-Inf", "Inf"):
        raise _wrong(f"a value {cleaned(text)[:40]!r}")
    reason = "+Inf" if text == "Inf" else text
    missing[reason] = missing.get(reason, 0) + 1
    return float("nan")


def _wrong(came: str) -> ForecastingError:
    """The error for an answer that cannot be used."""
    return ForecastingError(
        argument="answer",
        came=came,
        allowed="an answer of the Prometheus HTTP API (/api/v1/query_range)",
        try_instead="check the url, the query and what stands between (a login page, a proxy)",
    )
