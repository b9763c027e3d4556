"""Metric rows from a Prometheus server: what its HTTP API answers to the project's queries, slice by slice."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from forecasting.adapters._asked_slices import EPOCH, MICRO, Run, slices_to_ask
from forecasting.adapters._egress import Endpoint, Secret, check_url
from forecasting.adapters._http import Answer, Patience, TooLarge, ask_patiently, cleaned
from forecasting.adapters._measured import bounds_hint, empty_frame, frame, name_problem, settle
from forecasting.adapters._prometheus_answer import Matrix, TooMuch, is_too_much, read_error, read_matrix
from forecasting.history.calendar import as_utc, is_local_days
from forecasting.ports import Clock
from forecasting.terms.errors import ForecastingError, InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import QuerySpec, SourceSpec

if TYPE_CHECKING:
    import pandas as pd

_API = "/api/v1/query_range"
_MOST_POINTS = 11_000
"""Points per series that Prometheus answers at most."""
_RANGE = "$__range"
"""Stands in a query for the length of the slice, such as 3600s."""
_DAY_US = 86_400_000_000


class PrometheusServer:
    """History source: PromQL queries to one server, asked slice by slice of the metric's step.

    The value at an evaluation time t describes the slice that *ends* at t (as ``increase(x[1h])`` does), so its row has
    ``at`` = t less the step; evaluation times are multiples of the step since 1970 UTC. Readings of running counters
    (`QuerySpec.cumulative`) are of the instant t itself. For steps of whole days t is the local midnight in the
    source's zone at which the day ends. ``$__range`` in a query becomes the length of the slice in seconds, which is
    right for days of 23 and 25 hours too. Only slices that have ended by now are asked for. Values of the last minutes
    may still change on the server: declare ``corrections: restate`` where the overlap is to bring that in.

    Parameters
    ----------
    spec : SourceSpec
        url or url_env, token_env, queries, since, overlap, zone.
    root : Path
        The workspace (not used: nothing is read from disk).
    metrics : mapping
        What the metrics mean, by name; each gives its step.
    clock : Clock
        Tells what now is.
    environment : mapping or None
        Where the URL and the token are looked up; None is the process's environment.
    seed : int
        Of the spread of the pauses between repeated questions.
    patience : Patience
        How long and how often one question is asked.
    points : int
        Slices asked for at once, at most 11,000.

    Examples
    --------
    >>> from datetime import UTC
    >>> from forecasting.adapters.clock import FixedClock
    >>> spec = SourceSpec(name="mon", kind="prometheus", url="http://127.0.0.1:9090",
    ...     since=datetime(2027, 3, 1, tzinfo=UTC), queries=(QuerySpec(metric="up", query="up", service="shop"),))
    >>> metrics = {"up": Metric(name="up", kind=MetricKind.RATIO)}
    >>> source = PrometheusServer(spec, Path("."), metrics, clock=FixedClock(datetime(2027, 3, 2, tzinfo=UTC)))
    >>> source.name, source.notes
    ('mon', ())
    """

    def __init__(
        self,
        spec: SourceSpec,
        root: Path,
        metrics: Mapping[str, Metric],
        *,
        clock: Clock,
        environment: Mapping[str, str] | None = None,
        seed: int = 0,
        patience: Patience | None = None,
        points: int = _MOST_POINTS,
    ) -> None:
        self.spec, self.root, self.metrics = spec, root, metrics
        place = os.environ if environment is None else environment
        self._variable: Callable[[str], str] = lambda name: place.get(name, "")  # hides what else is in there
        self._clock = clock
        self._rng = random.Random(seed)
        self._patience = patience or Patience()
        self._points = min(max(points, 1), _MOST_POINTS)
        self._remembered = dict[str, dict[str, str]]()
        self._notes = dict[str, None]()

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.spec.name

    @property
    def file(self) -> str:
        """What messages call the source."""
        return self.spec.name

    @property
    def notes(self) -> tuple[str, ...]:
        """Findings of the last reading, in words: the server's warnings, counts that are not whole."""
        return tuple(self._notes)

    def chunks(self, state: str | None) -> Iterator[tuple[pd.DataFrame, Mapping[str, int]]]:
        """Yield the rows of each question that brought any, and the values counted as missing by reason.

        Parameters
        ----------
        state : str or None
            From `state`; asked again is from `overlap` before the latest value on. None (and a text that is no such
            state) begins at `since`.

        Raises
        ------
        InputError
            For a wrong declaration (URL, token, metric, labels), an address that is never asked.
        ForecastingError
            Where the server does not answer, refuses, or answers what cannot be used.
        """
        self._notes = {}
        endpoint, token = self._endpoint(), self._token()
        if self.spec.since is None:
            raise self._problem("since", None, "the earliest instant to ask for", "since: 2026-01-01T00:00:00Z")
        now_us = (as_utc(self._clock.now()) - EPOCH) // MICRO
        known = _read_state(state)
        self._remembered = {}
        for query in self._queries():
            metric = self.metrics[query.metric]
            key = _key(query, metric)
            mark = known.get(key, {})
            asked, latest = _instant(mark.get("asked")), _instant(mark.get("latest"))
            runs = slices_to_ask(
                metric.step, as_utc(self.spec.since), now_us, self.spec.zone, cumulative=query.cumulative
            )
            last = runs[-1].last_us if runs else None
            if last is None or (asked is not None and last <= asked):
                self._remembered |= {key: mark} if mark else {}
                continue
            begin = None if latest is None else latest - self.spec.overlap // MICRO
            self._note_fixed_range(query, runs)
            for run in runs:
                for matrix, part in self._answers(endpoint, token, query, run.since(begin)):
                    rows = self._rows(query, metric, matrix, part)
                    if len(rows):
                        latest = max(latest or 0, part.first_us + part.step_us * _last_position(matrix))
                        yield rows, matrix.missing
            self._remembered[key] = {"asked": _text(last)} | ({"latest": _text(latest)} if latest is not None else {})

    def state(self) -> str:
        """Return, as JSON, up to when each query was asked for and its latest value."""
        return json.dumps(self._remembered, sort_keys=True)

    def read(self) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return everything since `since` as one frame, and the values counted as missing by reason."""
        import pandas as pd

        frames, cleaned_cells = list[pd.DataFrame](), dict[str, int]()
        for rows, missing in self.chunks(None):
            frames.append(rows)
            for reason, count in missing.items():
                cleaned_cells[reason] = cleaned_cells.get(reason, 0) + count
        if not frames:
            return empty_frame(), cleaned_cells
        return pd.concat(frames, ignore_index=True).rename_axis("row"), cleaned_cells

    # ------------------------------------------------------------------ what is declared
    def _problem(self, argument: str, came: object, allowed: str, hint: str) -> InputError:
        """The error for a wrong declaration of this source."""
        return InputError(argument=f"source {self.name}: {argument}", came=came, allowed=allowed, try_instead=hint)

    def _endpoint(self) -> Endpoint:
        """Return the checked URL."""
        spec = self.spec
        if not spec.url_env:
            return check_url(spec.url, argument=f"source {self.name}: url")
        url = self._variable(spec.url_env)
        if not url:
            raise self._problem("urlEnv", f"{spec.url_env} (not set)", "a variable with the URL", "set the variable")
        return check_url(url, argument=f"source {self.name}: the URL in {spec.url_env}", secret=True)

    def _token(self) -> Secret:
        """Return the bearer token out of the environment."""
        if not self.spec.token_env:
            return Secret("")
        token = self._variable(self.spec.token_env).strip()
        if not token or len(token) > 8192 or not all(33 <= ord(c) < 127 for c in token):
            came = f"{self.spec.token_env} ({'not usable' if token else 'not set'})"
            raise self._problem("tokenEnv", came, "a variable with a bearer token", "set the variable")
        return Secret(token)

    def _queries(self) -> Sequence[QuerySpec]:
        """Return the queries, each checked."""
        if not self.spec.queries:
            raise self._problem("queries", "none", "at least one query", "queries: [{metric: ..., query: ...}]")
        seen = dict[str, QuerySpec]()
        for query in self.spec.queries:
            if query.metric not in self.metrics:
                known = ", ".join(sorted(self.metrics)[:12]) or "none"
                raise self._problem("metric", query.metric, f"a declared metric ({known})", f"declare {query.metric}")
            if not query.query.strip():
                raise self._problem(f"query of {query.metric}", query.query, "PromQL", "sum by (app) (...)")
            if bool(query.service) == bool(query.service_label):
                came = f"service {query.service!r}, serviceLabel {query.service_label!r}"
                raise self._problem(f"query of {query.metric}", came, "one of service and serviceLabel", "name one")
            key = _key(query, self.metrics[query.metric])
            if key in seen:
                raise self._problem(f"query of {query.metric}", query.query, "each query once", "remove one")
            seen[key] = query
        return tuple(seen.values())

    def _note_fixed_range(self, query: QuerySpec, runs: Sequence[Run]) -> None:
        """Note local days that are not 24 hours long where the query does not say `$__range`."""
        if _RANGE in query.query or query.cumulative:
            return
        odd = sum(run.count for run in runs if run.step_us % _DAY_US and run.step_us > _DAY_US // 2)
        if odd and is_local_days(self.metrics[query.metric].step):
            self._notes[
                f"{query.metric}: {odd} slices are longer or shorter than the others (clocks change); "
                f"write [{_RANGE}] in the query so that its range is the slice's length"
            ] = None

    # ------------------------------------------------------------------ questions
    def _answers(self, endpoint: Endpoint, token: Secret, query: QuerySpec, run: Run) -> Iterator[tuple[Matrix, Run]]:
        """Yield the answers to a run's questions in order; one that is too large is asked in halves."""
        begin, size, waited = 0, self._points, time.monotonic()
        while begin < run.count:
            part = run.part(begin, size)
            try:
                matrix = self._ask(endpoint, token, query, part)
            except TooMuch as error:
                if part.count == 1 or time.monotonic() - waited > self._patience.total_s:
                    slices = "a single slice" if part.count == 1 else f"{part.count} slices"
                    raise ForecastingError(
                        argument=f"source {self.name}: query of {query.metric}",
                        came=f"{error} even for {slices} from {_text(part.first_us)} on",
                        allowed="a query that the server can answer for one slice",
                        try_instead="aggregate more in the query, a recording rule, or a higher --query.max-samples",
                    ) from error
                size = (part.count + 1) // 2
                continue
            self._notes |= dict.fromkeys(f"{query.metric}: the server warns: {text}" for text in matrix.warnings)
            yield matrix, part
            begin, waited = begin + part.count, time.monotonic()

    def _ask(self, endpoint: Endpoint, token: Secret, query: QuerySpec, part: Run) -> Matrix:
        """Return the answer to one question."""
        form = {
            "query": query.query.replace(_RANGE, f"{part.step_us // 1_000_000}s"),
            "start": _seconds(part.first_us),
            "end": _seconds(part.last_us),
            "step": _seconds(part.step_us),
        }
        try:
            answer = ask_patiently(
                endpoint,
                _API,
                form,
                token=token,
                patience=self._patience,
                rng=self._rng,
                settled=lambda answer: is_too_much(read_error(answer.body) or ("", "")),
            )
        except TooLarge as error:
            raise TooMuch(f"the answer is too large ({error})") from error
        if answer.status != 200:
            raise self._refused(answer, query, endpoint, token)
        try:
            return read_matrix(answer.body, first_us=part.first_us, step_us=part.step_us, count=part.count)
        except ForecastingError as error:
            raise ForecastingError(
                argument=f"source {self.name}: query of {query.metric}: {error.argument}",
                came=error.came,
                allowed=error.allowed,
                try_instead=error.try_instead,
            ) from error

    def _refused(self, answer: Answer, query: QuerySpec, endpoint: Endpoint, token: Secret) -> Exception:
        """Return what to raise for an answer with another status than 200."""
        error = read_error(answer.body)
        if error is not None and is_too_much(error):
            return TooMuch(token.hide(error[1]))
        status = answer.status
        said = f"{error[0]}: {error[1]}" if error else answer.body[:300].decode("utf-8", "replace")
        came = f"HTTP {status} from {endpoint.shown}: {cleaned(said, token)}".rstrip(": ")
        if 300 <= status < 400:
            allowed, hint = "an answer, not a redirect (none is followed)", "the final URL of the server"
        elif status in (401, 403):
            allowed = "a server that lets us in"
            hint = f"a valid token in {self.spec.token_env}" if token else "tokenEnv: the variable with a bearer token"
        elif error is not None:
            allowed, hint = "a query that the server understands", "try the query in the server's own page"
        else:
            allowed, hint = "the Prometheus HTTP API (/api/v1/query_range)", "the server's base URL, with its path"
        return ForecastingError(
            argument=f"source {self.name}: query of {query.metric}", came=came, allowed=allowed, try_instead=hint
        )

    # ------------------------------------------------------------------ rows
    def _rows(self, query: QuerySpec, metric: Metric, matrix: Matrix, part: Run) -> pd.DataFrame:
        """Return canonical rows of an answer."""
        import pandas as pd

        if not matrix.series:
            return empty_frame()
        services = [self._service(query, found.labels, found.shown) for found in matrix.series]
        sizes = [len(found.position) for found in matrix.series]
        position = np.concatenate([found.position for found in matrix.series])
        values, wrong = settle(np.concatenate([found.values for found in matrix.series]), metric)
        owner = np.repeat(np.arange(len(sizes)), sizes)
        names = pd.Index(services, dtype=object)
        codes, _ = pd.factorize(names)
        cell = codes[owner].astype(np.int64) * part.count + position
        twice = pd.Index(cell).duplicated(keep="first") if len(set(services)) < len(services) else None
        if twice is not None and twice.any():
            second = int(np.argmax(twice))
            first = int(np.argmax(cell == cell[second]))
            shown = " and ".join(matrix.series[int(owner[i])].shown for i in (first, second))
            when = _text(part.first_us + int(position[second]) * part.step_us)
            label = query.service_label
            raise self._problem(
                f"query of {query.metric}",
                f"two series of {services[int(owner[second])]} at {when}: {shown}",
                "one series for each service",
                f"sum by ({label}) (...)" if label else "sum(...), or serviceLabel instead of service",
            )
        at = part.first_us + position * part.step_us - (0 if query.cumulative else part.step_us)
        if wrong >= 0:
            allowed, hint = bounds_hint(metric, float(values[wrong]))
            came = f"{float(values[wrong])!r} of {services[int(owner[wrong])]} at {_text(int(at[wrong]))}"
            raise self._problem(f"query of {query.metric}", came, allowed, hint)
        if metric.kind is MetricKind.COUNT and np.any(values[~np.isnan(values)] % 1 != 0):
            self._notes[
                f"{query.metric}: some values are no whole numbers (increase() extrapolates); an indicator that counts "
                "events needs round(...) in the query"
            ] = None
        index = pd.RangeIndex(1, len(values) + 1, name="row")
        return frame(list(names.take(owner)), query.metric, at, values, index)

    def _service(self, query: QuerySpec, labels: Mapping[str, str], shown: str) -> str:
        """Return the service of a series."""
        service = query.service or labels.get(query.service_label, "")
        problem = name_problem(service)
        if problem:
            hint = f"keep the label in the query: sum by ({query.service_label}) (...)"
            came = f"series {shown}, label {query.service_label} {problem}"
            raise self._problem(f"query of {query.metric}", came, "a label with the service's name", hint)
        return service


def _last_position(matrix: Matrix) -> int:
    """Return the latest position at which any series has a row."""
    return max(int(found.position[-1]) for found in matrix.series if len(found.position))


def _key(query: QuerySpec, metric: Metric) -> str:
    """Return what identifies a query in the state: another query, label or step begins anew."""
    whose = f"service {query.service}" if query.service else f"label {query.service_label}"
    return f"{query.metric} every {metric.step}, {whose}{', reading' if query.cumulative else ''}: {query.query}"


def _read_state(state: str | None) -> dict[str, dict[str, str]]:
    """Return the marks by query; nothing where the text is no state, which only asks for more than needed."""
    try:
        found = json.loads(state or "{}")
    except ValueError:
        return {}
    marks = found.items() if isinstance(found, dict) else ()
    return {key: mark for key, mark in marks if isinstance(mark, dict)}


def _instant(text: object) -> int | None:
    """Return microseconds since 1970 of an instant in the state."""
    try:
        return (as_utc(datetime.fromisoformat(str(text))) - EPOCH) // MICRO
    except ValueError:
        return None


def _text(micros: int) -> str:
    """Return an instant for messages and the state."""
    return (EPOCH + micros * MICRO).isoformat().replace("+00:00", "Z")


def _seconds(micros: int) -> str:
    """Return seconds exactly, as the API takes them."""
    whole, rest = divmod(micros, 1_000_000)
    return str(whole) if not rest else f"{whole}.{rest:06d}"
