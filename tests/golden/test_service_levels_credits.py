"""Service credits worked out by hand, to the cent, and the same ladder on sample paths."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from credit_fixture import agreement_of, attainments_of, expand

from forecasting.service_levels.credit_statement import credit_statement, credit_totals, receivables
from forecasting.service_levels.credits import credit_due, credits_on_paths, loss_on_paths
from forecasting.terms.agreement import Agreement, AgreementKind, Credits, CreditTier
from forecasting.terms.credit import CreditLine
from forecasting.terms.errors import InputError
from forecasting.terms.service_level import AttainmentStatus


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


# Every scalar is text: no number passes through binary floating point.
BOOK: dict[str, Any] = yaml.load(
    Path(__file__).with_name("credit_cases.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader
)
FAR = "2040-01-01T00:00Z"


def statement_of(case: dict[str, Any]) -> tuple[CreditLine, ...]:
    contract = agreement_of(case)
    as_of = datetime.fromisoformat(case.get("as_of", FAR))
    return credit_statement(contract, attainments_of(contract, case["delivered"]), as_of=as_of)


def case_called(name: str) -> dict[str, Any]:
    return next(case for case in BOOK["cases"] if case["name"] == name)


def test_the_book_has_enough_cases_and_no_name_twice() -> None:
    names = [case["name"] for case in BOOK["cases"]]
    assert len(names) >= 60
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", BOOK["cases"], ids=[case["name"] for case in BOOK["cases"]])
def test_statement_by_hand(case: dict[str, Any]) -> None:
    lines = statement_of(case)
    expected = [one for entry in case["lines"] for one in expand(entry)]
    assert [line.period.label for line in lines] == [one["in"] for one in expected]
    for line, one in zip(lines, expected, strict=True):
        for field, value in one.items():
            if field == "in":
                continue
            came = getattr(line, field)
            if isinstance(came, Decimal):
                assert came == Decimal(value), f"{line.period.label}: {field}"
                if field in ("gross", "capped", "earned_back", "due", "low", "high"):
                    assert str(came) == value, f"{line.period.label}: {field}"  # with all its decimals
            else:
                assert str(came) == value, f"{line.period.label}: {field}"


def test_the_callers_decimal_context_changes_nothing() -> None:
    with localcontext() as context:
        context.prec = 3
        for case in BOOK["cases"]:
            narrow = statement_of(case)
            context.prec = 40
            assert narrow == statement_of(case)
            context.prec = 3


def test_without_credits_there_is_no_statement() -> None:
    assert credit_statement(agreement(None), [], as_of=datetime(2027, 1, 1, tzinfo=UTC)) == ()


def test_attainments_of_others_and_overlapping_windows_are_refused() -> None:
    case = case_called("shop below the first tier")
    contract = agreement_of(case)
    (missed,) = attainments_of(contract, case["delivered"])
    as_of = datetime(2027, 5, 1, tzinfo=UTC)
    with pytest.raises(InputError, match="objectives of the agreement"):
        credit_statement(contract, [replace(missed, agreement="other")], as_of=as_of)
    with pytest.raises(InputError, match="objectives of the agreement"):
        credit_statement(contract, [replace(missed, objective="other")], as_of=as_of)
    with pytest.raises(InputError, match="do not overlap"):
        credit_statement(contract, [missed, missed], as_of=as_of)
    on = replace(missed.period, end=missed.period.end + timedelta(days=7), label="running")
    running = replace(missed, period=on, status=AttainmentStatus.RUNNING, final=False)
    assert len(credit_statement(contract, [missed, running], as_of=as_of)) == 1  # a rolling window goes on


def test_a_declared_cover_goes_before_the_validity() -> None:
    case = case_called("shop below the first tier")
    contract = agreement_of(case)
    (missed,) = attainments_of(contract, case["delivered"])
    as_of = datetime(2027, 5, 1, tzinfo=UTC)
    (line,) = credit_statement(contract, [missed], as_of=as_of, covered={missed.period: Fraction(1, 3)})
    assert str(line.due) == "3083.33"  # 185,000 / 3 x 5 % = 3,083.333...
    assert credit_statement(contract, [missed], as_of=as_of, covered={missed.period: Fraction(0)}) == ()


def test_receivables_nearest_deadline_first_and_totals_reconcile() -> None:
    cdn = case_called("supplier pays 10 %")
    cdn = cdn | {"delivered": [{"in": "2027-04", "got": "9985/10000"}, {"in": "2027-03", "got": "99985/100000"}]}
    lines = (
        *statement_of(cdn),  # 750.00 by 30 April, 1,875.00 by 30 May
        *statement_of(case_called("a second beyond begins an hour")),  # 500.00 without a deadline
        *statement_of(case_called("shop below the first tier")),  # 9,250.00 that we pay
        *statement_of(case_called("yen have no decimals")),  # JPY 9,250 that we pay
    )
    early = receivables(lines, datetime(2027, 4, 30, 23, 59, tzinfo=UTC))
    assert [str(line.due) for line in early] == ["750.00", "1875.00", "500.00"]
    late = receivables(lines, datetime(2027, 5, 2, tzinfo=UTC))
    assert [str(line.due) for line in late] == ["1875.00", "500.00"]
    euro, yen = credit_totals(lines)
    assert (euro.currency, euro.lines, str(euro.due)) == ("EUR", 4, "12375.00")
    assert (str(euro.receivable), str(euro.payable), str(euro.lapsed)) == ("3125.00", "9250.00", "0.00")
    assert (yen.currency, yen.lines, str(yen.due), str(yen.payable)) == ("JPY", 1, "9250", "9250")


def test_an_undetermined_supplier_credit_is_worth_claiming() -> None:
    case = case_called("an undetermined claim can lapse too") | {"as_of": "2027-04-20T00:00Z"}
    lines = statement_of(case)
    assert receivables(lines, datetime(2027, 4, 20, tzinfo=UTC)) == lines
    assert receivables(lines, datetime(2027, 5, 2, tzinfo=UTC)) == ()


def test_paths_by_the_hour_and_with_amounts() -> None:
    wan = agreement_of(case_called("a second beyond begins an hour"))
    month = 30 * 86_400_000_000  # budget 2,592 s
    down = np.array([2592, 2593, 6192, 6193, 43200]) * 1e6
    paths = 1.0 - down / month
    total = np.full(5, float(month))
    assert credits_on_paths(wan, paths, total=total).tolist() == [0.0, 500.0, 500.0, 1000.0, 5000.0]
    assert credits_on_paths(wan, paths).tolist() == [0.0, 500.0, 500.0, 1000.0, 5000.0]  # a nominal month is 30 days
    pay = agreement_of(case_called("40,000 for a miss"))
    assert credits_on_paths(pay, np.array([0.9995, 0.9994])).tolist() == [0.0, 40000.0]
    rounded = agreement_of(case_called("99.895 % half up is 99.90 %"))
    assert credits_on_paths(rounded, np.array([0.99895, 0.998949])).tolist() == [0.0, 9250.0]
