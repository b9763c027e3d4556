"""The plan as frames: typed columns, also without rows, and the numbers of the plan."""

from __future__ import annotations

import pandas as pd
import pytest
from plan_fixture import AS_OF, empty_plan, make_plan

from forecasting.terms.frames import plan_frames

NAMES = {
    "attainment", "risks", "demand_quantiles", "choices", "requirements", "options", "warnings", "drivers", "quality",
}  # fmt: skip


def test_frames_hold_the_plans_numbers() -> None:
    plan = make_plan()
    frames = plan.frames()
    assert set(frames) == NAMES
    risks = frames["risks"]
    assert list(risks["probability"]) == [r.probability for s in plan.services for o in s.objectives for r in o.risks]
    assert len(frames["attainment"]) == 19
    assert len(frames["choices"]) == 6
    assert frames["choices"]["chosen"].sum() == 2
    assert len(frames["options"]) == 6
    assert frames["options"]["recommended"].sum() == 2
    assert set(frames["options"]["currency"]) == {"USD"}
    assert len(frames["warnings"]) == len(plan.warnings)
    assert frames["drivers"]["significant"].tolist() == [True, True, False]
    assert frames["drivers"]["threshold"].tolist() == [1.27, 35.188, 27.8]
    assert len(frames["demand_quantiles"]) == 240
    demand = frames["demand_quantiles"]
    assert (demand["q0.1"] <= demand["q0.5"]).all()
    assert demand["at"].iloc[0] == pd.Timestamp(AS_OF)
    # Local midnight in New York: 04:00 UTC in summer, 05:00 UTC in winter.
    assert set(demand["at"].dt.hour) == {4, 5}
    assert frames["requirements"]["order_by"].isna().tolist() == [False, True]
    empty = frames["attainment"].query("total == 0")
    assert empty["value"].isna().all()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_empty_frame_has_the_same_columns_and_types(name: str) -> None:
    full, empty = plan_frames(make_plan())[name], plan_frames(empty_plan())[name]
    assert len(empty) == 0
    pd.testing.assert_series_equal(full.dtypes, empty.dtypes)
    assert not {str(t) for t in full.dtypes} - {
        "object", "str", "int64", "float64", "bool", "datetime64[us]", "datetime64[us, UTC]",
    }  # fmt: skip
