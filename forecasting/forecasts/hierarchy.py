"""Making forecasts of parts and wholes add up, path by path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, get_args

import numpy as np

from forecasting.forecasts._hierarchy_align import align_paths, reordered, template
from forecasting.forecasts._hierarchy_check import checked_errors, checked_paths, shared_errors
from forecasting.forecasts._hierarchy_covariance import ShrunkCovariance
from forecasting.forecasts._hierarchy_project import gap_weights, repaired
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.hierarchy import Dependence, Hierarchy, NonNegativity, ReconcileMethod, Reconciliation
from forecasting.terms.history import MetricKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecasting.terms.hierarchy import NodeKey, NodeT

__all__ = ["ReconciledForecasts", "align_paths", "forecast_hierarchy", "reconcile", "shared_errors"]

OtherT = TypeVar("OtherT", bound="tuple[str, str] | str")  # keys of a second mapping

MIN_ORIGINS = 5
"""Fewest back-test origins from which variances and ranks are taken; with fewer, chance would decide them.

Simulated 80 % intervals of the sum of 20 series covered, with errors correlated 0 · 0.1 · 0.5: independence assumed
.80 · .55 · .30; 3 origins .73 · .65 · .62; 5 origins .74 · .71 · .73; 20 origins .78 · .76 · .77.
"""

_NNLS_WORK = 1e8  # paths × horizon × (bottom² + 1000) of about five seconds of exact non-negative least squares
_CHUNK = 4_000_000  # numbers worked on at once (32 MB), so that memory does not grow with the number of paths


def reconcile(
    paths: Mapping[NodeT, NDArray[np.float64]],
    hierarchy: Hierarchy,
    *,
    method: ReconcileMethod = "bottom_up",
    errors: Mapping[OtherT, NDArray[np.float64]] | None = None,
    non_negative: bool = False,
    align: bool = True,
    seed: int = 0,
) -> Reconciliation:
    """Return paths of all nodes that add up on every path and slice.

    Parameters
    ----------
    paths : mapping of arrays of shape (n_paths, horizon)
        Sample paths by node; bottom_up needs those of the bottom nodes only. Not changed.
    hierarchy : Hierarchy
        What adds up to what.
    method : str
        "bottom_up", "ols", "wls_variance" or "mint_shrink" (Wickramasuriya, Athanasopoulos and Hyndman 2019; the
        projection is applied to every path, Panagiotelis et al. 2023). Where the covariance cannot be used, bottom_up
        answers and `fallback` says why.
    errors : mapping of arrays of shape (n_origins, k), optional
        Outcome − forecast by node in the units of the paths, rows = the same origins for all nodes, columns = steps
        ahead (see `shared_errors`). One covariance, pooled over steps, serves the whole horizon.
    non_negative : bool
        Keep every node at 0 or more: non-negative least squares where that is a matter of seconds, else negative
        bottom values are set to 0 before adding up; the result says which.
    align : bool
        With `errors`: first order the paths by the ranks of past errors (`align_paths`), so that sums have the right
        spread. False keeps paths that were drawn together already.
    seed : int
        For `align_paths`.

    Raises
    ------
    InputError
        A node without paths or errors, shapes that differ, values that are not finite, an unknown method or node.

    Examples
    --------
    >>> tree = Hierarchy(bottom=("web", "app"), aggregates=("all",), members=(("web", "app"),))
    >>> base = {"all": np.array([[13.0]]), "web": np.array([[4.0]]), "app": np.array([[6.0]])}
    >>> {node: float(p[0, 0]) for node, p in reconcile(base, tree, method="ols").paths.items()}
    {'all': 12.0, 'web': 5.0, 'app': 7.0}
    >>> reconcile(base, tree).statement
    'bottom_up; series assumed independent (0 back-test origins known), so the spread of sums may be wrong'
    """
    floor = np.full(len(hierarchy.bottom), non_negative)
    return _reconcile(paths, hierarchy, method=method, errors=errors, floor=floor, align=align, seed=seed)


def _reconcile(
    paths: Mapping[NodeT, NDArray[np.float64]],
    hierarchy: Hierarchy,
    *,
    method: ReconcileMethod,
    errors: Mapping[OtherT, NDArray[np.float64]] | None,
    floor: NDArray[np.bool_],
    align: bool,
    seed: int,
) -> Reconciliation:
    """Reconcile with the bottom nodes in `floor` kept at 0 or more."""
    if method not in get_args(ReconcileMethod):
        raise _wrong("method", method, ", ".join(get_args(ReconcileMethod)), "bottom_up")
    nodes = frozenset(hierarchy.nodes)
    unknown = next((node for node in (*paths, *(errors or ())) if node not in nodes), None)
    if unknown is not None:
        raise _wrong(
            "paths and errors", unknown, "nodes of the hierarchy", "add the node to the hierarchy or leave it out"
        )
    needed = hierarchy.bottom if method == "bottom_up" else hierarchy.nodes
    given = checked_paths(paths, needed)
    past = {} if errors is None else checked_errors(errors, needed)
    origins = len(next(iter(past.values()))) if past else 0
    aggregation = hierarchy.aggregation_matrix()
    covariance, weights, fallback = _weights(method, aggregation, past, hierarchy, origins)
    used: ReconcileMethod = "bottom_up" if fallback else method
    ordered = align and origins >= MIN_ORIGINS
    dependence: Dependence = "back_test_errors" if ordered else "independence_assumed" if align else "as_given"
    result, kept = _projected(given, hierarchy, aggregation, covariance, weights, floor, past if ordered else {}, seed)
    return Reconciliation(
        paths=result,
        asked=method,
        method=used,
        shrinkage=covariance.shrinkage if covariance is not None and used == "mint_shrink" else None,
        origins=origins,
        dependence=dependence,
        non_negativity=kept,
        fallback=fallback,
    )


def _weights(
    method: ReconcileMethod,
    aggregation: NDArray[np.float64],
    past: Mapping[NodeKey, NDArray[np.float64]],
    hierarchy: Hierarchy,
    origins: int,
) -> tuple[ShrunkCovariance | None, NDArray[np.float64] | None, str | None]:
    """Covariance, weights of the gaps (None: bottom-up) and the reason where they could not be had."""
    if method == "bottom_up" or not len(aggregation):
        return None, None, None
    covariance = None
    if method != "ols":
        if origins < MIN_ORIGINS:
            return None, None, f"{origins} back-test origins shared by all series, {MIN_ORIGINS} needed"
        stacked = np.stack([past[node] for node in hierarchy.nodes], axis=2)
        covariance = ShrunkCovariance.of(stacked, shrinkage=1.0 if method == "wls_variance" else None)
    weights = gap_weights(aggregation, covariance)
    if isinstance(weights, Excuse):
        return None, None, weights.reason
    return covariance, weights, None


def _projected(
    given: Mapping[NodeKey, NDArray[np.float64]],
    hierarchy: Hierarchy,
    aggregation: NDArray[np.float64],
    covariance: ShrunkCovariance | None,
    weights: NDArray[np.float64] | None,
    floor: NDArray[np.bool_],
    past: Mapping[NodeKey, NDArray[np.float64]],
    seed: int,
) -> tuple[dict[NodeKey, NDArray[np.float64]], NonNegativity]:
    """Coherent paths of all nodes, worked out in blocks of paths, and how they were kept at 0 or more."""
    n_paths, horizon = next(iter(given.values())).shape
    count = len(aggregation)
    sources = hierarchy.bottom if weights is None else hierarchy.nodes
    result = {node: np.empty((n_paths, horizon)) for node in hierarchy.nodes}
    follow = template(next(iter(past.values())).shape, (n_paths, horizon), seed) if past else None
    for node in sources:  # the result doubles as working memory for the base paths
        result[node][:] = given[node] if follow is None else reordered(given[node], past[node][follow])
    affordable = n_paths * horizon * (len(hierarchy.bottom) ** 2 + 1000) <= _NNLS_WORK
    kept: NonNegativity = "not_needed" if floor.any() else "not_asked"
    rows = max(1, _CHUNK // (len(hierarchy.nodes) * horizon))
    for start in range(0, n_paths, rows):
        part = slice(start, min(start + rows, n_paths))
        base = np.stack([result[node][part].ravel() for node in sources])
        bottom = base if weights is None else base[count:]
        if weights is not None:
            bottom = bottom + weights @ (base[:count] - aggregation @ bottom)
        bad = np.flatnonzero((bottom[floor] < 0).any(axis=0))
        if len(bad):
            exact = None
            if weights is not None and affordable and kept != "clipped":
                exact = repaired(base, bottom, aggregation, covariance, floor, bad)
            if exact is not None:
                bottom[:, bad] = exact
            kept = "clipped" if exact is None else "nnls"
            bottom[floor] = np.maximum(bottom[floor], 0.0)
        for node, values in zip(hierarchy.nodes, (*(aggregation @ bottom), *bottom), strict=True):
            result[node][part] = values.reshape(-1, horizon)
    return result, kept


@dataclass(frozen=True, kw_only=True, eq=False)
class ReconciledForecasts:
    """Forecasts that add up."""

    forecasts: Mapping[tuple[str, str], Forecast]
    """Every node of the hierarchy by (service, metric name)."""
    reconciliation: Reconciliation
    """What was done."""


def forecast_hierarchy(
    forecasts: Sequence[Forecast],
    hierarchy: Hierarchy,
    *,
    method: ReconcileMethod = "bottom_up",
    errors: Mapping[NodeT, NDArray[np.float64]] | None = None,
    align: bool = True,
    seed: int = 0,
) -> ReconciledForecasts:
    """Return the forecasts with paths that add up and stay inside the bounds of their metrics.

    Parameters
    ----------
    forecasts : sequence of Forecast
        Of the nodes, keyed by (service, metric name), with the same start, step, cut-off, horizon and number of paths.
        With bottom_up an aggregate may be missing: it takes its labels from its first bottom node.
    hierarchy, method, errors, align, seed
        As for `reconcile`; nodes are (service, metric name). A fallback is recorded in every forecast as well.

    Raises
    ------
    InputError
        Forecasts that do not match each other or the hierarchy, or a ratio (shares do not add up).

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.terms.history import Metric
    >>> def calls(service, level):
    ...     return Forecast(service=service, metric=Metric(name="calls", kind=MetricKind.COUNT), zone="UTC", seed=1,
    ...         start=datetime(2027, 1, 1, tzinfo=UTC), cut_off=datetime(2027, 1, 1, tzinfo=UTC),
    ...         step=timedelta(hours=1), paths=np.full((2, 3), level), model="window_average")
    >>> tree = Hierarchy(bottom=(("web", "calls"), ("app", "calls")), aggregates=(("all", "calls"),),
    ...     members=((("web", "calls"), ("app", "calls")),))
    >>> forecast_hierarchy([calls("web", 2.0), calls("app", 3.0)], tree).forecasts["all", "calls"].paths[0]
    array([5., 5., 5.])
    """
    known: dict[NodeKey, Forecast] = {}
    for forecast in forecasts:
        key = (forecast.service, forecast.metric.name)
        if key in known:
            raise _wrong("forecasts", key, "one forecast for each node", "leave one of them out")
        known[key] = forecast
    _check_forecasts(known, hierarchy)
    if method == "bottom_up":
        known = {**{node: _sum_of(known, node, parts) for node, parts in _missing(known, hierarchy)}, **known}
    floor = np.array([known[node].metric.kind.bounds[0] is not None for node in hierarchy.bottom])
    _check_bounds(known, hierarchy)
    used = hierarchy.bottom if method == "bottom_up" else tuple(known)
    paths = {node: known[node].paths for node in used}
    done = _reconcile(paths, hierarchy, method=method, errors=errors, floor=floor, align=align, seed=seed)
    note = None if done.fallback is None else f"added up bottom-up instead of {method}: {done.fallback}"
    reconciled: dict[tuple[str, str], Forecast] = {}
    for node in hierarchy.nodes:
        was = known[node]
        fallback = "; ".join(text for text in (was.fallback, note) if text) or None
        reconciled[was.service, was.metric.name] = replace(was, paths=done.paths[node], fallback=fallback)
    return ReconciledForecasts(forecasts=reconciled, reconciliation=done)


def _missing(
    known: Mapping[NodeKey, Forecast], hierarchy: Hierarchy
) -> list[tuple[tuple[str, str], tuple[NodeKey, ...]]]:
    """Aggregates without a forecast, with their bottom nodes."""
    pairs = zip(hierarchy.aggregates, hierarchy.members, strict=True)
    return [(node, parts) for node, parts in pairs if node not in known and not isinstance(node, str)]


def _sum_of(known: Mapping[NodeKey, Forecast], node: tuple[str, str], parts: tuple[NodeKey, ...]) -> Forecast:
    """A forecast labelled as `node`, made like that of its first part; the paths are filled in later."""
    first = known[parts[0]]
    kinds = [known[part].metric.kind for part in parts]
    kind = kinds[0] if all(k is kinds[0] for k in kinds) else _widest(kinds)
    metric = replace(first.metric, name=node[1], kind=kind, description="")
    return replace(first, service=node[0], metric=metric, model="bottom_up", choice=None, fallback=None)


def _widest(kinds: Sequence[MetricKind]) -> MetricKind:
    """Kind of a sum of different kinds."""
    return MetricKind.REAL if MetricKind.REAL in kinds else MetricKind.NON_NEGATIVE


def _check_forecasts(known: Mapping[NodeKey, Forecast], hierarchy: Hierarchy) -> None:
    """Refuse forecasts that are not of the same slices, or cannot be added up."""
    nodes = frozenset(hierarchy.nodes)
    unknown = next((node for node in known if node not in nodes), None)
    if unknown is not None:
        raise _wrong("forecasts", unknown, "nodes of the hierarchy", "add the node to the hierarchy or leave it out")
    plain = next((node for node in hierarchy.nodes if isinstance(node, str)), None)
    if plain is not None:
        raise _wrong("hierarchy", plain, "(service, metric name) as nodes", "reconcile, which takes plain names")
    absent = next((node for node in hierarchy.bottom if node not in known), None)
    if absent is not None:
        raise _wrong("forecasts", absent, "a forecast of every bottom node", "forecast it, or leave the node out")
    first = known[hierarchy.bottom[0]]
    for node, forecast in known.items():
        for name in ("start", "step", "cut_off"):
            if getattr(forecast, name) != getattr(first, name):
                allowed = f"{getattr(first, name)}, as in {hierarchy.bottom[0]!r}"
                raise _wrong(f"{name} of {node!r}", getattr(forecast, name), allowed, "forecast all on one grid")
        units = forecast.metric.unit, first.metric.unit
        if all(units) and units[0] != units[1]:
            raise _wrong(f"unit of {node!r}", units[0], f"{units[1]}, as in {hierarchy.bottom[0]!r}", "add up one unit")
        if forecast.metric.kind is MetricKind.RATIO:
            raise _wrong(f"kind of {node!r}", "ratio", "a metric that adds up", "add up good and total events instead")


def _check_bounds(known: Mapping[NodeKey, Forecast], hierarchy: Hierarchy) -> None:
    """Refuse an aggregate that cannot be negative with a part that can."""
    for node, parts in zip(hierarchy.aggregates, hierarchy.members, strict=True):
        if node in known and known[node].metric.kind.bounds[0] is not None:
            part = next((p for p in parts if known[p].metric.kind.bounds[0] is None), None)
            if part is not None:
                raise _wrong(f"kind of {part!r}", "real", f"0 or more, as its sum {node!r}", "give both the same kind")


def _wrong(argument: str, came: object, allowed: str, try_instead: str) -> InputError:
    """Return the error."""
    return InputError(argument=argument, came=came, allowed=allowed, try_instead=try_instead)
