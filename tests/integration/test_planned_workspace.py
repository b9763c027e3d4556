"""Planned events and hierarchies of a workspace: in the commands, in the plan, and where a part is missing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run

from forecasting import Settings, Workspace
from forecasting.adapters.executors import Serial
from forecasting.forecasts.engine import ForecastTask
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast, ModelChoice
from forecasting.terms.hierarchy import DeclaredSum, trees_of
from forecasting.terms.history import Metric, MetricKind
from forecasting.workflows.demand import Demand, forecast_demand, wanted
from forecasting.workflows.hierarchies import add_up

FIRST = date(2026, 6, 1)
DAYS, AHEAD = 140, 12
SALES = ((30, 33), (65, 68), (100, 103), (DAYS + 4, DAYS + 7))
PROJECT = """\
apiVersion: forecasting/v1
kind: Project
metadata: {name: shops}
spec:
  organisation: Shops
  currency: EUR
  zone: Europe/Berlin
  catalogue: catalogue
  metrics:
    orders: {kind: count, unit: orders, step: 1d}
  sources:
    - {name: orders, path: orders.csv, layout: long, zone: Europe/Berlin}
"""


def service(name: str) -> str:
    return (
        f"apiVersion: openslo/v1\nkind: Service\nmetadata:\n  name: {name}\n"
        f"  annotations: {{forecasting/zone: Europe/Berlin}}\nspec: {{description: {name}}}\n"
    )


def driver(name: str) -> str:
    return (
        f"apiVersion: forecasting/v1\nkind: DemandDriver\nmetadata: {{name: {name}-orders}}\n"
        f"spec: {{service: {name}, metric: orders}}\n"
    )


def event() -> str:
    day = [tuple(FIRST + timedelta(days=k) for k in (a, b - 1)) for a, b in SALES]
    runs = "".join(f"    - {{from: {a}, until: {b}}}\n" for a, b in day)
    return f"apiVersion: forecasting/v1\nkind: PlannedEvent\nmetadata: {{name: sale}}\nspec:\n  occurrences:\n{runs}"


def tree(total: str, *parts: str, method: str = "mint") -> str:
    return (
        f"apiVersion: forecasting/v1\nkind: Hierarchy\nmetadata: {{name: {total}-orders}}\n"
        f"spec: {{metric: orders, total: {total}, parts: [{', '.join(parts)}], method: {method}}}\n"
    )


def truth(sales: tuple[tuple[int, int], ...] = SALES) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """Orders of two shops and of both, which a sale doubles; what they share of their noise is in the sum too."""
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 0.04, DAYS + AHEAD)
    found = {}
    for name, level in (("north", 200), ("south", 500)):
        week = np.resize([1.0, 1.2, 1.2, 1.1, 1.3, 0.6, 0.4], DAYS + AHEAD)
        values = level * week * np.exp(shared + rng.normal(0, 0.04, DAYS + AHEAD))
        for first, last in sales:
            values[first:last] *= 2
        found[name] = np.round(values)
    return found | {"both": found["north"] + found["south"]}


def made(
    folder: Path,
    *documents: str,
    history: tuple[str, ...] = ("both", "north", "south"),
    sales: tuple[tuple[int, int], ...] = SALES,
) -> Path:
    (folder / "catalogue").mkdir(parents=True)
    (folder / "forecasting.yaml").write_text(PROJECT)
    (folder / "catalogue" / "all.yaml").write_text("---\n".join(documents))
    lines = ["service,metric,at,value"]
    for name in history:
        values = truth(sales).get(name, np.arange(5.0))[:DAYS]
        lines += [
            f"{name},orders,{FIRST + timedelta(days=DAYS - len(values) + k)},{v:.0f}" for k, v in enumerate(values)
        ]
    (folder / "orders.csv").write_text("\n".join(lines) + "\n")
    answer = run("ingest", "-w", folder)
    assert answer.code == 0, answer.err
    return folder


def opened(folder: Path) -> Workspace:
    """The workspace with one model that takes no time."""
    return Workspace(
        folder, mlflow=False, settings=Settings(models=("seasonal_median",), paths=200, horizon_days=14, jobs=1)
    )


def demand(folder: Path) -> Demand:
    return forecast_demand(opened(folder).prepare(None), executor=Serial(), timer=lambda: 0.0)


def paths(found: Demand, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    answer = found.get(name, "orders")
    assert answer is not None
    return answer.paths


def reason(found: Demand, name: str) -> str:
    answer = found.forecasts[name, "orders"]
    assert isinstance(answer, Forecast)
    assert answer.choice is not None
    return answer.choice.reason


THREE = [service(name) for name in ("both", "north", "south")]


def test_the_command_uses_both_and_says_so(tmp_path: Path) -> None:
    folder = made(tmp_path / "w", *THREE, driver("both"), event(), tree("both", "north", "south"))
    answer = run("forecast", "both", "--horizon", AHEAD, "--paths", 200, "--explain", "--json", "-w", folder)
    assert answer.code == 0, answer.err
    data = answer.document["data"]
    median, actual = np.array([row["q0.5"] for row in data["slices"]]), truth()["both"][DAYS:]
    assert np.all(np.abs(median[4:7] / actual[4:7] - 1) < 0.15), "the sale ahead"
    assert "sale × " in data["reason"]
    assert "adds up with hierarchy both-orders" in data["reason"]
    words = " ".join(data["explanation"]["words"])
    assert "on 3 of 12 slices, learnt from 3 past events" in words
    assert "both = north + south, on every path: reconciled by mint with their errors at " in words
    components = data["explanation"]["components"]
    assert set(components) >= {"events", "hierarchy"}
    assert np.allclose(np.sum(list(components.values()), axis=0), median)


@pytest.mark.parametrize("method", ["mint", "bottom-up"])
def test_totals_of_a_plan_are_the_sums_of_their_parts_on_every_path(tmp_path: Path, method: str) -> None:
    documents = (*THREE, driver("both"))
    plain = demand(made(tmp_path / "plain", *documents, driver("north"), driver("south"), sales=()))
    apart = paths(plain, "both") - paths(plain, "north") - paths(plain, "south")
    assert np.abs(apart).max() > 10, "they do not add up by themselves"

    found = demand(made(tmp_path / "w", *documents, tree("both", "north", "south", method=method), sales=()))
    assert set(found.forecasts) == {(name, "orders") for name in ("both", "north", "south")}, "its parts too"
    gap = paths(found, "both") - paths(found, "north") - paths(found, "south")
    assert np.abs(gap).max() < 1e-9
    assert min(paths(found, name).min() for name in ("both", "north", "south")) >= 0
    assert "both = north + south, on every path" in reason(found, "both")
    assert "hierarchy both-orders" in reason(found, "south")
    for name in ("north", "south"):
        moved = np.median(paths(found, name), axis=0) / np.median(paths(plain, name), axis=0) - 1
        assert np.abs(moved).max() < 0.1
        if method == "bottom-up":
            assert np.array_equal(np.sort(paths(found, name), axis=0), np.sort(paths(plain, name), axis=0))
    spread = np.diff(np.quantile(paths(found, "both"), [0.1, 0.9], axis=0), axis=0)
    own = np.diff(np.quantile(paths(plain, "both"), [0.1, 0.9], axis=0), axis=0)
    assert 0.5 < float(np.median(spread / own)) < 1.5


def test_a_total_without_history_is_made_from_its_parts(tmp_path: Path) -> None:
    documents = (*THREE, service("world"), service("east"), driver("both"))
    folder = made(
        tmp_path / "w", *documents, tree("both", "north", "south"), tree("world", "both", "east"),
        history=("north", "south", "east"),
    )  # fmt: skip
    found = demand(folder)
    assert isinstance(found.forecasts["world", "orders"], Forecast), (
        "five slices of east are enough for the simple ones"
    )
    gap = paths(found, "both") - paths(found, "north") - paths(found, "south")
    assert np.abs(gap).max() < 1e-9
    assert np.abs(paths(found, "world") - paths(found, "both") - paths(found, "east")).max() < 1e-9
    both = found.forecasts["both", "orders"]
    assert isinstance(both, Forecast)
    assert both.model == "bottom_up"
    assert "no history to forecast from by itself" in reason(found, "both")


def test_a_part_that_cannot_be_forecast_leaves_the_rest_as_it_was_and_is_named(tmp_path: Path) -> None:
    documents = (*THREE, service("east"), driver("both"))
    rest = demand(made(tmp_path / "plain", *documents, driver("north"), driver("south")))
    folder = made(tmp_path / "w", *documents, tree("both", "north", "south", "east"))
    found = demand(folder)
    east = found.forecasts["east", "orders"]
    assert isinstance(east, Excuse)
    assert east.reason == "no row of orders for east before the cut-off"
    for name in ("both", "north", "south"):
        assert np.array_equal(paths(found, name), paths(rest, name))
        assert reason(found, name).endswith(
            "does not add up by hierarchy both-orders: orders of its part east cannot be forecast "
            "(no row of orders for east before the cut-off)"
        )
    doctor = run("doctor", "-w", folder)
    assert "LOOK hierarchy both-orders: no row of orders for east" in doctor.out
    lost = run("forecast", "east", "orders", "--model", "seasonal_median", "--horizon", 5, "--paths", 200, "-w", folder)
    assert lost.code == 2
    assert "no row before the cut-off" in lost.err


def test_a_total_that_has_neither_history_nor_all_parts_says_both(tmp_path: Path) -> None:
    folder = made(tmp_path / "w", *THREE, driver("both"), tree("both", "north", "south"), history=("north",))
    both = demand(folder).forecasts["both", "orders"]
    assert isinstance(both, Excuse)
    assert both.reason.startswith("no row of orders for both before the cut-off; nor can it be added up: orders of its")


def test_slices_that_are_not_the_same_do_not_add_up() -> None:
    def orders(name: str, zone: str, start: datetime) -> Forecast:
        return Forecast(
            service=name, metric=Metric(name="orders", kind=MetricKind.COUNT), start=start, step=timedelta(days=1),
            zone=zone, paths=np.ones((5, 3)), model="trend", cut_off=start, seed=1,
            choice=ModelChoice(service=name, metric="orders", chosen="trend", scores=(), declined=(), reason="one"),
        )  # fmt: skip

    midnight = datetime(2026, 10, 18, 22, tzinfo=UTC)
    before: dict[tuple[str, str], Forecast | Excuse] = {
        (name, "orders"): orders(name, "Europe/Berlin", midnight) for name in ("both", "north")
    }
    before["south", "orders"] = orders("south", "Asia/Tokyo", midnight - timedelta(hours=7))
    task = ForecastTask(series=(), horizon=3, models=("trend",), countries=(), n_paths=5, seed=1)
    trees = trees_of([DeclaredSum(name="h", metric="orders", total="both", parts=("north", "south"))])
    after = Demand(forecasts=add_up(before, trees, series={}, task=task, countries={}))
    assert "does not add up by hierarchy h: the slices of south are not those of both" in reason(after, "both")
    assert np.array_equal(paths(after, "both"), paths(Demand(forecasts=before), "both"))


def test_doctor_names_an_event_that_nothing_is_known_of(tmp_path: Path) -> None:
    ahead = event().split("    - ")
    folder = made(tmp_path / "w", *THREE, driver("both"), "    - ".join((ahead[0], ahead[-1])))
    assert (
        "LOOK planned event sale: no occurrence before 2026-10-19 and no stated effect"
        in run("doctor", "-w", folder).out
    )
    (folder / "catalogue" / "all.yaml").write_text("---\n".join([*THREE, driver("both"), event()]))
    assert "planned event" not in run("doctor", "-w", folder).out


@pytest.mark.nightly
def test_what_is_declared_for_others_changes_nothing(tmp_path: Path) -> None:
    documents = (*THREE, service("east"), service("west"), driver("both"))
    one = demand(made(tmp_path / "a", *documents))
    two = made(tmp_path / "b", *documents, tree("east", "west"), event().replace("  occ", "  services: [east]\n  occ"))
    assert set(wanted(opened(two).prepare(None))) == {("both", "orders")}
    other = demand(two)
    assert np.array_equal(paths(one, "both"), paths(other, "both"))
    assert reason(one, "both") == reason(other, "both")


@pytest.mark.nightly
def test_the_plan_and_the_back_test_take_them(tmp_path: Path) -> None:
    documents = (*THREE, driver("both"), event(), tree("both", "north", "south"))
    folder = made(tmp_path / "w", *documents)
    answer = run("plan", "--no-mlflow", "--paths", 200, "--json", "-w", folder)
    assert answer.code == 0, answer.err
    text = Path(answer.document["data"]["files"]["markdown"]).read_text(encoding="utf-8")
    assert "sale × " in text
    assert "both = north + south, on every path" in text
    league = json.loads(run("backtest", "--horizon", 20, "--json", "-w", folder).out)["data"]["league"]
    plain = made(tmp_path / "plain", *THREE, driver("both"), driver("north"), driver("south"))
    without = json.loads(run("backtest", "--horizon", 20, "--json", "-w", plain).out)["data"]["league"]
    assert league[0]["gm_sql"] < without[0]["gm_sql"], "a back-test knows the sales that were planned"


@pytest.mark.nightly
def test_the_command_says_what_is_made_of_parts_and_what_is_not(tmp_path: Path) -> None:
    documents = (*THREE, service("east"), driver("both"))
    folder = made(tmp_path / "sum", *documents, tree("both", "north", "south"), history=("north", "south"))
    answer = run(
        "forecast", "both", "--model", "seasonal_median", "--horizon", 5, "--paths", 200, "--explain", "-w", folder
    )
    assert answer.code == 0, answer.err
    assert "by bottom_up" in " ".join(answer.out.split())
    assert "both = north + south, on every path" in " ".join(answer.out.split())
    folder = made(tmp_path / "lost", *documents, tree("both", "north", "south", "east"))
    answer = run("forecast", "both", "--model", "seasonal_median", "--horizon", 5, "--paths", 200, "-w", folder)
    assert answer.code == 0, answer.err
    assert "does not add up by hierarchy both-orders: orders of its part east" in " ".join(answer.out.split())
