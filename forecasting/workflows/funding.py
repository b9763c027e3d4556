"""Which proposals to fund: from a plan's proposals to a portfolio under a budget.

Each proposal is one choice among its options, do-nothing among them. Money that is known (credits and losses) decides
in a portfolio; of resources that run out no loss is known, so that they are funded first, where they lower P(exhausted)
most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from forecasting.capacity.cost import months_between
from forecasting.proposals.portfolio import choose
from forecasting.terms.errors import InputError
from forecasting.terms.portfolio import PortfolioChoice, PortfolioProblem, ServiceOption
from forecasting.terms.proposal import Option, Proposal

NOTHING = "accept_risk"


@dataclass(frozen=True, kw_only=True)
class Funded:
    """A proposal and the option that is funded."""

    proposal: Proposal
    option: Option
    first: bool
    """True for a resource that runs out: funded before money decides."""
    rank: int | None
    """Place among what is funded: resources first, then by net benefit; None where nothing is done."""
    because: str
    """Why not the option that the proposal recommends; empty where it is that one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Funding:
    """What is funded, what it costs, and what the budget costs."""

    currency: str
    months: tuple[date, ...]
    """First day of each period."""
    budget: tuple[float, ...] | None
    budget_total: float | None
    funded: tuple[Funded, ...]
    spent: tuple[float, ...]
    choice: PortfolioChoice | None
    """The portfolio of what has its price in money; None where there is nothing of it."""
    notes: tuple[str, ...]


def months_of(today: date, until: date) -> tuple[date, ...]:
    """Return the first day of each period: today, then the calendar months that begin before the end.

    Examples
    --------
    >>> [d.isoformat() for d in months_of(date(2026, 11, 22), date(2027, 1, 10))]
    ['2026-11-22', '2026-12-01', '2027-01-01']
    """
    found, day = [today], date(today.year + today.month // 12, today.month % 12 + 1, 1)
    while day < until:
        found.append(day)
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return tuple(found)


def cost_by_month(option: Option, months: Sequence[date], until: date) -> tuple[float, ...]:
    """Return what an option costs in each period: the order at once, running cost from the day it is in effect.

    What is owed after the horizon (a lease) falls into the last period, so that the sum is the option's cost.
    """
    ends = (*months[1:], until)
    paid = [0.0] * len(months)
    paid[0] += option.capex
    since = option.effective_from or until
    for k, (start, end) in enumerate(zip(months, ends, strict=True)):
        begin = max(start, since)
        if begin < end:
            paid[k] += option.opex_per_month * float(months_between(begin, end))
    paid[-1] += option.cost_over_horizon - sum(paid)
    return tuple(paid)


def fund(
    proposals: Sequence[Proposal],
    *,
    today: date,
    until: date,
    currency: str,
    budget_month: float | None = None,
    budget_total: float | None = None,
    carbon_cap_kg: float | None = None,
    contract_changes: int | None = None,
    time_limit_s: float = 15.0,
) -> Funding:
    """Choose one option for each proposal within the limits.

    Parameters
    ----------
    proposals : sequence of Proposal
    today, until : date
        First day, and the day after the last one.
    currency : str
        Options in another currency are left out, and said.
    budget_month, budget_total : float, optional
        Most that may be spent in a period, and over all.
    carbon_cap_kg : float, optional
        Most CO2 that may be added over all.
    contract_changes : int, optional
        Most changes of contracts in a period.
    time_limit_s : float

    Raises
    ------
    InputError
        For a negative budget, or a horizon that is over.
    """
    if until <= today:
        raise InputError(argument="until", came=until, allowed=f"after {today}", try_instead="a later horizon")
    for name, value in (("budget", budget_total), ("budget_per_month", budget_month)):
        if value is not None and value < 0:
            raise InputError(argument=name, came=value, allowed="0 or more", try_instead="250000")
    months = months_of(today, until)
    budget = None if budget_month is None else (budget_month,) * len(months)
    notes: list[str] = []
    short = [p for p in proposals if _runs_out(p)]
    rest = [p for p in proposals if not _runs_out(p)]

    def problem(of: Sequence[Proposal], *, by_probability: bool) -> PortfolioProblem:
        options = []
        for proposal in of:
            for k, option in enumerate(proposal.options):
                if option.kind == "change_target" and k != proposal.recommended:
                    continue  # it would pass the loss on to the customer: only where the proposal itself advises it
                if option.currency != currency and option.kind != NOTHING:
                    notes.append(f"{option.label}: priced in {option.currency}, left out")
                    continue
                options.append(_service_option(proposal, k, option, months, until, by_probability))
        return PortfolioProblem(
            options=tuple(options), periods=len(months), currency=currency, budget=budget, budget_total=budget_total,
            carbon_cap_kg=carbon_cap_kg, contract_changes=contract_changes,
        )  # fmt: skip

    taken: dict[str, Option] = {}
    reasons: dict[tuple[str, str], str] = {}
    spent = [0.0] * len(months)
    choice: PortfolioChoice | None = None
    for group, by_probability in ((short, True), (rest, False)):
        if not group:
            continue
        asked = problem(group, by_probability=by_probability)
        if asked.budget is not None:
            asked = replace(asked, budget=tuple(max(0.0, b - s) for b, s in zip(asked.budget, spent, strict=True)))
        if asked.budget_total is not None:
            asked = replace(asked, budget_total=max(0.0, asked.budget_total - sum(spent)))
        found = choose(asked, time_limit_s=time_limit_s)
        by_id = {p.id: p for p in group}
        for proposal_id, key in found.chosen:
            taken[proposal_id] = by_id[proposal_id].options[int(key)]
        left = None if asked.budget_total is None else asked.budget_total - sum(found.spent)
        for r in found.rejected:
            option = by_id[r.service].options[int(r.key)]
            reasons[r.service, r.key] = _short_words(option, left) if by_probability else r.because
        spent = [a + b for a, b in zip(spent, found.spent, strict=True)]
        notes.extend(found.notes)
        choice = choice if by_probability else found
    return Funding(
        currency=currency,
        months=months,
        budget=budget,
        budget_total=budget_total,
        funded=_ranked(proposals, taken, reasons),
        spent=tuple(spent),
        choice=choice,
        notes=tuple(dict.fromkeys(notes)),
    )


def _runs_out(proposal: Proposal) -> bool:
    """Say whether a proposal is about a resource that runs out, for which no loss is known and something is advised."""
    return (
        proposal.resource is not None
        and proposal.recommendation.kind not in {NOTHING, "reclaim_capacity"}
        and all(o.benefit_mean == 0 for o in proposal.options)
    )


def _short_words(option: Option, left: float | None) -> str:
    """Say why an option for a resource that runs out is not funded; its weight is no money."""
    said = (
        f"it would lower P(exhausted) from {option.probability_before:.0%} to {option.probability_after:.0%} for "
        f"{option.cost_over_horizon:,.0f} {option.currency}"
    )
    if left is not None and option.cost_over_horizon > left:
        return f"{said}, of which {max(left, 0.0):,.0f} are left after resources for which the budget does more"
    return f"{said}; another option, or another limit, comes first"


def _service_option(
    proposal: Proposal, key: int, option: Option, months: Sequence[date], until: date, by_probability: bool
) -> ServiceOption:
    """Return an option as the portfolio sees it; the key is its place in the proposal."""
    count = len(months)
    cost = cost_by_month(option, months, until)
    if by_probability:
        # P(exhausted) decides, cost only between equals: a point of probability outweighs any cost of the proposal.
        dearest = max(1.0, *(abs(o.cost_over_horizon) for o in proposal.options))
        penalty = (1000.0 * dearest * option.probability_after / count,) * count
    else:
        penalty = ((option.expected_credit_after + option.expected_loss_after) / count,) * count
    contract = option.kind in {"change_target", "change_supplier", "commit"}
    return ServiceOption(
        service=proposal.id,
        key=str(key),
        label=option.label,
        cost=cost,
        expected_penalty=penalty,
        carbon_kg=(option.co2_kg / count,) * count,
        contract_changes=(int(contract), *(0,) * (count - 1)),
        today=option.kind == NOTHING,
    )


def _ranked(
    proposals: Sequence[Proposal], taken: dict[str, Option], reasons: dict[tuple[str, str], str]
) -> tuple[Funded, ...]:
    """Return what is funded in order: resources that run out, then by net benefit, then what is left as it is."""
    rows = []
    for proposal in proposals:
        option = taken[proposal.id]
        recommended = proposal.options[proposal.recommended]
        same = option is recommended
        because = (
            "" if same else reasons.get((proposal.id, str(proposal.recommended)), "it is not among what was compared")
        )
        rows.append(Funded(proposal=proposal, option=option, first=_runs_out(proposal), rank=None, because=because))

    def place(row: Funded) -> tuple[bool, bool, float, str]:
        return row.option.kind == NOTHING, not row.first, -row.option.net_benefit, row.proposal.id

    rows.sort(key=place)
    return tuple(replace(r, rank=k + 1) if r.option.kind != NOTHING else r for k, r in enumerate(rows))
