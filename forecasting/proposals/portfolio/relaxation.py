"""The linear relaxation: what limits are worth where options may be taken in parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from forecasting.proposals.portfolio.lagrangian import Coupling, Priced, power_of_two, priced
from forecasting.proposals.portfolio.model import Model


def one_of_each(model: Model, options: NDArray[np.intp]) -> sparse.csr_array:
    """Return the rows that sum the given options of each service.

    Parameters
    ----------
    model : Model
    options : NDArray[np.intp]
        Columns, in order.
    """
    columns = np.arange(len(options))
    shape = (len(model.services), len(options))
    return sparse.csr_array((np.ones(len(options)), (model.owner[options], columns)), shape=shape)


def above_least(model: Model) -> tuple[NDArray[np.float64], float]:
    """Return what each option is worse than the best of its service, and the factor that brings it to 0..1,000."""
    least = np.minimum.reduceat(model.worth, model.start[:-1])
    above = model.worth - least[model.owner]
    return above, float(power_of_two(float(above.max())))


def relaxed(model: Model, coupling: Coupling, *, time_limit_s: float) -> Priced | None:
    """Return the prices of the limits by the dual of the linear relaxation, and the bound that they prove.

    The dual's figures come from a solver; the bound is worked out from them anew, so that it holds whatever they are.

    Parameters
    ----------
    model : Model
    coupling : Coupling
    time_limit_s : float
        Above 0.

    Returns
    -------
    Priced or None
        None where the solver ended without an optimum: no choice of parts keeps the limits, or it took too long.

    Examples
    --------
    >>> from forecasting.proposals.portfolio.lagrangian import coupled
    >>> from forecasting.proposals.portfolio.model import as_model
    >>> from forecasting.terms.portfolio import PortfolioProblem, ServiceOption
    >>> now = ServiceOption(service="shop", key="now", label="", cost=(0.0,), expected_penalty=(9.0,), today=True)
    >>> more = ServiceOption(service="shop", key="more", label="", cost=(4.0,), expected_penalty=(1.0,))
    >>> model = as_model(PortfolioProblem(options=(now, more), periods=1, currency="EUR", budget=(2.0,)))
    >>> answer = relaxed(model, coupled(model), time_limit_s=5.0)
    >>> answer.prices.tolist(), answer.bound      # each euro of budget buys a quarter of the option, which saves 4
    ([1.0], 7.0)
    """
    if not len(coupling.most):
        return priced(model, coupling, np.zeros(0))
    above, factor = above_least(model)
    scaled = sparse.csr_array(sparse.diags_array(coupling.factor) @ coupling.rows)
    every = np.arange(len(model.options), dtype=np.intp)
    answer = linprog(  # type: ignore[call-overload]  # sparse rows are allowed, its stubs do not say so
        above * factor,
        A_ub=scaled,
        b_ub=coupling.most * coupling.factor,
        A_eq=one_of_each(model, every),
        b_eq=np.ones(len(model.services)),
        bounds=(0, None),
        method="highs",
        options={"time_limit": time_limit_s},
    )
    if answer.status != 0:
        return None
    return priced(model, coupling, -np.asarray(answer.ineqlin.marginals) * coupling.factor / factor)
