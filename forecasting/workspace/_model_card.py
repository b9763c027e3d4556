"""The model card of a trained model, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forecasting.reports.formatting import clean
from forecasting.terms.registry import ModelVersion

_LEVELS = (0.5, 0.8, 0.9, 0.95)


def card_text(meta: Mapping[str, Any], version: ModelVersion | None) -> str:
    """Return what a reader must know before trusting a model: what it learnt from, how good it was, its limits.

    Parameters
    ----------
    meta : mapping
        What was logged with the model.
    version : ModelVersion or None
        None before it is registered.

    Examples
    --------
    >>> meta = dict(name="airports", as_of="2027-03-01T00:00:00Z", first="2026-03-01T00:00:00Z", series=2, slices=730,
    ...     step_seconds=86400, horizon=28, origins=3, paths=2000, seed=1, models=["pooled"], code_version="0.2.0",
    ...     catalogue_version="ab", data_sha256="cd", state="kept", no_state="", league=[], excluded=[], project="p")
    >>> print(card_text(meta, None)[:10])
    # airports
    """
    title = _one(meta["name"]) + ("" if version is None else f", version {version.version}")
    rows = [
        ("What it is", f"Forecasts of daily demand of {_one(meta['project'])}: {_one(', '.join(meta['models']))}."),
        ("Learnt from", f"{meta['series']} series, {meta['slices']:,} known days from {_day(meta['first'])} to before "
                        f"{_day(meta['as_of'])}; data sha256 `{_one(meta['data_sha256'])}`, catalogue "
                        f"`{_one(meta['catalogue_version'])[:16]}`."),
        ("State", "Kept with it (`model/artifacts/learned`): numbers and JSON, no pickle." if meta["state"]
                  else f"None: {_one(meta['no_state'])}."),
        ("Measured", f"{meta['horizon']} days ahead from {meta['origins']} rolling origins, everything learnt anew at "
                     "each from what was known then."),
        ("Code", f"`{_one(meta['code_version'])}`, seed {meta['seed']}, {meta['paths']} sample paths."),
    ]  # fmt: skip
    if version is not None:
        rows.append(("In the registry", f"{_one(version.label)}, run `{version.run_id}`."))
        for tag, words in (("promoted_at", "Promoted"), ("verdict", "Last comparison")):
            if version.tags.get(tag):
                because = f": {version.tags.get('promoted_because', '')}" if tag == "promoted_at" else ""
                rows.append((words, _one(version.tags[tag] + because)))
    lines = [f"# {title}", "", "| | |", "|---|---|", *(f"| **{name}** | {text} |" for name, text in rows)]
    lines += ["", "## League", "", *_league(meta["league"])]
    lines += ["", "## Coverage", "", *_coverage(meta["league"])]
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in _limits(meta))]
    lines += ["", "## How to refit", "", *_refit(meta, version)]
    return "\n".join(lines) + "\n"


def _league(rows: list[dict[str, Any]]) -> list[str]:
    """The league as a table."""
    head = "| Entry | Relative quantile loss (95 % interval) | Relative MASE | Bias | Worse than naive | Fallbacks |"
    lines = [head, "|---|---:|---:|---:|---:|---:|"]
    for row in rows:
        interval = f"{_number(row['gm_sql'])} ({_number(row['gm_sql_low'])} to {_number(row['gm_sql_high'])})"
        lines.append(
            f"| {_one(row['entry'])} | {interval} | {_number(row['gm_mase'])} | {_number(row['bias'])} | "
            f"{_share(row['worse_than_naive'])} | {_share(row['fallback_rate'])} |"
        )
    return [*lines, "", "Relative to `seasonal_naive_gaussian`, geometric mean over series; lower is better, 1 is as "
            "good as repeating the last week. `default` is this model."]  # fmt: skip


def _coverage(rows: list[dict[str, Any]]) -> list[str]:
    """Nominal and achieved coverage of this model, overall and along the horizon."""
    own = next((row for row in rows if row["entry"] == "default"), None)
    if own is None:
        return ["Not measured."]
    lines = ["| Interval | Days ahead | Inside | Outcomes |", "|---:|---|---:|---:|"]
    for cell in own["coverage"]:
        if not cell["stratum"] and cell["level"] in _LEVELS:
            ahead = f"{cell['first_step']} to {cell['last_step']}"
            lines.append(f"| {_share(cell['level'])} | {ahead} | {_share(cell['share'])} | {cell['outcomes']:,} |")
    return lines


def _limits(meta: Mapping[str, Any]) -> list[str]:
    """What the numbers do not say."""
    limits = [
        "Measured on the series it was learnt from, at other times; another kind of series may do worse.",
        f"Measured up to {meta['horizon']} days ahead; beyond, intervals are extrapolated.",
        "A launch, a migration or a contract that ends is not in any history: tell the plan of it as an event.",
        "Serving takes histories of the same step; services it does not know have the project's zone and no holidays.",
    ]
    if meta["excluded"]:
        names = ", ".join(f"{service} {metric}" for service, metric, _ in meta["excluded"][:10])
        more = f" and {len(meta['excluded']) - 10} more" if len(meta["excluded"]) > 10 else ""
        limits.append(f"Too short to be scored: {_one(names)}{more}.")
    return limits


def _refit(meta: Mapping[str, Any], version: ModelVersion | None) -> list[str]:
    """The commands, in their order."""
    name = _one(meta["name"])
    lines = [
        "```",
        f"forecasting models drift --name {name} --fail   # exit code 1 when it is time",
        f"forecasting models log --name {name}            # learn, measure, register as challenger",
        f"forecasting models compare --name {name}        # against the champion, on the same origins",
        f"forecasting models promote --name {name}        # refuses what may be worse",
        "```",
    ]
    which = "challenger" if version is None else str(version.version)
    return [*lines, "", f"Serve it: `mlflow models serve -m models:/{name}{'@' if version is None else '/'}{which} "
            "--env-manager local` with `MLFLOW_TRACKING_URI` set to where it is registered."]  # fmt: skip


def _one(value: object) -> str:
    """A text that stays inside its cell."""
    return clean(str(value), 400).replace("|", "\\|").replace("`", "'")


def _day(text: object) -> str:
    return str(text)[:10]


def _number(value: Any) -> str:
    """A score with three decimals; missing ones in words."""
    return "not scored" if value is None else f"{value:.3f}"


def _share(value: Any) -> str:
    """A share in percent."""
    return "not known" if value is None else f"{100 * value:.1f} %"
