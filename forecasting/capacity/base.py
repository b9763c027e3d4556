"""The contract of a capacity model, and the checks of numbers every model needs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import numpy as np

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class CapacityModel(Protocol):
    """How capacity and demand make a service level.

    Demand is in the metric's unit per slice (of length `interval`, where the model insists on one); capacity is in
    *usable* units, that is units in place × usable share. A target of ``None`` means the model's own: the answer
    target of Erlang C, the usable limit elsewhere. Service level falls with demand, so that
    P(service level ≥ s) ≥ p exactly when the capacity is at least the capacity required at the p-quantile of demand.
    """

    @property
    def name(self) -> str:
        """Name in the table of models."""
        ...

    @property
    def recurrent(self) -> bool:
        """True where every day has its own peak; False where demand is a level that accumulates."""
        ...

    @property
    def interval(self) -> timedelta | None:
        """Length of the slice whose demand counts; None = the metric's own step."""
        ...

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share served well, 0 to 1, per element of `demand`; NaN where the model knows none."""
        ...

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the smallest usable capacity that reaches `target` at each element of `demand`."""
        ...

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the largest demand that `capacity` usable units carry at `target`."""
        ...


def quantities(argument: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return `values` as finite numbers of 0 or more.

    Raises
    ------
    InputError
        Where a value is NaN, infinite or negative.

    Examples
    --------
    >>> quantities("load", [0, 2.5])
    array([0. , 2.5])
    """
    numbers = np.asarray(values, dtype=np.float64)
    wrong = ~(np.isfinite(numbers) & (numbers >= 0))
    if wrong.any():
        raise InputError(
            argument=argument,
            came=float(numbers[wrong].flat[0]),
            allowed="finite numbers of 0 or more",
            try_instead="leave out slices that were not observed",
        )
    return numbers


def share(argument: str, value: float, *, one_allowed: bool = False) -> float:
    """Return `value` if it is a share above 0 and below 1 (or 1 where allowed).

    Raises
    ------
    InputError
        Where it is not.

    Examples
    --------
    >>> share("target", 0.8)
    0.8
    """
    if not (0 < value < 1 or (one_allowed and value == 1)):
        raise InputError(
            argument=argument,
            came=value,
            allowed=f"a share above 0 and {'at most' if one_allowed else 'below'} 1",
            try_instead=str(value / 100) if 1 < value < 100 else "0.8",
        )
    return float(value)


def positive(argument: str, value: float) -> float:
    """Return `value` if it is finite and above 0.

    Raises
    ------
    InputError
        Where it is not.

    Examples
    --------
    >>> positive("capacity", 40)
    40.0
    """
    if not (np.isfinite(value) and value > 0):
        raise InputError(argument=argument, came=value, allowed="a finite number above 0", try_instead="1")
    return float(value)
