"""The rows of the early-warning page: a warning or a window in one line, and what the line opens into."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from forecasting.reports.base import Cell
from forecasting.reports.early_warning_drawings import bar, course
from forecasting.reports.facts import (
    RiskLine,
    attained_cell,
    budget_cell,
    cost_of,
    objective_names,
    risk_cell,
    risk_lines,
    running,
    service_names,
)
from forecasting.reports.formatting import (
    clean,
    instant,
    missing,
    money,
    name,
    number,
    percent,
    plural,
    probability,
    share,
    target_text,
)
from forecasting.terms.plan import Plan
from forecasting.terms.warning import EarlyWarning, Severity

WINDOWS_SHOWN = 2000
"""Most windows in the second table; those with the highest P(miss) are kept."""
FIRST_SHOWN = 3
NEAREST_SHOWN = 3
IN_HAND = frozenset({"acting", "snoozed", "false", "resolved"})
"""States in which nobody has to be asked for a decision now."""
History = Sequence[tuple[datetime, float]]
"""Earlier probabilities, oldest first."""
_UNWARNED = (
    "A high P(miss) without a warning: an earlier window of the objective is warned of already, or nothing is owed "
    "for it yet."
)
_RANK = {Severity.CRITICAL: 3, Severity.WARNING: 2, Severity.INFO: 1}
_TONE = {Severity.CRITICAL: "bad", Severity.WARNING: "attention", Severity.INFO: "plain"}
_ANCHOR = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Column:
    """Head of a column; `first` is the direction of the first click on it."""

    name: str
    first: str = "descending"
    align: str = ""
    sorted: str = ""
    """Direction in which the rows come; empty where they come in another order."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A cell with the drawing above its words."""

    cell: Cell
    drawing: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a table, what the filters ask of it and what it opens into."""

    anchor: str
    fields: tuple[Field, ...]
    service: str
    severity: str
    state: str
    customers: tuple[str, ...]
    note: str
    facts: tuple[tuple[str, Cell], ...]
    texts: tuple[tuple[str, str], ...]
    """Heading and text."""
    actions: tuple[tuple[str, str, str], ...] = ()
    """Label, P(miss) after it, cost; the best first."""
    course: str = ""
    """Drawing of earlier probabilities."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One of the two tables."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class First:
    """Something to decide now."""

    by: date
    left: str
    late: bool
    what: str
    where: str
    anchor: str
    why: str


class Rows:
    """Makes the tables and lists of the page from a plan; see `render_early_warning_page` for the parameters."""

    def __init__(
        self,
        plan: Plan,
        states: Mapping[str, str],
        histories: Mapping[str, History],
        raised: Mapping[str, datetime],
        customers: Mapping[str, str],
        now: datetime,
    ) -> None:
        self.plan, self.states, self.histories, self.raised, self.now = plan, states, histories, raised, now
        self.services, self.objectives = service_names(plan), objective_names(plan)
        self.anchors = _anchors(plan.warnings)
        promised = {o.agreement.id: o.agreement.customer for s in plan.services for o in s.objectives if o.agreement}
        # A warning names its customers for people: their own agreement's one comes first.
        told = {promised[w.agreement]: w.customers[0] for w in plan.warnings if w.agreement in promised and w.customers}
        self.customers = {**told, **customers}
        self.threshold = plan.alarm_score.threshold if plan.alarm_score else None

    def warnings(self) -> Table:
        """Return the table of the warnings that stand."""
        columns = (
            Column(name="Severity", sorted="descending"),
            Column(name="Service and objective", first="ascending"),
            Column(name="Window", first="ascending"),
            Column(name="P(miss)"),
            Column(name="Course"),
            Column(name="Expected cost", align="r"),
            Column(name="Decide by", first="ascending"),
            Column(name="Budget gone", first="ascending"),
            Column(name="State", first="ascending"),
        )
        rows = tuple(self._warning(w, a) for w, a in zip(self.plan.warnings, self.anchors, strict=True))
        return Table(key="warnings", caption="Warnings that stand", columns=columns, rows=rows)

    def windows(self) -> Table:
        """Return the table of all open windows, the most probable miss first."""
        columns = (
            Column(name="Service and objective", first="ascending"),
            Column(name="Window", first="ascending"),
            Column(name="P(miss)", sorted="descending"),
            Column(name="Target", align="r"),
            Column(name="Result so far", align="r", first="ascending"),
            Column(name="Budget spent", align="r"),
            Column(name="Expected result", align="r", first="ascending"),
            Column(name="Expected cost", align="r"),
            Column(name="Warning"),
        )
        standing = {
            (w.service, w.agreement, w.objective, w.period): (w, a)
            for w, a in zip(self.plan.warnings, self.anchors, strict=True)
        }
        lines = [x for x in risk_lines(self.plan) if not x.risk.decided]
        lines.sort(key=lambda x: (-x.risk.probability, -cost_of(x.risk), x.risk.service, x.risk.period.start))
        settled = sum(1 for x in risk_lines(self.plan) if x.risk.decided)
        notes = [_UNWARNED] if any(standing) else []
        if len(lines) > WINDOWS_SHOWN:
            notes.append(f"The {len(lines) - WINDOWS_SHOWN:,} windows with the lowest P(miss) are left out.")
        if settled:
            notes.append(f"{plural(settled, 'window')} {'is' if settled == 1 else 'are'} settled already.")
        return Table(
            key="windows",
            caption="All open windows",
            columns=columns,
            rows=tuple(
                self._window(x, i, standing.get((x.risk.service, x.risk.agreement, x.risk.objective, x.risk.period)))
                for i, x in enumerate(lines[:WINDOWS_SHOWN])
            ),
            note=" ".join(notes),
        )

    def first(self) -> tuple[First, ...]:
        """Return what must be decided first: by date, then by severity and what is at stake."""
        open_now = [
            (w, a)
            for w, a in zip(self.plan.warnings, self.anchors, strict=True)
            if w.decide_by is not None and w.actions and self._state(w) not in IN_HAND
        ]
        open_now.sort(key=lambda x: (x[0].decide_by, -_RANK[x[0].severity], -cost(x[0]), x[0].id))
        return tuple(self._first(w, a) for w, a in open_now[:FIRST_SHOWN])

    def unanswered(self) -> str:
        """Say of how many warnings no action is known that helps in time."""
        none = sum(1 for w in self.plan.warnings if not w.actions and w.state != "breached")
        if not none:
            return ""
        how = "has no action" if none == 1 else "have no action"
        return (
            f"{plural(none, 'warning')} {how} that takes effect in time: inform those concerned and accept the risk, "
            "or declare what could be done in the catalogue."
        )

    def nearest(self) -> tuple[str, ...]:
        """Return the open windows that come nearest to a warning, in words."""
        lines = [x for x in risk_lines(self.plan) if not x.risk.decided]
        lines.sort(key=lambda x: (-x.risk.probability, x.risk.service, x.risk.period.start))
        return tuple(
            f"{x.title}, {clean(x.risk.period.label)}: P(miss) {risk_cell(x.risk).text}" for x in lines[:NEAREST_SHOWN]
        )

    def _state(self, w: EarlyWarning) -> str:
        return name(self.states.get(w.id, w.state))

    def _title(self, service: str, objective: str) -> str:
        shown = self.objectives.get((service, objective), name(objective))
        return f"{self.services.get(service, name(service))}: {shown}"

    def _first(self, w: EarlyWarning, anchor: str) -> First:
        assert w.decide_by is not None, "only warnings with a date are put first"
        best, risked = w.actions[0], cost(w)
        stake = f", at stake {money(risked, w.currency).text}" if w.currency and risked > 0 else ""
        return First(
            by=w.decide_by,
            left=days_left(w.decide_by, self.now),
            late=w.decide_by < self.now.date(),
            what=clean(best.label),
            where=f"{self._title(w.service, w.objective)}, {clean(w.period.label)}",
            anchor=anchor,
            why=f"P(miss) {percent(w.probability)} → {percent(best.probability_after)}, "
            f"cost {_price(best.cost_over_horizon, w.currency)}{stake}",
        )

    def _warning(self, w: EarlyWarning, anchor: str) -> Row:
        state, earlier = self._state(w), self._earlier(w)
        settled = w.state == "breached"
        who = tuple(name(c) for c in w.customers)
        before = earlier[-1][1] if earlier else None
        if before is None:
            moved = Cell(text="first time", tone="muted")
        else:
            moved = Cell(text=f"{_signed(w.probability - before)} pp", value=w.probability - before)
        needed = number(w.lead_time_needed_days, "days", digits=0, because="nothing is proposed")
        left = number(w.lead_time_days, "days", digits=0)
        gone = _gone(w)
        fields = (
            Field(cell=Cell(text=w.severity.value, value=_RANK[w.severity], tone=_TONE[w.severity])),  # type: ignore[arg-type]
            Field(cell=Cell(text=self._title(w.service, w.objective)), note=", ".join(who)),
            Field(cell=Cell(text=clean(w.period.label), value=w.period.start.timestamp())),
            Field(
                cell=probability(w.probability, w.probability_low, w.probability_high, decided=settled, bad=True),
                drawing=bar(w.probability, w.probability_low, w.probability_high),
            ),
            Field(cell=moved, drawing=course([*earlier, (self.plan.as_of, w.probability)], self.threshold)),
            Field(cell=_cost_cell(cost(w), w.currency)),
            Field(
                cell=_dated(w.decide_by, self.now),
                note="" if w.decide_by is None else days_left(w.decide_by, self.now),
            ),
            Field(cell=gone),
            Field(cell=Cell(text=state)),
        )  # fmt: skip
        decide_by = (
            missing("nothing proposed helps in time")
            if w.decide_by is None
            else Cell(text=f"{w.decide_by} ({days_left(w.decide_by, self.now)})")
        )
        return Row(
            anchor=anchor,
            fields=fields,
            service=self.services.get(w.service, name(w.service)),
            severity=w.severity.value,
            state=state,
            customers=who,
            note=clean(w.note),
            facts=(
                ("Decide by", decide_by),
                ("Budget expected to be gone", gone),
                ("Bad events left", number(w.margin_events, digits=0, because="the expected total is unknown")),
                ("Days to the window's end", left),
                ("Days an action takes", needed),
                ("Expected service credit", money(w.expected_credit, w.currency)),
                ("Expected business loss", money(w.expected_loss, w.currency)),
                ("Customers", Cell(text=", ".join(who) or "none named")),
                ("Inform", Cell(text=", ".join(name(i) for i in w.inform) or "nobody is named")),
                ("Raised", instant(self.raised.get(w.id, w.raised_at))),
                ("Data until", instant(w.data_cut_off)),
                ("State", Cell(text=state)),
                ("Warning", Cell(text=name(w.id))),
            ),
            texts=(
                ("Main cause", f"{clean(w.main_cause.name)}: {percent(w.main_cause.share)} of the expected bad events. "
                 f"{clean(w.main_cause.evidence)}."),
                ("How far to trust it", clean(w.confidence)),
            ),
            actions=tuple(
                (clean(a.label), percent(a.probability_after), _price(a.cost_over_horizon, w.currency))
                for a in w.actions
            ),
            course=_course_words(earlier, w),
        )  # fmt: skip

    def _window(self, x: RiskLine, at: int, standing: tuple[EarlyWarning, str] | None) -> Row:
        r, objective = x.risk, x.objective
        agreement = objective.agreement
        who = (name(self.customers.get(agreement.customer, agreement.customer)),) if agreement else ()
        so_far = running(objective.attainments)
        known = so_far is not None and so_far.period == r.period
        ranged = f"{share(r.attainment_p10, r.target).text.removesuffix(' %')}–{share(r.attainment_p90, r.target).text}"
        if standing is None:
            warned = Cell(text="none", value=0, tone="muted")
        else:
            severity = standing[0].severity
            warned = Cell(text=severity.value, value=_RANK[severity], tone=_TONE[severity])  # type: ignore[arg-type]
        not_yet = Cell(text="not begun", tone="muted")
        fields = (
            Field(cell=Cell(text=x.title), note=", ".join(who)),
            Field(cell=Cell(text=clean(r.period.label), value=r.period.start.timestamp())),
            Field(cell=risk_cell(r), drawing=bar(r.probability, r.probability_low, r.probability_high)),
            Field(cell=Cell(text=target_text(r.target), value=float(r.target))),
            Field(cell=attained_cell(so_far) if known and so_far is not None else not_yet),
            Field(cell=budget_cell(r.budget_spent, "") if known else not_yet),
            Field(cell=Cell(text=share(r.attainment_p50, r.target).text, value=r.attainment_p50)),
            Field(cell=_cost_cell(cost_of(r), r.currency)),
            Field(cell=warned),
        )
        causes = "; ".join(f"{clean(c.name)} {percent(c.share)} ({clean(c.evidence)})" for c in r.causes)
        return Row(
            anchor=f"r-{at}",
            fields=fields,
            service=self.services[x.outlook.service.name],
            severity=standing[0].severity.value if standing else "none",
            state=self._state(standing[0]) if standing else "no warning",
            customers=who,
            note=clean(agreement.promise) if agreement else clean(objective.objective.description),
            facts=(
                ("Expected attainment, 8 times in 10", Cell(text=ranged)),
                ("Window ends", instant(r.period.end)),
                ("Expected service credit", money(r.expected_credit, r.currency)),
                ("Expected business loss", money(r.expected_loss, r.currency)),
                ("Agreement", Cell(text=name(r.agreement) if r.agreement else "none: a level of our own")),
            ),
            texts=(("Expected bad events, by cause", causes or "no single cause"), ("Basis", clean(r.basis))),
        )  # fmt: skip

    def _earlier(self, w: EarlyWarning) -> list[tuple[datetime | None, float]]:
        """Return the earlier probabilities of a warning, oldest first."""
        known: list[tuple[datetime | None, float]] = [
            (at, p) for at, p in self.histories.get(w.id, ()) if at < self.plan.as_of
        ]
        if not known and w.probability_previous is not None:
            known = [(None, w.probability_previous)]
        return known


def _anchors(warnings: Sequence[EarlyWarning]) -> tuple[str, ...]:
    """Return an anchor for each warning: its id, or its number where the id is none."""
    seen: set[str] = set()
    found = []
    for at, w in enumerate(warnings):
        usable = _ANCHOR.fullmatch(w.id) and w.id not in seen
        seen.add(w.id)
        found.append(f"w-{w.id}" if usable else f"w_{at}")
    return tuple(found)


def cost(w: EarlyWarning) -> float:
    """Return the expected credit and loss of a warned window."""
    return w.expected_credit + w.expected_loss


def _cost_cell(amount: float, currency: str) -> Cell:
    """Print what a window is expected to cost; a missing price is no zero."""
    return money(amount, currency) if currency else Cell(text="no price", tone="muted")


def _price(amount: float, currency: str) -> str:
    """Print the price of an action."""
    return money(amount, currency).text if currency else number(amount).text


def _gone(w: EarlyWarning) -> Cell:
    """Print between which days the budget is expected to be gone."""
    found = [d for d in (w.expected_breach_from, w.expected_breach_to) if d is not None]
    if not found:
        return Cell(text="at the window's end", tone="muted")
    words = " to ".join(dict.fromkeys(d.isoformat() for d in found))
    return Cell(text=words if w.expected_breach_to else f"{words} or later", value=float(found[0].toordinal()))


def _dated(when: date | None, now: datetime) -> Cell:
    """Print the day to decide by so that it sorts by date."""
    if when is None:
        return Cell(text="nothing helps in time", tone="muted")
    late = when < now.date()
    return Cell(text=when.isoformat(), value=float(when.toordinal()), tone="bad" if late else "plain")


def days_left(when: date, now: datetime) -> str:
    """Say how many days are left to a day.

    Examples
    --------
    >>> noon = datetime(2027, 3, 1, 12, tzinfo=UTC)
    >>> days_left(date(2027, 3, 10), noon), days_left(date(2027, 3, 1), noon), days_left(date(2027, 2, 27), noon)
    ('9 days left', 'today', '2 days overdue')
    """
    days = (when - now.astimezone(UTC).date()).days
    if days == 0:
        return "today"
    return f"{plural(days, 'day')} left" if days > 0 else f"{plural(-days, 'day')} overdue"


def _signed(share_points: float) -> str:
    """Print a change in percentage points with its sign."""
    whole = round(share_points * 100)
    return "±0" if whole == 0 else f"{whole:+d}".replace("-", "\u2212")


def _course_words(earlier: Sequence[tuple[datetime | None, float]], w: EarlyWarning) -> str:
    """Say the last probabilities with their dates, of each day the last one."""
    if not earlier:
        return ""
    days = {f"on {at.astimezone(UTC).date()}" if at else "before": p for at, p in earlier}
    told = [f"{percent(p)} {day}" for day, p in list(days.items())[-8:]]
    return f"P(miss) was {', '.join(told)}; now {percent(w.probability)}."
