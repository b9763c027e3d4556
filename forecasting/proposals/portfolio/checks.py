"""A portfolio problem is refused, with the value that came, before anything is computed from it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from forecasting.terms.errors import InputError
from forecasting.terms.portfolio import PortfolioProblem, ServiceOption


def check_problem(problem: PortfolioProblem) -> None:
    """Refuse a problem whose figures do not fit together.

    Parameters
    ----------
    problem : PortfolioProblem

    Raises
    ------
    InputError
        For no options, a service without exactly one option of today, two options of one key, a number of periods that
        does not fit, a figure that is no finite number, a level outside 0 to 1, or a service that is not known.

    Examples
    --------
    >>> now = ServiceOption(service="shop", key="now", label="as now", cost=(0.0,), expected_penalty=(9.0,), today=True)
    >>> try:
    ...     check_problem(PortfolioProblem(options=(now,), periods=2, currency="EUR"))
    ... except InputError as error:
    ...     print(error.argument, error.came, error.allowed, sep=" | ")
    option shop/now cost | 1 figures | one for each of 2 periods
    """
    if not isinstance(problem.periods, int) or problem.periods < 1:
        raise InputError(argument="periods", came=problem.periods, allowed="1 or more", try_instead="12 months")
    if not problem.options:
        raise InputError(
            argument="options",
            came=0,
            allowed="at least one option of one service",
            try_instead="today's option of each service",
        )
    for option in problem.options:
        _check_option(option, problem.periods)
    _check_services(problem.options)
    _check_paths(problem.options)
    if problem.budget is not None:
        _series("budget", problem.budget, problem.periods)
    for name, limit in (("budget_total", problem.budget_total), ("carbon_cap_kg", problem.carbon_cap_kg)):
        if limit is not None:
            _numbers(name, (limit,))
    changes = problem.contract_changes
    if changes is not None and (not isinstance(changes, int) or changes < 0):
        raise InputError(
            argument="contract_changes", came=changes, allowed="0 or more, or None", try_instead="None for no limit"
        )
    known = {option.service for option in problem.options}
    for pair in problem.relies_on:
        if len(pair) != 2 or pair[0] == pair[1] or not known.issuperset(pair):
            raise InputError(
                argument="relies_on",
                came=pair,
                allowed="two different services that have options",
                try_instead="an option of today for each service that others rely on",
            )


def _check_option(option: ServiceOption, periods: int) -> None:
    """Refuse an option by itself."""
    where = f"option {option.service}/{option.key}"
    if not option.service or not option.key:
        raise InputError(argument=where, came="", allowed="names that are not empty", try_instead="a service and a key")
    _series(f"{where} cost", option.cost, periods)
    _series(f"{where} expected_penalty", option.expected_penalty, periods)
    _numbers(f"{where} value", (option.value,))
    if option.carbon_kg:
        _series(f"{where} carbon_kg", option.carbon_kg, periods)
    if option.contract_changes:
        _series(f"{where} contract_changes", option.contract_changes, periods)
        if any(change < 0 or change != int(change) for change in option.contract_changes):
            raise InputError(
                argument=f"{where} contract_changes",
                came=option.contract_changes,
                allowed="whole numbers, 0 or more",
                try_instead="1 in the period in which a contract changes",
            )
    for name, level in (("promised", option.promised), ("delivered", option.delivered)):
        if level is not None and not 0 <= level <= 1:
            raise InputError(
                argument=f"{where} {name}", came=level, allowed="a share, 0 to 1", try_instead="0.999 for 99.9 %"
            )


def _check_services(options: Iterable[ServiceOption]) -> None:
    """Refuse two options of one key, and a service without exactly one option of today."""
    seen: set[tuple[str, str]] = set()
    today: dict[str, int] = {}
    for option in options:
        if (option.service, option.key) in seen:
            raise InputError(
                argument="options",
                came=(option.service, option.key),
                allowed="one option of a key in a service",
                try_instead="keys that differ",
            )
        seen.add((option.service, option.key))
        today[option.service] = today.get(option.service, 0) + option.today
    for service, count in sorted(today.items()):
        if count != 1:
            raise InputError(
                argument=f"options of {service}",
                came=f"{count} options of today",
                allowed="exactly one",
                try_instead="today=True for what is done if nothing is decided",
            )


def _check_paths(options: Iterable[ServiceOption]) -> None:
    """Refuse paths that are no worlds shared by all services."""
    lengths: set[int] = set()
    for option in options:
        if option.penalty_paths is not None:
            paths = option.penalty_paths
            if paths.ndim != 1 or not len(paths) or not np.isfinite(paths).all():
                raise InputError(
                    argument=f"option {option.service}/{option.key} penalty_paths",
                    came=f"an array of shape {paths.shape}",
                    allowed="one finite figure on each path",
                    try_instead="the sum over the periods on each path",
                )
            lengths.add(len(paths))
    if len(lengths) > 1:
        raise InputError(
            argument="penalty_paths",
            came=f"lengths {sorted(lengths)}",
            allowed="the same paths in every option",
            try_instead="one simulation for all services",
        )


def _series(name: str, values: tuple[float, ...] | tuple[int, ...], periods: int) -> None:
    """Refuse what is not one finite figure for each period."""
    if len(values) != periods:
        raise InputError(
            argument=name,
            came=f"{len(values)} figures",
            allowed=f"one for each of {periods} periods",
            try_instead="0 where nothing is paid",
        )
    _numbers(name, values)


def _numbers(name: str, values: Iterable[float]) -> None:
    """Refuse what is no finite number."""
    for value in values:
        if not math.isfinite(value):
            raise InputError(argument=name, came=value, allowed="a finite number", try_instead="None for no limit")
