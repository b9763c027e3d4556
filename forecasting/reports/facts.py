"""Views of a plan that several sections print, so that they print the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from forecasting.reports.base import Cell
from forecasting.reports.formatting import day, missing, money, name, number, percent, probability, share
from forecasting.terms.breach import BreachRisk
from forecasting.terms.capacity import Requirement
from forecasting.terms.plan import ObjectiveOutlook, Plan, ServiceOutlook
from forecasting.terms.proposal import Option, Proposal
from forecasting.terms.service_level import Attainment, AttainmentStatus, Objective

WINDOWS_SHOWN = 8
NEAR_MISS_SHARE = Decimal("0.1")
"""A met window is a near miss when less than this share of its error budget was left."""
LIKELY = 0.5
"""P(miss) or P(exhausted) from which something counts as at risk in the outlook."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RiskLine:
    """A risk with the service and objective it belongs to."""

    outlook: ServiceOutlook
    objective: ObjectiveOutlook
    risk: BreachRisk

    @property
    def title(self) -> str:
        """Service and objective as people call them."""
        return f"{service_name(self.outlook)}: {objective_name(self.objective.objective)}"


def service_name(outlook: ServiceOutlook) -> str:
    """Return the service's name for people."""
    return name(outlook.service.display_name or outlook.service.name)


def objective_name(objective: Objective) -> str:
    """Return the objective's name for people."""
    return name(objective.display_name or objective.name)


def service_names(plan: Plan) -> dict[str, str]:
    """Return the display name of each service by its name."""
    return {s.service.name: service_name(s) for s in plan.services}


def objective_names(plan: Plan) -> dict[tuple[str, str], str]:
    """Return the display name of each objective by service and objective name."""
    return {
        (s.service.name, o.objective.name): objective_name(o.objective) for s in plan.services for o in s.objectives
    }


def risk_lines(plan: Plan) -> tuple[RiskLine, ...]:
    """Return every window's risk, in the order of services, objectives and windows."""
    return tuple(RiskLine(outlook=s, objective=o, risk=r) for s in plan.services for o in s.objectives for r in o.risks)


def worst_lines(plan: Plan, *, agreements_only: bool = False) -> tuple[RiskLine, ...]:
    """Return the riskiest open window of each objective, the most probable miss first."""
    worst: dict[int, RiskLine] = {}
    for line in risk_lines(plan):
        if agreements_only and line.objective.agreement is None:
            continue
        key = id(line.objective)
        if key not in worst or line.risk.probability > worst[key].risk.probability:
            worst[key] = line
    return tuple(sorted(worst.values(), key=lambda x: (-x.risk.probability, -cost_of(x.risk), x.risk.service)))


def cost_of(risk: BreachRisk) -> float:
    """Return the expected credits and loss of a window."""
    return risk.expected_credit + risk.expected_loss


def risk_cell(risk: BreachRisk) -> Cell:
    """Print P(miss) with its interval."""
    return probability(risk.probability, risk.probability_low, risk.probability_high, decided=risk.decided, bad=True)


def meet_cell(risk: BreachRisk) -> Cell:
    """Print P(meet) with its interval."""
    return probability(1 - risk.probability, 1 - risk.probability_high, 1 - risk.probability_low, decided=risk.decided)


def closed(attainments: Iterable[Attainment]) -> tuple[Attainment, ...]:
    """Return the last closed windows."""
    return tuple(a for a in attainments if a.final or a.provisional)[-WINDOWS_SHOWN:]


def running(attainments: Iterable[Attainment]) -> Attainment | None:
    """Return the running window, or None."""
    return next((a for a in attainments if not (a.final or a.provisional)), None)


def is_near_miss(a: Attainment) -> bool:
    """Tell whether a window was met with less than a tenth of its error budget left."""
    return a.status is AttainmentStatus.MET and a.margin is not None and a.margin < NEAR_MISS_SHARE * (1 - a.target)


STATUS_WORDS = {
    AttainmentStatus.MET: "met",
    AttainmentStatus.BREACHED: "missed",
    AttainmentStatus.UNDETERMINED: "undetermined (unknown slices could turn it)",
    AttainmentStatus.NO_TRAFFIC: "no traffic",
    AttainmentStatus.INSUFFICIENT_DATA: "too few events to judge",
    AttainmentStatus.RUNNING: "running",
}


def status_cell(a: Attainment) -> Cell:
    """Print the verdict on a window in words."""
    if is_near_miss(a):
        return Cell(text="met (near miss)", value=str(a.status), tone="attention")
    tone = {AttainmentStatus.MET: "good", AttainmentStatus.BREACHED: "bad"}.get(a.status, "plain")
    return Cell(text=STATUS_WORDS[a.status], value=str(a.status), tone=tone)  # type: ignore[arg-type]


def attained_cell(a: Attainment) -> Cell:
    """Print what was attained, with the range where slices are unknown."""
    cell = share(a.value, a.target)
    if a.value is None or a.lower is None or a.upper is None or a.lower == a.upper:
        return cell
    low, high = share(a.lower, a.target), share(a.upper, a.target)
    return Cell(
        text=f"{cell.text} ({low.text.removesuffix(' %')}–{high.text.removesuffix(' %')})",
        value=cell.value,
        low=float(a.lower),
        high=float(a.upper),
        unit="share",
    )


def budget_cell(spent: float | None, because: str) -> Cell:
    """Print the spent share of an error budget, on its side of 100 %; above it is overspent."""
    if spent is None:
        return missing(because)
    digits = next((d for d in range(6) if (round(spent * 100, d) > 100) == (spent > 1)), 6)
    return Cell(
        text=f"{spent * 100:,.{digits}f} %", value=float(spent), unit="share", tone="bad" if spent > 1 else "plain"
    )


def exhausted_cell(requirement: Requirement) -> Cell:
    """Print P(exhausted)."""
    p = requirement.probability_exhausted
    return Cell(text=percent(p), value=p, unit="share", tone="bad" if p >= LIKELY else "plain")


def date_range(requirement: Requirement) -> Cell:
    """Print the dates by which the usable limit is passed on 10, 50 and 90 % of the paths."""
    dates = (requirement.exhaustion_p10, requirement.exhaustion_p50, requirement.exhaustion_p90)
    if all(d is None for d in dates):
        return Cell(text="not within the horizon", tone="muted")
    return Cell(
        text=" / ".join(d.isoformat() if d else "later" for d in dates), value=_iso(dates[1] or dates[0]), unit="date"
    )


def order_cell(requirement: Requirement, plan: Plan) -> Cell:
    """Print the order-by date."""
    if requirement.order_by is None:
        return Cell(text="nothing to order within the horizon", tone="muted")
    return day(requirement.order_by, as_of=plan.as_of)


def _iso(value: date | None) -> str | None:
    return value.isoformat() if value else None


def decide_by_cell(proposal: Proposal, plan: Plan) -> Cell:
    """Print the decide-by date."""
    return day(proposal.decide_by, because="no option depends on a date", as_of=plan.as_of)


def option_after(option: Option) -> Cell:
    """Print P(miss) with the option."""
    return probability(option.probability_after, option.probability_after_low, option.probability_after_high)


def option_cost(option: Option) -> Cell:
    """Print the option's cost over the horizon."""
    return money(option.cost_over_horizon, option.currency, option.price_date)


def fraction(value: float | None, because: str) -> Cell:
    """Print a share as a whole percentage, or why there is none."""
    return missing(because) if value is None else probability(value)


def key(*parts: object) -> str:
    """Return a figure name of letters, digits and hyphens from ordinals and plain words.

    Examples
    --------
    >>> key("fan", 3)
    'fan-3'
    """
    return re.sub(r"[^a-z0-9]+", "-", "-".join(str(p) for p in parts).lower()).strip("-")


def days(value: float | None, because: str) -> Cell:
    """Print a number of days."""
    return number(value, "days", digits=0, because=because)
