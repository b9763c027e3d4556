"""What the commands `forecast` and `backtest` print: tables, sentences, JSON, and the file they read and write."""

from __future__ import annotations

import textwrap
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting.cli._output import cell, console_width, inert, records, say, show_table
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from forecasting.terms.forecast import Forecast
    from forecasting.terms.league import Comparison, League, LeagueRow

LEVEL = 0.8
"""Interval that a table shows."""


def read_known_ahead(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file of covariates; the column ``at`` becomes times.

    Raises
    ------
    InputError
        For a file that is no table, or has no column ``at`` of times.
    """
    import pandas as pd

    from forecasting.adapters._input_file import read_stable

    data = BytesIO(read_stable(path, shown=str(path)))
    try:
        frame = pd.read_parquet(data) if path.suffix == ".parquet" else pd.read_csv(data, dtype={"service": str})
        if "at" not in frame.columns:
            raise InputError(
                argument="covariates",
                came=", ".join(map(str, frame.columns)),
                allowed="a column at with the start of each slice",
                try_instead="rename the column of times to at",
                file=str(path),
            )
        if not pd.api.types.is_datetime64_any_dtype(frame["at"].dtype):
            frame["at"] = pd.to_datetime(frame["at"], format="ISO8601")
    except (ValueError, OverflowError) as error:  # pandas' parser, its times, pyarrow and UnicodeDecodeError
        raise InputError(
            argument="covariates",
            came=str(error).splitlines()[0],
            allowed="a CSV (UTF-8) or Parquet file with ISO times in the column at, all with or all without offset",
            try_instead="at,campaign / 2027-03-01,1",
            file=str(path),
        ) from error
    return frame


def forecast_document(found: Forecast, frame: pd.DataFrame, *, explain: bool) -> dict[str, Any]:
    """Return a forecast as plain values for ``--json``; times are UTC."""
    from forecasting.adapters._plain import plain

    document: dict[str, Any] = {
        "service": found.service,
        "metric": found.metric.name,
        "unit": found.metric.unit,
        "zone": found.zone,
        "step_seconds": int(found.step.total_seconds()),
        "cut_off": plain(found.cut_off),
        "seed": found.seed,
        "model": found.model,
        "fallback": found.fallback,
        "reason": found.choice.reason if found.choice else None,
        "slices": records(frame),
    }
    e = found.explanation
    if e is not None:
        document |= {
            "value_added": plain(e.value_added),
            "coverage": [{"level": level, "share": plain(share), "outcomes": n} for level, share, n in e.coverage],
            "declined": [
                {"model": name, "reason": no.reason, "what_would_help": no.what_would_help} for name, no in e.declined
            ],
        }
        if explain:
            from forecasting.forecasts.explain import describe

            document["explanation"] = {
                "components": {name: [plain(float(v)) for v in values] for name, values in e.components.items()},
                "weights": [{"model": name, "weight": plain(weight)} for name, weight in e.weights],
                "notes": list(e.notes),
                "words": describe(e, found.metric.unit).splitlines(),
            }
    return document


def local_times(found: Forecast, at: pd.Series[Any], *, short: bool) -> pd.Series[Any]:
    """Return slice starts in the service's zone: short for a table, ISO 8601 with offset for a file."""
    local = at.dt.tz_convert(found.zone)
    form = "%Y-%m-%d %a" if found.step >= timedelta(days=1) else "%Y-%m-%d %H:%M %z"
    texts: pd.Series[Any] = local.dt.strftime(form) if short else local.map(lambda moment: moment.isoformat())
    return texts


def write_forecast(found: Forecast, frame: pd.DataFrame, out: Path, *, explain: bool) -> str:
    """Write a forecast as a CSV file that a spreadsheet opens without running anything; return where."""
    from forecasting.adapters._atomic import write_atomic
    from forecasting.adapters.sinks.csv_frames import safe_csv

    table = frame.assign(at=local_times(found, frame["at"], short=False))
    if explain and found.explanation is not None:
        table = table.assign(**found.explanation.components)
    return str(write_atomic(out.parent, out.name, safe_csv(table)))


def show_forecast(found: Forecast, frame: pd.DataFrame, *, rows: int, explain: bool) -> None:
    """Print median and interval, then what they rest on."""
    from forecasting.forecasts.explain import coverage_sentence, declined_sentence, describe, value_sentence

    low, high = f"q{(1 - LEVEL) / 2:.1g}", f"q{(1 + LEVEL) / 2:.1g}"
    shown = frame.assign(at=local_times(found, frame["at"], short=True))
    shown[f"{LEVEL:.0%} interval".replace("%", " %")] = [
        f"{cell(a, 'num')} to {cell(b, 'num')}" for a, b in zip(shown[low], shown[high], strict=True)
    ]
    shown = shown.rename(columns={"q0.5": "median"})
    show_table(
        f"{found.service}: {found.metric.name} ({found.metric.unit}) by {found.model}, {found.zone}",
        shown,
        {"at": "key", "median": "num", "80 % interval": "key", "mean": "num"},
        rows=rows,
    )
    e = found.explanation
    if found.choice:
        paragraph(found.choice.reason)
    if e is None:
        pass
    elif explain:
        _show_components(found, rows)
        for line in describe(e, found.metric.unit).splitlines():
            paragraph(line)
    else:
        for cells in e.coverage:
            if cells[0] == LEVEL:
                paragraph(coverage_sentence(*cells))
        paragraph(value_sentence(e.value_added))
        for name, excuse in e.declined:
            paragraph(declined_sentence(name, excuse))
    if found.fallback:
        paragraph(f"fallback: {found.fallback}")


def _show_components(found: Forecast, rows: int) -> None:
    """Print what each component adds, slice by slice."""
    from forecasting.terms.frames import forecast_frame

    if found.explanation is None:
        return
    frame = forecast_frame(found)[["at", "q0.5"]].rename(columns={"q0.5": "median"})
    frame = frame.assign(at=local_times(found, frame["at"], short=True))
    names = {name: name.removeprefix("season_") for name in found.explanation.components}
    frame = frame.assign(**{names[name]: values for name, values in found.explanation.components.items()})
    show_table(
        f"Components of the median ({found.metric.unit}); they add up to it",
        frame,
        {"at": "key", **dict.fromkeys(names.values(), "num"), "median": "num"},
        rows=rows,
    )


def paragraph(text: str) -> None:
    """Print a sentence, folded at the width of the tables."""
    for line in textwrap.wrap(inert(text), min(console_width(), 100), break_on_hyphens=False) or [""]:
        say(line)


def league_document(league: League, comparisons: list[Comparison]) -> dict[str, Any]:
    """Return a league table with all behind it as plain values for ``--json``."""
    from forecasting.adapters._plain import plain
    from forecasting.terms.frames import league_coverage_frame, league_frame, league_series_frame

    return {
        "league": records(league_frame(league)),
        "answered_by": {row.entry: dict(row.answered_by) for row in league.rows},
        "excuses": {row.entry: dict(row.excuses) for row in league.rows},
        "comparisons": [plain(one) for one in comparisons],
        "coverage": records(league_coverage_frame(league)),
        "series": records(league_series_frame(league)),
        "excluded": [
            {"service": service, "metric": metric, "reason": no.reason, "what_would_help": no.what_would_help}
            for (service, metric), no in league.excluded
        ],
        "reference": league.reference,
        "horizon": league.horizon,
        "origins": league.origins,
        "seed": league.seed,
        "paths": league.paths,
        "data_sha256": league.data_sha256,
    }


def show_league(league: League, comparisons: list[Comparison], *, rows: int) -> None:
    """Print the table, who is better than the default, coverage by steps ahead, and what could not be scored."""
    import pandas as pd

    def ratio(value: float, low: float, high: float) -> str:
        return cell(value, "ratio") if low == high else f"{value:.2f} ({low:.2f}–{high:.2f})"

    table = pd.DataFrame(
        [
            {
                "entry": row.entry,
                "SQL": ratio(row.gm_sql, row.gm_sql_low, row.gm_sql_high),
                "MASE": ratio(row.gm_mase, row.gm_mase_low, row.gm_mase_high),
                "worse": row.worse_than_naive,
                "in 80 %": row.coverage_at(0.8),
                "in 95 %": row.coverage_at(0.95),
                "CPU ms": 1000 * row.cpu_seconds,
            }
            for row in league.rows
        ]
    )
    show_table(
        f"Loss of quantiles (SQL) and of the median (MASE) ÷ that of {league.reference};\n{len(league.series)} series, "
        f"{league.origins} origins, {league.horizon} slices ahead; worse: share of series on which it is worse",
        table,
        {"entry": "key", "SQL": "key", "MASE": "key", "worse": "%", "in 80 %": "%", "in 95 %": "%",
         "CPU ms": "num"},
        rows=rows,
    )  # fmt: skip
    for one in comparisons:
        paragraph(f"{one.verdict}.")
    steps = [(c.first_step, c.last_step) for c in _by_steps(league.rows[0])]
    if steps:
        names = [f"{first}–{last}" if last > first else f"{first}" for first, last in steps]
        cells = pd.DataFrame(
            [
                {"entry": row.entry, **dict(zip(names, (c.share for c in _by_steps(row)), strict=True))}
                for row in league.rows
            ]
        )
        show_table(
            "Share of outcomes inside the 80 % interval by slices ahead",
            cells,
            {"entry": "key", **dict.fromkeys(names, "%")},
            rows=rows,
        )
    if league.excluded:
        (service, metric), excuse = league.excluded[0]
        count = f"{len(league.excluded)} series" if len(league.excluded) > 1 else "1 series"
        paragraph(f"Left out: {count}, such as {metric} of {service}: {excuse.reason} ({excuse.what_would_help}).")
    for row in league.rows:
        if row.fallback_rate > 0:
            paragraph(f"{row.entry}: another model had to answer {100 * row.fallback_rate:.0f} % of its forecasts.")
        for reason, times in row.excuses[:2]:
            paragraph(f"{row.entry}, {times} of its forecasts: {reason}.")


def _by_steps(row: LeagueRow) -> list[Any]:
    """The cells of the shown interval by horizon bucket."""
    cells = [c for c in row.coverage if c.level == LEVEL and not c.stratum]
    return cells[1:]
