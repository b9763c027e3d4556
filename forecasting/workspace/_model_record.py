"""What is logged of a trained model, and how it is read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._plain import plain
from forecasting.forecasts.scores import exact_scale
from forecasting.terms.errors import StoreError
from forecasting.terms.history import Series
from forecasting.terms.league import League
from forecasting.terms.learned import Learned
from forecasting.workspace._model_bench import errors_of
from forecasting.workspace._model_card import card_text

if TYPE_CHECKING:
    from forecasting.workflows.workbench import Bench


def error_arrays(bench: Bench, series: Sequence[Series]) -> dict[str, Any]:
    """Out-of-fold errors of the trained model by series, in the order of time, and the unit they are in."""
    by_key = {(one.service, one.metric.name): one for one in series}
    entry = bench.entries[-1]
    scales = []
    for row, key in enumerate(bench.outcomes.series):
        own = bench.outcomes.scales[row]
        good = own[np.isfinite(own) & (own > 0)]
        scale = float(good[-1]) if len(good) else exact_scale(by_key[key].values, 1)
        scales.append(scale if scale > 0 else 1.0)
    parts = [errors_of(bench.outcomes.actual[i], entry.quantiles[i], scales[i]) for i in range(len(scales))]
    return {
        "errors": np.stack([errors for errors, _ in parts]),
        "inside": np.stack([inside for _, inside in parts]),
        "scales": np.array(scales),
    }


def row_of(kept: Learned, name: str, i: int) -> Any:
    """One series' part of an array of the record."""
    return np.asarray(kept.arrays[name])[i]


def record_head(kept: Learned) -> tuple[list[tuple[str, str]], list[float], datetime, int]:
    """Series, units, cut-off and horizon of a record of errors; refused where they do not fit each other."""
    try:
        keys = [(str(service), str(metric)) for service, metric in kept.meta["keys"]]  # type: ignore[attr-defined]
        scales = [float(one) for one in np.asarray(kept.arrays["scales"], dtype=np.float64)]
        trained, horizon = instant_of(str(kept.meta["as_of"])), int(kept.meta["horizon"])  # type: ignore[call-overload]
        if not len(keys) == len(scales) == len(kept.arrays["errors"]) == len(kept.arrays["inside"]):
            raise ValueError("counts that differ")
    except (KeyError, ValueError, TypeError) as error:
        raise StoreError(
            argument="record of errors", came=f"{type(error).__name__}: {error}", allowed="the record as it was logged",
            try_instead="forecasting models log", file="backtest",
        ) from error  # fmt: skip
    return keys, scales, trained, horizon


def league_metrics(league: League) -> list[tuple[str, float]]:
    """Scores of every entry, as far as they are numbers."""
    names = ("gm_sql", "gm_sql_low", "gm_sql_high", "gm_mase", "sql", "mase", "msis95", "wql", "smape", "bias",
             "worse_than_naive", "cpu_seconds", "fallback_rate", "replaced_rate", "calibration_error")  # fmt: skip
    found = [(f"{row.entry}/{name}", float(getattr(row, name))) for row in league.rows for name in names]
    for row in league.rows:
        found += [(f"{row.entry}/coverage{100 * level:g}", row.coverage_at(level)) for level in (0.5, 0.8, 0.9, 0.95)]
    return [(name, value) for name, value in found if np.isfinite(value)]


def params_of(meta: dict[str, Any]) -> dict[str, str]:
    """What a model, or a league without one, was made with, as text."""
    names = ("as_of", "first", "series", "slices", "horizon", "origins", "paths", "seed", "models", "code_version",
             "catalogue_version", "data_sha256", "state", "no_state")  # fmt: skip
    found = {name: ", ".join(meta[name]) if name == "models" else str(meta[name]) for name in names if name in meta}
    return found | {f"library.{name}": version for name, version in meta["libraries"].items()}


def texts_of(meta: dict[str, Any], league: League) -> dict[str, str]:
    """The files beside the model: figures, league, card."""
    return league_texts(league) | {"card.md": card_text(meta, None)}


def league_texts(league: League) -> dict[str, str]:
    """A league as files: figures, and its rows."""
    from forecasting.reports.charts_league import calibration_lines, coverage_steps, league_bars, standalone_svg

    return {
        "figures/league.svg": standalone_svg(league_bars("league", league)),
        "figures/calibration.svg": standalone_svg(calibration_lines("calibration", league)),
        "figures/coverage.svg": standalone_svg(coverage_steps("coverage", league)),
        "league.json": json.dumps(plain(league.rows), sort_keys=True, indent=1, allow_nan=False) + "\n",
    }


def instant_text(at: datetime) -> str:
    """An instant as ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def instant_of(text: str) -> datetime:
    """An instant from its text."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise StoreError(
            argument="as_of of the version", came=text, allowed="the instant it was logged with",
            try_instead="forecasting models log", file="model version",
        ) from error  # fmt: skip
