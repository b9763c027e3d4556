"""k of n against hand calculation and enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from forecasting.capacity.models.redundancy import Redundancy, units_up
from forecasting.terms.errors import InputError


@pytest.mark.parametrize(
    ("k", "n", "up", "level"),
    [(2, 3, 0.99, 0.999702), (4, 6, 0.99, 0.999980446), (10, 12, 0.995, 0.999973413)],
)
def test_published_values(k: int, n: int, up: float, level: float) -> None:
    model = Redundancy(per_unit=1.0, availability=up, target=0.9)
    assert model.service_level(n, [float(k)])[0] == pytest.approx(level, abs=6e-10)


@pytest.mark.parametrize(("n", "domains", "beta"), [(4, 2, 0.3), (5, 2, 0.1), (5, 3, 1.0), (3, 5, 0.5), (6, 1, 0.2)])
def test_every_state_counted_by_hand(n: int, domains: int, beta: float) -> None:
    availability = 0.9
    together = beta * (1 - availability)
    alone = availability / (1 - together)
    domain = [k % domains for k in range(n)]
    exact = np.zeros(n + 1)
    for down in product((0, 1), repeat=domains):
        for own in product((0, 1), repeat=n):
            p = np.prod([together if d else 1 - together for d in down])
            p *= np.prod([alone if o else 1 - alone for o in own])
            exact[sum(o and not down[domain[k]] for k, o in enumerate(own))] += p
    found = units_up(n, availability=availability, common_cause=beta, domains=domains)
    assert found == pytest.approx(exact, abs=1e-12)
    assert (found * np.arange(n + 1)).sum() == pytest.approx(n * availability), "each unit alone is up as often as said"


def test_required_and_supported_agree_and_what_cannot_be_is_infinite() -> None:
    model = Redundancy(per_unit=90.0, availability=0.995, target=0.9995, common_cause=0.05, domains=2)
    for demand in (80.0, 980.0, 1102.0):
        n = model.required(None, [demand])[0]
        assert model.service_level(n, [demand])[0] >= 0.9995 > model.service_level(n - 1, [demand])[0]
        assert model.supported(n, None) >= demand > model.supported(n - 1, None)
    one_domain = Redundancy(per_unit=1.0, availability=0.99, target=0.9995, common_cause=0.1)
    assert one_domain.required(None, [1.0])[0] == np.inf  # the domain alone is down for .001
    assert model.required(None, [0.0])[0] == 0.0


def test_more_is_never_worse() -> None:
    model = Redundancy(per_unit=1.0, availability=0.97, target=0.99, common_cause=0.1, domains=3)
    levels = [model.service_level(n, [4.0])[0] for n in range(20)]
    assert levels == sorted(levels)
    needed = model.required(None, np.arange(12.0)).tolist()
    assert needed == sorted(needed)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="0 to 1"):
        units_up(3, availability=0.9, common_cause=1.5)
    with pytest.raises(InputError, match="1 or more"):
        units_up(3, availability=0.9, domains=0)
    with pytest.raises(InputError, match="at most 1"):
        units_up(3, availability=99.0)
