"""From which probability on acting pays: the level of an alarm from what the recommended action costs and saves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from forecasting.early_warning.alarms import raise_level
from forecasting.terms.alarm import AlarmPolicy
from forecasting.terms.breach import BreachRisk
from forecasting.terms.plan import ServiceOutlook
from forecasting.terms.proposal import Proposal


def level_of(risk: BreachRisk, proposals: Sequence[Proposal], policy: AlarmPolicy) -> float | None:
    """Return the level of a window from the action that is recommended for it; None where no costs are known.

    An action is priced, and saves, over the plan's horizon: what all breaches of the horizon cost for each point of
    this window's P(miss) stands for the cost of a breach.

    Parameters
    ----------
    risk : BreachRisk
        Of the window.
    proposals : sequence of Proposal
        The most valuable first.
    policy : AlarmPolicy
        Its bounds.
    """
    if risk.decided or risk.probability <= 0:
        return None
    for p in proposals:
        o = p.recommendation
        if answers(p, risk) and acts(p) and o.benefit_mean > 0 and 0 <= o.probability_after < o.probability_before:
            effect = 1 - o.probability_after / o.probability_before
            breach = o.benefit_mean / (effect * risk.probability)
            return raise_level(
                max(o.cost_over_horizon, 0.0), breach, effect, lowest=policy.lowest, highest=policy.highest
            )
    return None


def cost_levels(
    outlooks: Iterable[ServiceOutlook], proposals: Sequence[Proposal], policy: AlarmPolicy
) -> dict[tuple[str, str, str], float]:
    """Return one level for each promise whose costs are known, by (service, agreement or empty, objective).

    A promise takes the level of its earliest open window that has one; a promise without any is left out.

    Parameters
    ----------
    outlooks : iterable of ServiceOutlook
    proposals : sequence of Proposal
    policy : AlarmPolicy
        Its bounds.

    Examples
    --------
    >>> cost_levels((), (), AlarmPolicy(raise_at=0.35))
    {}
    """
    found: dict[tuple[str, str, str], float] = {}
    for outlook in outlooks:
        for objective in outlook.objectives:
            for risk in sorted(objective.risks, key=lambda r: r.period.start):
                level = level_of(risk, proposals, policy)
                if level is not None:
                    found.setdefault((risk.service, risk.agreement or "", risk.objective), level)
                    break
    return found


def answers(proposal: Proposal, risk: BreachRisk) -> bool:
    """Tell whether a proposal is about the service and objective of a risk."""
    same = proposal.agreement is None or risk.agreement is None or proposal.agreement == risk.agreement
    return proposal.service == risk.service and proposal.objective in (None, risk.objective) and same


def acts(proposal: Proposal) -> bool:
    """Tell whether a proposal recommends to do something."""
    return proposal.recommendation.kind != "accept_risk"
