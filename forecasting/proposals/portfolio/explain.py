"""Why an option was not chosen, in figures, and what one more unit of money would save."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecasting.proposals.portfolio.lagrangian import Priced
from forecasting.proposals.portfolio.model import Choice, Model
from forecasting.terms.portfolio import PortfolioRejection


def shadow_prices(model: Model, periods: int, start: Priced) -> tuple[tuple[float, ...], float]:
    """Return what one more unit of money would save: in the budget of each period, and in that over all periods.

    These are the duals of the linear relaxation: exact where options may be taken in parts. Where whole options move
    the objective in steps, they are the slope through the steps.

    Parameters
    ----------
    model : Model
    periods : int
    start : Priced
        At the prices of the linear relaxation.
    """
    by_period, total = [0.0] * periods, 0.0
    for limit, price in zip(model.limits, start.prices, strict=False):
        if limit.binding == "budget total":
            total = float(price)
        elif limit.binding.startswith("budget") and limit.period is not None:
            by_period[limit.period] = float(price)
    return tuple(by_period), total


def rejections(model: Model, choice: Choice, start: Priced, currency: str) -> tuple[PortfolioRejection, ...]:
    """Return every option that was not chosen, with the limit that binds.

    An option that would not make the objective smaller is ``worse``. Of one that would, the limit that its service
    would break with it is named, all others as chosen; of several the one whose excess is dearest at the prices, then
    the largest excess. `costs_more` is its worth and what it takes of the limits at their prices, less the same of
    the chosen option; 0 where that is negative: only whole options are in the way.

    Parameters
    ----------
    model : Model
        In which `choice` keeps every limit.
    choice : Choice
        One that no swap of one service makes better.
    start : Priced
        Prices of the limits.
    currency : str

    Returns
    -------
    tuple of PortfolioRejection
        In order of service and key.
    """
    used = model.used(choice)
    left = model.most - used
    found = []
    for i, option in enumerate(model.options):
        held = int(choice[model.owner[i]])
        if i == held:
            continue
        more = float(model.worth[i] - model.worth[held])
        at_prices = max(0.0, float(start.reduced[i] - start.reduced[held]))
        needs = model.take[:, i] - model.take[:, held]
        binding, because = "worse", f"would cost {_money(more)} {currency} more in all than what was chosen"
        if abs(more) <= _same(model, held):
            because = "is worth the same as what was chosen"
        elif more < 0:
            binding, because = _binding(model, choice, i, needs, left, start)
            because = f"would save {_money(-more)} {currency} more, but {because}"
        found.append(
            PortfolioRejection(
                service=option.service,
                key=option.key,
                label=option.label,
                because=because,
                binding=binding,
                costs_more=at_prices,
            )
        )
    return tuple(found)


def _same(model: Model, held: int) -> float:
    """Return the difference in worth that counts as none."""
    return 1e-9 * max(1.0, abs(float(model.worth[held])))


def _binding(
    model: Model, choice: Choice, option: int, needs: NDArray[np.float64], left: NDArray[np.float64], start: Priced
) -> tuple[str, str]:
    """Return the limit that an option would break, and the sentence that says so."""
    over = needs - left
    broken = [
        (float(start.prices[r] * over[r]), float(over[r] / model.scale[r]), -r)
        for r in np.flatnonzero(over > model.room)
    ]
    if broken:
        r = -max(broken)[2]
        limit = model.limits[r]
        return limit.binding, (
            f"takes {_money(float(needs[r]))} {limit.unit} more of {limit.words}, "
            f"of which {_money(max(0.0, float(left[r])))} {limit.unit} are left"
        )
    tried = choice.copy()
    tried[model.owner[option]] = option
    for edge in np.flatnonzero(model.broken(tried) & ~model.broken(choice)):
        a, b = (int(service) for service in model.edges[edge])
        promised, delivered = model.promised[tried[a]], model.delivered[tried[b]]
        return "dependency", (
            f"{model.services[a]} would promise {_share(promised)} and {model.services[b]}, on which it relies, "
            f"delivers {_share(delivered)}"
        )
    # Reached only by a choice that a single swap would still make better.
    return "worse", "the search ended before it could be taken"


def broken_limits(model: Model, choice: Choice) -> tuple[str, ...]:
    """Return, in words, each limit that a choice breaks and by how much.

    Parameters
    ----------
    model : Model
    choice : Choice

    Examples
    --------
    >>> from forecasting.proposals.portfolio.model import as_model
    >>> from forecasting.terms.portfolio import PortfolioProblem, ServiceOption
    >>> now = ServiceOption(service="shop", key="now", label="", cost=(5.0,), expected_penalty=(9.0,), today=True)
    >>> broken_limits(as_model(PortfolioProblem(options=(now,), periods=1, currency="EUR", budget=(2.0,))),
    ...               np.array([0]))
    ('the budget of period 1 by 3 EUR',)
    """
    over = model.used(choice) - model.most
    said = [
        f"{model.limits[r].words} by {_money(float(over[r]))} {model.limits[r].unit}"
        for r in np.flatnonzero(over > model.room)
    ]
    for edge in np.flatnonzero(model.broken(choice)):
        a, b = (int(service) for service in model.edges[edge])
        said.append(
            f"{model.services[a]} promises {_share(model.promised[choice[a]])} and {model.services[b]}, "
            f"on which it relies, delivers {_share(model.delivered[choice[b]])}"
        )
    return tuple(said)


def _money(amount: float) -> str:
    """Return an amount: whole from 100 on, with two decimals below, in full where that would hide it."""
    if abs(amount) >= 100:
        return f"{amount:,.0f}"
    shown = f"{amount:.2f}".rstrip("0").rstrip(".")
    return shown if float(shown) or not amount else f"{amount:.3g}"


def _share(level: float) -> str:
    """Return a level in per cent."""
    return f"{100 * level:.6g} %"
