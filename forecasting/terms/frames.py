"""A plan's results as pandas frames, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from forecasting.terms.budget import ErrorBudget
from forecasting.terms.forecast import Forecast
from forecasting.terms.league import League
from forecasting.terms.plan import Plan
from forecasting.terms.proposal import Proposal
from forecasting.terms.service_level import Attainment

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Levels of the frame ``demand_quantiles``."""

Row = Sequence[object]

# column → type: str, int, float, bool, instant (UTC, µs) or day (naive, µs)
_ATTAINMENT = {
    "service": "str", "agreement": "str", "objective": "str", "period": "str", "start": "instant", "end": "instant",
    "target": "float", "good": "int", "total": "int", "value": "float", "lower": "float", "upper": "float",
    "margin": "float", "coverage": "float", "status": "str", "final": "bool", "stage": "str", "unit": "str",
    "method": "str", "known_slices": "int", "elapsed_slices": "int", "planned_slices": "int", "excluded_slices": "int",
    "watermark": "instant",
}  # fmt: skip
_RISKS = {
    "service": "str", "agreement": "str", "objective": "str", "period": "str", "start": "instant", "end": "instant",
    "as_of": "instant", "target": "float", "probability": "float", "probability_low": "float",
    "probability_high": "float", "decided": "bool", "attainment_p10": "float", "attainment_p50": "float",
    "attainment_p90": "float", "consumed_good": "int", "consumed_total": "int", "budget_spent": "float",
    "exhaustion_p10": "instant", "exhaustion_p50": "instant", "expected_credit": "float", "expected_loss": "float",
    "credit_p95": "float", "currency": "str", "fast_probability": "float", "monte_carlo_error": "float",
    "main_cause": "str", "basis": "str",
}  # fmt: skip
_CHOICES = {
    "service": "str", "metric": "str", "model": "str", "chosen": "bool", "origins": "int", "mase": "float",
    "sql": "float", "mase_vs_naive": "float", "sql_vs_naive": "float", "coverage80": "float", "coverage95": "float",
    "bias": "float", "cpu_seconds": "float",
}  # fmt: skip
_REQUIREMENTS = {
    "resource": "str", "service": "str", "model": "str", "unit": "str", "units_now": "float", "usable_units": "float",
    "use_now": "float", "use_p50": "float", "use_p90": "float", "headroom_now": "float", "headroom_end": "float",
    "required_p50": "float", "required_p90": "float", "probability_exhausted": "float", "exhaustion_p10": "day",
    "exhaustion_p50": "day", "exhaustion_p90": "day", "need_by": "day", "order_by": "day",
    "supported_growth": "float", "service_level_now": "float", "service_level_p90": "float", "check": "str",
}  # fmt: skip
_OPTIONS = {
    "proposal": "str", "title": "str", "service": "str", "agreement": "str", "objective": "str", "resource": "str",
    "kind": "str", "label": "str", "recommended": "bool", "capex": "float", "opex_per_month": "float",
    "cost_over_horizon": "float", "currency": "str", "price_date": "day", "lead_time_days": "int",
    "probability_before": "float", "probability_after": "float", "probability_after_low": "float",
    "probability_after_high": "float", "expected_credit_after": "float", "expected_loss_after": "float",
    "benefit_mean": "float", "benefit_p10": "float", "benefit_p90": "float", "net_benefit": "float",
    "confidence": "float", "order_by": "day", "effective_from": "day", "decide_by": "day", "rejected_because": "str",
}  # fmt: skip
_WARNINGS = {
    "id": "str", "state": "str", "severity": "str", "service": "str", "agreement": "str", "objective": "str",
    "period": "str", "end": "instant", "raised_at": "instant", "probability": "float", "probability_low": "float",
    "probability_high": "float", "probability_previous": "float", "expected_breach_from": "day",
    "expected_breach_to": "day", "margin_events": "float", "lead_time_days": "float",
    "lead_time_needed_days": "float", "decide_by": "day", "main_cause": "str", "expected_credit": "float",
    "expected_loss": "float", "currency": "str", "note": "str",
}  # fmt: skip
_DRIVERS = {
    "service": "str", "agreement": "str", "objective": "str", "driver": "str", "label": "str",
    "driver_service": "str", "metric": "str", "unit": "str", "daily": "str", "direction": "str", "threshold": "float",
    "days": "int", "worst_days": "int", "bad_share_worst": "float", "bad_share_rest": "float", "excess_share": "float",
    "correlation": "float", "p_single": "float", "p_value": "float", "significant": "bool", "known_ahead": "bool",
}  # fmt: skip
_QUALITY = {
    "service": "str", "metric": "str", "rows": "int", "missing": "int", "coverage": "float", "longest_gap": "int",
    "first": "instant", "last": "instant", "stale_slices": "int", "notes": "str",
}  # fmt: skip
_DEMAND = {"service": "str", "metric": "str", "at": "instant", "unit": "str", "model": "str", "mean": "float"} | {
    f"q{level:g}": "float" for level in QUANTILES
}


_BUDGET = {
    "service": "str", "agreement": "str", "objective": "str", "period": "str", "target": "float", "value": "float",
    "allowed": "str", "spent": "str", "left": "str", "spent_share": "float", "burn_1h": "float", "burn_6h": "float",
    "burn_1d": "float", "burn_3d": "float", "alerts": "str",
}  # fmt: skip
_LEAGUE = {
    "entry": "str", "series": "int", "scored": "int", "gm_sql": "float", "gm_sql_low": "float", "gm_sql_high": "float",
    "gm_mase": "float", "gm_mase_low": "float", "gm_mase_high": "float", "skill": "float", "worse_than_naive": "float",
    "sql": "float", "mase": "float", "msis95": "float", "wql": "float", "smape": "float", "owa": "float",
    "bias": "float", "coverage50": "float", "coverage80": "float", "coverage90": "float", "coverage95": "float",
    "calibration_error": "float", "cpu_ms": "float", "fallback_rate": "float", "replaced_rate": "float",
}  # fmt: skip
_LEAGUE_SERIES = {
    "entry": "str", "service": "str", "metric": "str", "stratum": "str", "sql": "float", "mase": "float",
    "msis95": "float", "coverage80": "float", "bias": "float",
}  # fmt: skip
_LEAGUE_COVERAGE = {
    "entry": "str", "level": "float", "stratum": "str", "first_step": "int", "last_step": "int", "share": "float",
    "outcomes": "int",
}  # fmt: skip


def amount_text(amount: Decimal | int, unit: str) -> str:
    """Return an amount of an attainment's unit in words: time as hours, minutes and seconds.

    Examples
    --------
    >>> amount_text(Decimal(2592000000), "microseconds"), amount_text(Decimal("1.11"), "days")
    ('43 min 12 s', '1.11 days')
    """
    if unit == "billionths":
        return f"{Decimal(amount).scaleb(-9).normalize():f} slices"
    if unit != "microseconds":
        exact = Decimal(amount)
        shown = exact if exact == exact.to_integral_value() else round(exact, 0 if abs(exact) >= 100 else 2)
        return f"{shown.normalize():,f} {unit}"
    sign, rest = ("-" if amount < 0 else ""), abs(Decimal(amount)) / 1_000_000
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{hours:.0f} h"] if hours else []
    parts += [f"{minutes:.0f} min"] if minutes else []
    if seconds or not parts:
        parts.append(f"{round(seconds, 3).normalize():f} s")
    return sign + " ".join(parts)


def by_share(budgets: Sequence[ErrorBudget]) -> list[ErrorBudget]:
    """Return error budgets with the most spent first."""
    return sorted(budgets, key=lambda b: -(b.spent_share or 0))


def budget_frame(budgets: Sequence[ErrorBudget]) -> pd.DataFrame:
    """Return error budgets as a frame, the most spent first.

    Examples
    --------
    >>> list(budget_frame(()).columns[:3])
    ['service', 'agreement', 'objective']
    """
    spans = (("burn_1h", 3600), ("burn_6h", 21600), ("burn_1d", 86400), ("burn_3d", 259200))
    rows = []
    for b in by_share(budgets):
        a = b.attainment
        rates = {rate.lookback.total_seconds(): rate.rate for rate in b.burn}
        allowed = b.allowed if b.allowed is not None else b.allowed_so_far
        rows.append(
            (a.service, a.agreement, a.objective, a.period.label, a.target, a.value,
             ("" if b.allowed is not None else "so far ") + amount_text(allowed, a.unit), amount_text(b.spent, a.unit),
             None if b.left is None else amount_text(b.left, a.unit), b.spent_share,
             *(rates.get(seconds) for _, seconds in spans),
             ", ".join(alert.condition for alert in b.alerts) or None)
        )  # fmt: skip
    return _frame(_BUDGET, rows)


def attainment_frame(attainments: Iterable[Attainment]) -> pd.DataFrame:
    """Return attainments as a frame, one row a window.

    Examples
    --------
    >>> list(attainment_frame(()).columns[:4])
    ['service', 'agreement', 'objective', 'period']
    """
    return _frame(
        _ATTAINMENT,
        (
            (a.service, a.agreement, a.objective, a.period.label, a.period.start, a.period.end, a.target, a.good,
             a.total, a.value, a.lower, a.upper, a.margin, a.coverage, a.status.value, a.final,
             "final" if a.final else "provisional" if a.provisional else "running", a.unit, a.method.value,
             a.known_slices, a.elapsed_slices, a.planned_slices, a.excluded_slices, a.watermark)
            for a in attainments
        ),
    )  # fmt: skip


def plan_frames(plan: Plan) -> dict[str, pd.DataFrame]:
    """Return a plan's results as frames with typed columns; an empty result keeps its columns and their types.

    Parameters
    ----------
    plan : Plan
        The result of a run.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``attainment``, ``risks``, ``demand_quantiles``, ``choices`` (every model that ran), ``requirements``,
        ``options``, ``warnings``, ``drivers`` (what bad days had in common, significant or not) and ``quality``.
        Shares and probabilities are 0 to 1; money is a float beside a ``currency`` column; instants are UTC
        (``datetime64[us, UTC]``), days are ``datetime64[us]``; what is unknown is missing (NaN, NaT or None).
    """
    outlooks = [(s, o) for s in plan.services for o in s.objectives]
    return {
        "attainment": attainment_frame([a for o in plan.record or [o for _, o in outlooks] for a in o.attainments]),
        "risks": _frame(
            _RISKS,
            (
                (r.service, r.agreement, r.objective, r.period.label, r.period.start, r.period.end, r.as_of, r.target,
                 r.probability, r.probability_low, r.probability_high, r.decided, r.attainment_p10, r.attainment_p50,
                 r.attainment_p90, r.consumed_good, r.consumed_total, r.budget_spent, r.exhaustion_p10,
                 r.exhaustion_p50, r.expected_credit, r.expected_loss, r.credit_p95, r.currency, r.fast_probability,
                 r.monte_carlo_error, r.causes[0].name if r.causes else None, r.basis)
                for _, o in outlooks for r in o.risks
            ),
        ),
        "demand_quantiles": _demand(plan),
        "choices": _frame(
            _CHOICES,
            (
                (c.service, c.metric, b.model, b.model == c.chosen, b.origins, b.mase, b.sql, b.mase_vs_naive,
                 b.sql_vs_naive, b.coverage80, b.coverage95, b.bias, b.cpu_seconds)
                for s in plan.services if (c := s.choice) is not None for b in c.scores
            ),
        ),
        "requirements": _frame(
            _REQUIREMENTS, ([getattr(r, column) for column in _REQUIREMENTS] for r in plan.requirements)
        ),
        "options": _frame(_OPTIONS, (row for p in plan.proposals for row in _options(p))),
        "warnings": _frame(
            _WARNINGS,
            (
                (w.id, w.state, w.severity.value, w.service, w.agreement, w.objective, w.period.label, w.period.end,
                 w.raised_at, w.probability, w.probability_low, w.probability_high, w.probability_previous,
                 w.expected_breach_from, w.expected_breach_to, w.margin_events, w.lead_time_days,
                 w.lead_time_needed_days, w.decide_by, w.main_cause.name, w.expected_credit, w.expected_loss,
                 w.currency, w.note)
                for w in plan.warnings
            ),
        ),
        "drivers": _frame(
            _DRIVERS,
            (
                (s.service.name, o.agreement.id if o.agreement else None, o.objective.name, d.driver, d.label,
                 d.service, d.metric, d.unit, d.daily, d.direction, d.threshold, d.days, d.worst_days,
                 d.bad_share_worst, d.bad_share_rest, d.excess_share, d.correlation, d.p_single, d.p_value,
                 d.significant, d.known_ahead)
                for s, o in outlooks for d in o.drivers
            ),
        ),
        "quality": _frame(
            _QUALITY,
            (
                (q.service, q.metric, q.rows, q.missing, q.coverage, q.longest_gap, q.first, q.last, q.stale_slices,
                 "; ".join(q.notes))
                for s in plan.services for q in s.quality
            ),
        ),
    }  # fmt: skip


def _options(p: Proposal) -> Iterable[Row]:
    """Yield one row per option of a proposal."""
    for i, o in enumerate(p.options):
        yield (
            p.id, p.title, p.service, p.agreement, p.objective, p.resource, o.kind, o.label, i == p.recommended,
            o.capex, o.opex_per_month, o.cost_over_horizon, o.currency, o.price_date, o.lead_time_days,
            o.probability_before, o.probability_after, o.probability_after_low, o.probability_after_high,
            o.expected_credit_after, o.expected_loss_after, o.benefit_mean, o.benefit_p10, o.benefit_p90,
            o.net_benefit, o.confidence, o.order_by, o.effective_from, p.decide_by, o.rejected_because,
        )  # fmt: skip


def league_frame(league: League) -> pd.DataFrame:
    """Return a league table as a frame, one row an entry, best relative quantile loss first.

    Examples
    --------
    >>> import numpy as np
    >>> none = np.empty((0, 0))
    >>> empty = League(rows=(), reference="naive", series=(), strata=(), sql=none, mase=none, msis95=none,
    ...     coverage80=none, bias=none, horizon=24, origins=3, seed=1)
    >>> list(league_frame(empty).columns[:4])
    ['entry', 'series', 'scored', 'gm_sql']
    """
    return _frame(
        _LEAGUE,
        (
            (r.entry, r.series, r.scored, r.gm_sql, r.gm_sql_low, r.gm_sql_high, r.gm_mase, r.gm_mase_low,
             r.gm_mase_high, r.skill, r.worse_than_naive, r.sql, r.mase, r.msis95, r.wql, r.smape, r.owa, r.bias,
             *(r.coverage_at(level) for level in (0.5, 0.8, 0.9, 0.95)), r.calibration_error, 1000 * r.cpu_seconds,
             r.fallback_rate, r.replaced_rate)
            for r in league.rows
        ),
    )  # fmt: skip


def league_series_frame(league: League) -> pd.DataFrame:
    """Return the scores of every series behind a league table, one row an entry and series.

    Examples
    --------
    >>> import numpy as np
    >>> none = np.empty((0, 0))
    >>> empty = League(rows=(), reference="naive", series=(), strata=(), sql=none, mase=none, msis95=none,
    ...     coverage80=none, bias=none, horizon=24, origins=3, seed=1)
    >>> list(league_series_frame(empty).columns[:4])
    ['entry', 'service', 'metric', 'stratum']
    """
    return _frame(
        _LEAGUE_SERIES,
        (
            (entry, service, metric, stratum, *(float(scores[e, i]) for scores in
             (league.sql, league.mase, league.msis95, league.coverage80, league.bias)))
            for e, entry in enumerate(league.entries)
            for i, ((service, metric), stratum) in enumerate(zip(league.series, league.strata, strict=True))
        ),
    )  # fmt: skip


def league_coverage_frame(league: League) -> pd.DataFrame:
    """Return the coverage of every entry by level, horizon bucket and stratum (empty = all).

    Examples
    --------
    >>> import numpy as np
    >>> none = np.empty((0, 0))
    >>> empty = League(rows=(), reference="naive", series=(), strata=(), sql=none, mase=none, msis95=none,
    ...     coverage80=none, bias=none, horizon=24, origins=3, seed=1)
    >>> list(league_coverage_frame(empty).columns[:4])
    ['entry', 'level', 'stratum', 'first_step']
    """
    return _frame(
        _LEAGUE_COVERAGE,
        (
            (r.entry, c.level, c.stratum, c.first_step, c.last_step, c.share, c.outcomes)
            for r in league.rows for c in r.coverage
        ),
    )  # fmt: skip


def forecast_frame(forecast: Forecast) -> pd.DataFrame:
    """Return mean and quantiles of one forecast per slice.

    Parameters
    ----------
    forecast : Forecast

    Returns
    -------
    pandas.DataFrame
        Columns service, metric, at (UTC), unit, model, mean and one column per quantile, named like ``q0.9``.
    """
    return _frame(_DEMAND, _slices(forecast))


def _demand(plan: Plan) -> pd.DataFrame:
    """Return mean and quantiles of each forecast per slice."""
    return _frame(_DEMAND, (row for s in plan.services if s.forecast is not None for row in _slices(s.forecast)))


def _slices(f: Forecast) -> Iterable[Row]:
    """Yield one row per slice of a forecast."""
    import numpy as np

    levels, mean = np.quantile(f.paths, QUANTILES, axis=0), f.mean()
    for i, at in enumerate(_starts(f)):
        yield (f.service, f.metric.name, at, f.metric.unit, f.model, float(mean[i]), *(float(q) for q in levels[:, i]))


def _starts(f: Forecast) -> list[datetime]:
    """Return the UTC start of each slice of a forecast."""
    from datetime import UTC, timedelta
    from zoneinfo import ZoneInfo

    if f.step < timedelta(days=1):
        return [f.start + i * f.step for i in range(f.horizon)]
    # A local day starts at local midnight, which wall-clock arithmetic in the zone keeps over a clock change.
    local = f.start.astimezone(ZoneInfo(f.zone))
    return [(local + i * f.step).astimezone(UTC) for i in range(f.horizon)]


def _frame(types: dict[str, str], rows: Iterable[Row]) -> pd.DataFrame:
    """Build a frame whose columns have the declared types, also without rows."""
    import pandas as pd

    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    made = {name: _column(values, kind) for (name, kind), values in zip(types.items(), columns, strict=True)}
    return pd.DataFrame(made, columns=list(types))


def _column(values: Sequence[object], kind: str) -> pd.Series:
    """Return one typed column."""
    import pandas as pd

    if kind == "instant":
        return pd.Series(pd.to_datetime(pd.Series(list(values), dtype="object"), utc=True)).astype(
            "datetime64[us, UTC]"
        )
    if kind == "day":
        plain = [datetime(v.year, v.month, v.day) if isinstance(v, date) else None for v in values]  # noqa: DTZ001
        return pd.Series(pd.to_datetime(pd.Series(plain, dtype="object"))).astype("datetime64[us]")
    if kind == "float":
        numbers = [float("nan") if v is None else float(v) for v in values]  # type: ignore[arg-type]
        return pd.Series(numbers, dtype="float64")
    dtype = {"int": "int64", "bool": "bool", "str": "object"}[kind]
    return pd.Series(list(values), dtype=dtype)
