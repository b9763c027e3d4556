"""Metric rows from a file of OpenMetrics text: one exposition with timestamps, or many scrapes one after the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from forecasting.adapters._input_file import inside, read_stable
from forecasting.adapters._measured import bounds_hint, empty_frame, frame, name_problem, settle
from forecasting.adapters._openmetrics_text import Sample, read_samples, read_selector
from forecasting.history.calendar import is_local_days, local_midnight
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric
from forecasting.terms.project import QuerySpec, SourceSpec

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_MOST_BYTES = 256 * 1024**2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


@dataclass(kw_only=True)
class _Series:
    """The samples of one metric of one service."""

    key: str
    """Name and labels as written."""
    first_line: int
    running: bool
    at: list[int]
    values: list[float]
    lines: list[int]


class OpenMetricsFile:
    """History source: OpenMetrics text, put on the metrics' steps.

    A slice [s, s + step) of a gauge has the last sample in it, once a later sample shows that the slice is over. A
    slice of a counter (also of buckets, counts and sums) has the *first* sample in it: the reading at the slice's
    start, as indicators with ``cumulative: true`` expect; differences between slices add up to the counter's run. A
    slice without a sample is missing. Slices of whole days are local days of the source's zone.

    Which samples become which metric: ``columns: {service: <label>, <metric>: <sample>}``, where the sample is a name
    with its suffix, with labels if needed (``http_requests_total{code="200"}``), and the metric's own name where
    nothing is said. Or ``queries`` with such a selector as query, and service or serviceLabel.

    Parameters
    ----------
    spec : SourceSpec
        path, columns, metrics (empty: those that columns name, or else every declared one), queries, zone, duplicates.
    root : Path
        The workspace; the file must be inside.
    metrics : mapping
        The project's metrics by name.

    Examples
    --------
    >>> import tempfile
    >>> from forecasting.terms.history import MetricKind
    >>> folder = Path(tempfile.mkdtemp())
    >>> hits = 'hits_total{app="shop"}'
    >>> text = f"# TYPE hits counter\\n{hits} 3 1700000010\\n{hits} 9 1700003700\\n# EOF\\n"
    >>> _ = (folder / "a.om").write_text(text)
    >>> spec = SourceSpec(name="a", kind="openmetrics", path="a.om", columns={"service": "app", "hits": "hits_total"})
    >>> OpenMetricsFile(spec, folder, {"hits": Metric(name="hits", kind=MetricKind.COUNT)}).read()[0]["value"].tolist()
    [3.0, 9.0]
    """

    def __init__(self, spec: SourceSpec, root: Path, metrics: Mapping[str, Metric]) -> None:
        self.spec, self.root, self.metrics = spec, root, metrics
        self._sha256 = ""
        self._notes = dict[str, None]()

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.spec.name

    @property
    def file(self) -> str:
        """Path of the file as declared, for messages."""
        return self.spec.path

    @property
    def notes(self) -> tuple[str, ...]:
        """Findings of the last reading, in words: metrics without a type, slices that are not over."""
        return tuple(self._notes)

    def chunks(self, state: str | None) -> Iterator[tuple[pd.DataFrame, Mapping[str, int]]]:
        """Yield the rows, one chunk a metric, and the cells cleaned by reason; nothing where the file is the same.

        Raises
        ------
        InputError
            For the first line, file or declaration that cannot be used.
        """
        self._notes = {}
        data = read_stable(inside(self.root, self.spec.path), shown=self.file, largest=_MOST_BYTES)
        # What the samples become depends on the declaration too, so both make the identity of what was read.
        declared = repr((self.spec, [self.metrics[name] for name in sorted(self.metrics)])).encode()
        self._sha256 = hashlib.sha256(hashlib.sha256(data).digest() + declared).hexdigest()
        if state is not None and state == self.state():
            return
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            came = data[error.start : error.start + 4]
            raise self._problem(line, "encoding", came, "UTF-8", "save the file as UTF-8") from error
        for rows, cleaned in self._read(text):
            if len(rows):
                yield rows, cleaned

    def state(self) -> str:
        """Return, as JSON, what identifies the file as it was read."""
        return json.dumps({"sha256": self._sha256})

    def read(self) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return everything as one frame, and all cells cleaned by reason."""
        import pandas as pd

        frames, cleaned = list[pd.DataFrame](), dict[str, int]()
        for rows, reasons in self.chunks(None):
            frames.append(rows)
            for reason, count in reasons.items():
                cleaned[reason] = cleaned.get(reason, 0) + count
        return (pd.concat(frames) if frames else empty_frame()), cleaned

    # ------------------------------------------------------------------ reading
    def _problem(self, line: int | None, argument: str, came: object, allowed: str, hint: str) -> InputError:
        """The error at a line of the file."""
        return InputError(
            argument=argument[:160], came=came, allowed=allowed, try_instead=hint, file=self.file, line=line
        )

    def _queries(self) -> list[tuple[QuerySpec, str, Mapping[str, str]]]:
        """Return what is read, with the name of the sample and the labels it must have."""
        spec, label = self.spec, self.spec.columns.get("service", "service")
        named = [name for name in spec.columns if name in self.metrics]
        queries = spec.queries or tuple(
            QuerySpec(metric=name, query=spec.columns.get(name, name), service_label=label)
            for name in spec.metrics or named or sorted(self.metrics)
        )
        found = list[tuple[QuerySpec, str, Mapping[str, str]]]()
        for query in queries:
            if query.metric not in self.metrics:
                known = ", ".join(sorted(self.metrics)[:12]) or "none"
                allowed, hint = f"a declared metric ({known})", f"declare {query.metric}"
                raise self._problem(None, "metric", query.metric, allowed, hint)
            if bool(query.service) == bool(query.service_label):
                came = f"service {query.service!r}, serviceLabel {query.service_label!r}"
                raise self._problem(None, query.metric, came, "one of service and serviceLabel", "name one")
            selector = read_selector(query.query)
            if selector is None:
                allowed = 'a sample\'s name, with labels if needed: http_requests_total{code="200"}'
                raise self._problem(None, query.metric, query.query, allowed, "its name as in the file")
            found.append((query, *selector))
        return found

    def _read(self, text: str) -> Iterator[tuple[pd.DataFrame, Mapping[str, int]]]:
        """Yield the rows of each metric."""
        queries = self._queries()
        collected: list[dict[str, _Series]] = [{} for _ in queries]
        by_name = dict[str, list[int]]()
        for index, (_, name, _) in enumerate(queries):
            by_name.setdefault(name, []).append(index)
        places = dict[str, list[_Series]]()
        latest = 0
        for sample in read_samples(text, file=self.file, wanted=frozenset(by_name)):
            latest = max(latest, sample.at_us)
            if sample.key not in places:
                places[sample.key] = self._places(sample, queries, by_name[sample.name], collected)
            for series in places[sample.key]:
                series.at.append(sample.at_us)
                series.values.append(sample.value)
                series.lines.append(sample.line)
        for (query, name, _), found in zip(queries, collected, strict=True):
            if not found and (
                query.metric in self.spec.columns or query.metric in self.spec.metrics or self.spec.queries
            ):
                self._notes[f"{query.metric}: the file has no sample {name} that is meant"] = None
            if found:
                yield self._rows(query, found, latest)

    def _places(
        self,
        sample: Sample,
        queries: list[tuple[QuerySpec, str, Mapping[str, str]]],
        candidates: list[int],
        collected: list[dict[str, _Series]],
    ) -> list[_Series]:
        """Return where the samples of a series go."""
        found = list[_Series]()
        for index in candidates:
            query, _, labels = queries[index]
            if any(sample.labels.get(name) != value for name, value in labels.items()):
                continue
            service = query.service or sample.labels.get(query.service_label, "")
            problem = name_problem(service)
            if problem:
                allowed = f"a label {query.service_label} with the service's name"
                hint = "columns: {service: <label>} in forecasting.yaml"
                raise self._problem(sample.line, sample.name, f"{problem}: {sample.key[:120]}", allowed, hint)
            if sample.running is None:
                self._notes[f"{query.metric}: no # TYPE before line {sample.line}, read as a gauge"] = None
            series = _Series(
                key=sample.key, first_line=sample.line, running=bool(sample.running), at=[], values=[], lines=[]
            )
            other = collected[index].setdefault(service, series)
            if other is not series:
                came = f"{sample.key[:90]}, and {other.key[:90]} in line {other.first_line}"
                allowed = f"one series of {query.metric} for each service"
                raise self._problem(sample.line, sample.name, came, allowed, "add the label that tells them apart")
            found.append(series)
        return found

    def _rows(
        self, query: QuerySpec, found: Mapping[str, _Series], latest: int
    ) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return the rows of a metric, one for each slice of each service that has a sample."""
        import pandas as pd

        metric, cleaned = self.metrics[query.metric], dict[str, int]()
        parts = []
        for service, series in found.items():
            at, values, lines = self._ordered(series, cleaned)
            begins = _slice_starts(at, metric.step, self.spec.zone)
            change = np.flatnonzero(np.diff(begins)) + 1
            if series.running:
                kept = np.concatenate(([0], change))
            else:
                kept = np.concatenate((change - 1, [len(at) - 1]))
                over = _slice_ends(begins[kept], metric.step, self.spec.zone) <= latest
                if not over.all():
                    self._notes[
                        f"{query.metric}: the last slice is left out until a later sample shows that it is over"
                    ] = None
                kept = kept[over]
            parts.append((service, begins[kept], values[kept], lines[kept]))
        services = [service for service, begins, _, _ in parts for _ in range(len(begins))]
        at, values, lines = (np.concatenate([part[i] for part in parts]) for i in (1, 2, 3))
        for reason, wrong in (
            ("NaN", np.isnan(values)),
            ("+Inf", values == np.inf),
            ("-Inf", values == -np.inf),
        ):
            if wrong.any():
                cleaned[reason] = int(wrong.sum())
        values, forbidden = settle(np.where(np.isinf(values), np.nan, values), metric)
        if forbidden >= 0:
            allowed, hint = bounds_hint(metric, float(values[forbidden]))
            raise self._problem(int(lines[forbidden]), query.metric, float(values[forbidden]), allowed, hint)
        return frame(services, query.metric, at, values, pd.Index(lines, name="line")), cleaned

    def _ordered(
        self, series: _Series, cleaned: dict[str, int]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """Return the samples in order of time, each time once."""
        at = np.array(series.at, dtype=np.int64)
        values, lines = np.array(series.values, dtype=np.float64), np.array(series.lines, dtype=np.int64)
        order = np.lexsort((lines, at))
        at, values, lines = at[order], values[order], lines[order]
        twice = np.flatnonzero(np.diff(at) == 0)
        if not len(twice):
            return at, values, lines
        differs = ~((values[twice] == values[twice + 1]) | (np.isnan(values[twice]) & np.isnan(values[twice + 1])))
        policy = self.spec.duplicates
        if differs.any() and policy not in ("last", "max"):
            first = int(twice[np.argmax(differs)])
            came = (
                f"{values[first + 1]:g}, and {values[first]:g} in line {lines[first]}, both at {_text(int(at[first]))}"
            )
            hint = "remove one, or declare duplicates: last or max"
            raise self._problem(int(lines[first + 1]), series.key[:120], came, "one value for each time", hint)
        cleaned["duplicate sample"] = cleaned.get("duplicate sample", 0) + len(twice)
        if policy == "max":
            order = np.lexsort((lines, np.nan_to_num(values, nan=-np.inf), at))
            at, values, lines = at[order], values[order], lines[order]
        last = np.append(np.diff(at) != 0, True)
        return at[last], values[last], lines[last]


def _slice_starts(at: NDArray[np.int64], step: timedelta, zone: str) -> NDArray[np.int64]:
    """Return the beginning of the slice that each instant is in; `at` is sorted."""
    if not is_local_days(step):
        return at - at % (step // _MICRO)
    bounds = _midnights(int(at[0]), int(at[-1]), step.days, zone)
    return bounds[np.searchsorted(bounds, at, side="right") - 1]


def _slice_ends(begins: NDArray[np.int64], step: timedelta, zone: str) -> NDArray[np.int64]:
    """Return the end of each slice; `begins` is sorted."""
    if not is_local_days(step):
        return begins + step // _MICRO
    bounds = _midnights(int(begins[0]), int(begins[-1]), step.days, zone)
    return bounds[np.searchsorted(bounds, begins) + 1]


def _midnights(first: int, last: int, days: int, zone: str) -> NDArray[np.int64]:
    """Return local midnights, every so many days counted from 1970, from at or before `first` to after `last`."""
    tz = ZoneInfo(zone)
    day = (_EPOCH + first * _MICRO).astimezone(tz).date()
    day -= timedelta(days=(day.toordinal() - 719_163) % days)
    bounds = [(local_midnight(day, tz) - _EPOCH) // _MICRO]
    while bounds[-1] <= last:
        day += timedelta(days=days)
        bounds.append((local_midnight(day, tz) - _EPOCH) // _MICRO)
    return np.array(bounds, dtype=np.int64)


def _text(micros: int) -> str:
    """Return an instant for messages."""
    return (_EPOCH + micros * _MICRO).isoformat().replace("+00:00", "Z")
