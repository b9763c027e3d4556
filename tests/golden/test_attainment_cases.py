"""Attainment, budget and verdict of windows worked out by hand from docs/attainment-rules.md."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from attainment_fixture import Entry, expected, judged, period_of, resolved, shown, window_found

from forecasting.terms.errors import InputError

DOCUMENT = yaml.load(
    Path(__file__).with_name("attainment_cases.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader
)
CASES = resolved(DOCUMENT)
KEYS = {
    "name", "like", "indicator", "objective", "target", "window", "period", "as_of", "grace", "data", "tickets",
    "calendars", "hours", "exclude", "maintenance", "valid_from", "valid_until", "method", "slice", "slice_target",
    "no_traffic", "no_data", "strict", "rounding", "workload", "minimum_events", "minimum_coverage", "components",
    "expect", "refused",
}  # fmt: skip


def test_the_cases_are_many_and_say_something() -> None:
    assert len(CASES) >= 90
    for case in CASES:
        assert not set(case) - KEYS, case["name"]
        assert ("refused" in case) is not bool(case.get("expect")), case["name"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"].replace(" ", "-") for case in CASES])
def test_worked_out_by_hand(case: Entry) -> None:
    if "window" in case:
        period = period_of(case)
        assert window_found(case) == (period.start, period.end)
    if "refused" in case:
        with pytest.raises(InputError):
            judged(case)
        return
    one = judged(case)
    wanted = {key: expected(key, text) for key, text in case["expect"].items()}
    assert {key: shown(one, key) for key in wanted} == wanted
    if one.total:
        assert (one.value, one.lower, one.upper).count(None) == 0
