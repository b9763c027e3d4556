"""Service credits worked out by hand, to the cent, and the same ladder on sample paths."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from forecasting.service_levels.credits import credit_due, credits_on_paths, loss_on_paths
from forecasting.terms.agreement import Agreement, AgreementKind, Credits, CreditTier


def terms(fee: str, cap: str, *tiers: tuple[str, str]) -> Credits:
    return Credits(
        fee_per_period=Decimal(fee),
        cap_share=Decimal(cap),
        tiers=tuple(CreditTier(below=Decimal(b), share_of_fee=Decimal(s)) for b, s in tiers),
    )


CLOUD = terms("185000", "0.25", ("0.999", "0.05"), ("0.995", "0.10"), ("0.95", "0.30"))
ODD = terms("999.99", "1", ("0.9995", "0.033"), ("0.99", "0.125"))
CENTS = terms("0.10", "1", ("0.9", "0.05"), ("0.8", "0.15"))
UNORDERED = terms("1000", "1", ("0.95", "0.30"), ("0.999", "0.05"), ("0.995", "0.10"))
BARE = terms("1000", "0.5")

CASES = [
    (CLOUD, "1", "0.00"),
    (CLOUD, "0.999", "0.00"),  # a tie is not below
    (CLOUD, "0.9989999999999999999999999999", "9250.00"),  # 185,000 x 5 %
    (CLOUD, "0.9985", "9250.00"),
    (CLOUD, "0.995", "9250.00"),  # a tie with the second step stays on the first
    (CLOUD, "0.9949", "18500.00"),  # 185,000 x 10 %
    (CLOUD, "0.95", "18500.00"),
    (CLOUD, "0.9499", "46250.00"),  # 30 % is 55,500; capped at 25 % = 46,250
    (CLOUD, "0", "46250.00"),
    (ODD, "0.9994", "33.00"),  # 999.99 x 0.033 = 32.99967
    (ODD, "0.98", "125.00"),  # 999.99 x 0.125 = 124.99875
    (CENTS, "0.85", "0.01"),  # 0.10 x 0.05 = 0.005, half a cent goes up
    (CENTS, "0.75", "0.02"),  # 0.10 x 0.15 = 0.015, half a cent goes up (banker's rounding would agree here)
    (terms("0.50", "1", ("0.9", "0.05")), "0.8", "0.03"),  # 0.025: half up gives 0.03, banker's rounding 0.02
    (UNORDERED, "0.90", "300.00"),  # the lowest step that applies, in whatever order they stand
    (UNORDERED, "0.997", "50.00"),
    (BARE, "0", "0.00"),  # no tiers
    (terms("1000", "0", ("0.9", "0.5")), "0", "0.00"),  # a cap of nothing
]


@pytest.mark.parametrize(("ladder", "attainment", "due"), CASES)
def test_credit_by_hand(ladder: Credits, attainment: str, due: str) -> None:
    credit = credit_due(ladder, Decimal(attainment))
    assert credit == Decimal(due)
    assert credit.as_tuple().exponent == -2


def agreement(ladder: Credits | None, loss: str = "0") -> Agreement:
    return Agreement(
        id="sla",
        kind=AgreementKind.SLA,
        service="a",
        customer="c",
        provider="p",
        objectives=(),
        valid_from=date(2027, 1, 1),
        valid_until=None,
        credits=ladder,
        loss_per_bad_event=Decimal(loss),
    )


@pytest.mark.parametrize("ladder", [CLOUD, ODD, CENTS, UNORDERED, BARE])
def test_credit_on_each_path_is_the_credit_due(ladder: Credits) -> None:
    """Good of 2,000 and of 10,000 events, every count near the steps: floats must not lose a tie."""
    for total in (2_000, 10_000):
        good = np.unique(np.concatenate([np.arange(0, total, 37), np.arange(int(total * 0.94), total + 1)]))
        paths = 1.0 - (total - good) / total
        due = [float(credit_due(ladder, Decimal(int(g)) / total)) for g in good]
        np.testing.assert_array_equal(credits_on_paths(agreement(ladder), paths), due)


def test_no_agreement_no_credit_no_loss() -> None:
    paths = np.array([0.0, 0.5, 1.0])
    assert credits_on_paths(None, paths).tolist() == [0.0, 0.0, 0.0]
    assert credits_on_paths(agreement(None), paths).tolist() == [0.0, 0.0, 0.0]
    assert loss_on_paths(None, paths, paths, Decimal("0.9")).tolist() == [0.0, 0.0, 0.0]


def test_loss_counts_only_bad_events_beyond_the_budget() -> None:
    # 1,000 events at 80 %: 200 may be bad. 150 -> nothing, 200 -> nothing, 203 -> 3 x 450 = 1,350.
    bad, total = np.array([150.0, 200.0, 203.0]), np.full(3, 1000.0)
    loss = loss_on_paths(agreement(None, "450"), bad, total, Decimal("0.8"))
    np.testing.assert_allclose(loss, [0.0, 0.0, 1350.0], atol=1e-6)
