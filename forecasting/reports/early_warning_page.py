"""The early-warning page: one HTML file that says what must be decided first and works from a disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from forecasting.reports.base import Cell
from forecasting.reports.early_warning_rows import History, Rows, Table, cost, days_left
from forecasting.reports.facts import risk_lines
from forecasting.reports.formatting import clean, excuse_sentence, instant, money, name, number, percent, plural
from forecasting.reports.render import policy_source, unbroken_dates
from forecasting.terms.plan import Plan
from forecasting.terms.warning import Severity

if TYPE_CHECKING:
    from markupsafe import Markup

LISTED = 20
"""Most items in a list of blind spots."""


def render_early_warning_page(
    plan: Plan,
    *,
    states: Mapping[str, str] | None = None,
    histories: Mapping[str, History] | None = None,
    raised: Mapping[str, datetime] | None = None,
    customers: Mapping[str, str] | None = None,
    made_at: datetime | None = None,
    stale_after: timedelta = timedelta(hours=48),
) -> str:
    """Return the early-warning page as one self-contained HTML document.

    Parameters
    ----------
    plan : Plan
        Its `warnings` are those that stand.
    states : mapping of str to str or None
        State by warning id as the ledger has it (``acknowledged``, ``acting`` ...); else that of the warning.
    histories : mapping of str to sequence of (datetime, float) or None
        Earlier P(miss) by warning id, oldest first, without the current one.
    raised : mapping of str to datetime or None
        When a warning was raised first, by its id; else `raised_at` of the warning.
    customers : mapping of str to str or None
        Display name by customer id.
    made_at : datetime or None
        The clock's time, for a page of now: ages and days left are then counted anew whenever it is looked at. None = a
        look back; everything is counted from the run's cut-off.
    stale_after : timedelta
        Age from which data are called stale.

    Returns
    -------
    str
        A whole document. Its policy (Content-Security-Policy) allows exactly the style and the script inside it; the
        same input gives the same bytes.
    """
    from importlib.resources import files

    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment
    from markupsafe import Markup

    now = made_at or plan.as_of
    maker = Rows(plan, states or {}, histories or {}, raised or {}, customers or {}, now)
    tables = (maker.warnings(), maker.windows())
    package = files("forecasting.reports")
    style, script, template = (
        package.joinpath(f"early_warning_page.{f}").read_text(encoding="utf-8") for f in ("css", "js", "html.j2")
    )
    environment = SandboxedEnvironment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    return environment.from_string(template).render(
        organisation=name(plan.organisation),
        headline=_headline(plan),
        key_figures=_key_figures(plan, now),
        data=_data(plan, now, made_at, stale_after),
        first=maker.first(),
        unanswered=maker.unanswered(),
        nearest=() if plan.warnings else maker.nearest(),
        tables=tables,
        filters=_filters(tables),
        unwatched=_unwatched(plan),
        record=_record(plan),
        run=clean(plan.manifest.run_id),
        style=Markup(style),  # noqa: S704  (our own files)
        script=Markup(script),  # noqa: S704
        drawing=_drawing,
        dates=unbroken_dates,
        policy=f"default-src 'none'; style-src {policy_source(style)}; script-src {policy_source(script)}; "
        "img-src 'none'; base-uri 'none'; form-action 'none'",
    )


def _headline(plan: Plan) -> str:
    """Return what stands, in one sentence."""
    count = {s: sum(1 for w in plan.warnings if w.severity is s) for s in Severity}
    if not plan.warnings:
        return "No warning stands."
    critical = count[Severity.CRITICAL]
    verb = "stands" if len(plan.warnings) == 1 else "stand"
    return f"{plural(len(plan.warnings), 'warning')} {verb}, {f'{critical} critical' if critical else 'none critical'}."


@dataclass(frozen=True, kw_only=True)
class _Figure:
    """A number at the top."""

    label: str
    cell: Cell
    note: str
    by: str = ""
    """ISO date that the note counts the days to."""


def _key_figures(plan: Plan, now: datetime) -> tuple[_Figure, ...]:
    """Return the figures at the top."""
    count = {s: sum(1 for w in plan.warnings if w.severity is s) for s in Severity}
    critical = count[Severity.CRITICAL]
    sums: dict[str, float] = defaultdict(float)
    for w in plan.warnings:
        if w.currency:
            sums[w.currency] += cost(w)
    total = " + ".join(money(v, c).text for c, v in sorted(sums.items())) or "none stated"
    dates = sorted(w.decide_by for w in plan.warnings if w.decide_by is not None)
    if dates:
        late = "bad" if dates[0] < now.date() else "plain"
        decision = _Figure(
            label="Next decision",
            cell=Cell(text=dates[0].isoformat(), tone=late),  # type: ignore[arg-type]
            note=days_left(dates[0], now),
            by=dates[0].isoformat(),
        )
    else:
        decision = _Figure(
            label="Next decision", cell=Cell(text="none is due", tone="muted"), note="no action with a date is proposed"
        )
    found = [
        decision,
        _Figure(
            label="Critical",
            cell=Cell(text=str(critical), tone="bad" if critical else "good"),
            note=f"and {count[Severity.WARNING]} of severity warning, {count[Severity.INFO]} info",
        ),
        _Figure(label="Expected cost", cell=Cell(text=total), note="credits and business loss in the warned windows"),
        _Figure(
            label="Open windows",
            cell=number(sum(1 for x in risk_lines(plan) if not x.risk.decided)),
            note=f"of {plural(len(plan.services), 'service')}",
        ),
    ]
    a = plan.alarm_score
    if a is not None and a.precision is not None and a.recall is not None:
        found.append(
            _Figure(
                label="Past warnings",
                cell=Cell(text=f"{percent(a.precision)} came true"),
                note=f"{percent(a.recall)} of the misses were warned of",
            )
        )
    return tuple(found)


def _data(plan: Plan, now: datetime, made_at: datetime | None, stale_after: timedelta) -> dict[str, object]:
    """Return how new the data are."""
    age = now - plan.as_of
    behind = []
    for s in plan.services:
        for q in s.quality:
            end = now - q.last
            if end > stale_after:
                behind.append((end, f"{name(q.metric)} of {name(s.service.display_name or s.service.name)}"))
    behind.sort(key=lambda x: (-x[0], x[1]))
    names = "; ".join(f"{what} ({_age(a)})" for a, what in behind[:LISTED])
    more = f"; and {len(behind) - LISTED:,} more" if len(behind) > LISTED else ""
    return {
        "cut": instant(plan.as_of).text,
        "age": _age(age),
        "live": made_at is not None,
        "made": instant(now).text,
        "cut_ms": round(plan.as_of.timestamp() * 1000),
        "stale_ms": round(stale_after / timedelta(milliseconds=1)),
        "limit": _age(stale_after),
        "stale": age > stale_after,
        "behind": f"Without newer data: {names}{more}." if behind else "",
    }


def _age(age: timedelta) -> str:
    """Say how old something is.

    Examples
    --------
    >>> _age(timedelta(minutes=30)), _age(timedelta(hours=30)), _age(timedelta(days=3))
    ('less than an hour', '30 hours', '3 days')
    """
    hours = int(age / timedelta(hours=1))
    if hours < 1:
        return "less than an hour"
    return plural(hours, "hour") if hours < 49 else plural(hours // 24, "day")


def _unwatched(plan: Plan) -> tuple[str, ...]:
    """Return the objectives without a probability, with the reason."""
    found = [
        f"{name(s.service.display_name or s.service.name)}, {name(o.objective.display_name or o.objective.name)}: "
        + (excuse_sentence(o.excuse) if o.excuse else "no window is open")
        for s in plan.services
        for o in s.objectives
        if not o.risks
    ]
    more = len(found) - LISTED
    return (*found[:LISTED], *((f"and {more:,} more",) if more > 0 else ()))


def _record(plan: Plan) -> str:
    """Say how often such warnings and statements came true."""
    parts = []
    a, r = plan.alarm_score, plan.risk_score
    if a is not None:
        parts.append(
            f"In the replayed past ({plural(a.windows, 'closed window')}, {plural(a.breaches, 'miss', 'misses')}) a "
            f"warning at P(miss) of {percent(a.threshold)} would have been raised for {plural(a.warned, 'window')}."
        )
        if a.precision is not None:
            parts.append(f"{percent(a.precision)} of those were missed.")
        if a.recall is not None:
            parts.append(f"{percent(a.recall)} of the misses were warned of.")
        if a.surprise_rate is not None:
            parts.append(
                f"{percent(a.surprise_rate)} of the misses came without a warning {a.required_lead_days:g} days ahead."
            )
        if a.median_lead_days is not None:
            parts.append(
                f"Warnings that came true came {a.median_lead_days:.0f} days before the window's end (median)."
            )
    if r is not None:
        sure = "better" if r.skill_low > 0 else "not proven better"
        parts.append(
            f"{plural(r.decisions, 'past statement')} had a Brier skill of {r.skill:.2f} ({r.skill_low:.2f} to "
            f"{r.skill_high:.2f}): {sure} than knowing only the past miss rate."
        )
    return " ".join(parts) or "There is no track record yet, because too few closed windows could be replayed."


def _filters(tables: Iterable[Table]) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Return key, label and choices of each filter; rows carry the number of their choice."""
    rows = [row for t in tables for row in t.rows]
    severities = [s for s in ("critical", "warning", "info", "none") if any(r.severity == s for r in rows)]
    return (
        ("service", "Service", tuple(sorted({r.service for r in rows}, key=str.casefold))),
        ("customer", "Customer", tuple(sorted({c for r in rows for c in r.customers}, key=str.casefold))),
        ("severity", "Severity", tuple(severities)),
        ("state", "State", tuple(sorted({r.state for r in rows}))),
    )


def _drawing(svg: str) -> Markup:
    """Let a drawing of this file through: numbers and fixed words only."""
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704
