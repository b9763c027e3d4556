"""Sinks, notifier, executors and model log: whole files or none, once and no more, and nothing outside."""

# ruff: noqa: E501 - the builders list many fields a line

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import random
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.adapters._atomic import slug, write_atomic
from forecasting.adapters.executors import EXECUTORS, JoblibLoky, Serial
from forecasting.adapters.model_log import MlflowSqlite, NoModelLog
from forecasting.adapters.notifiers import append_warnings
from forecasting.adapters.sinks import RENDERED_SINKS, CsvFrames
from forecasting.adapters.sinks.csv_frames import safe_csv
from forecasting.terms.breach import Cause, RiskScore
from forecasting.terms.catalogue import Service
from forecasting.terms.errors import Excuse, ForecastingError, InputError, StoreError
from forecasting.terms.forecast import BacktestScore, ModelChoice
from forecasting.terms.plan import Plan, RunManifest, ServiceOutlook
from forecasting.terms.service_level import Period
from forecasting.terms.warning import EarlyWarning, RankedAction, Severity

AS_OF = datetime(2027, 3, 1, tzinfo=UTC)
PERIOD = Period(start=AS_OF, end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03")
SERVICES = ("shop", "shop [eu]", "../../etc", "=1+1", "ü")


def score(model: str) -> BacktestScore:
    return BacktestScore(model=model, origins=4, mase=0.9, sql=0.8, mase_vs_naive=0.95, sql_vs_naive=float("nan"),
                         coverage80=0.81, coverage95=0.94, bias=-0.01, cpu_seconds=0.2)  # fmt: skip


def make_plan(run_id: str = "0123456789abcdef") -> Plan:
    choice = ModelChoice(service="shop", metric="orders", chosen="ets", scores=(score("ets"), score("seasonal_naive")),
                         declined=(("prophet", Excuse(reason="9 days", what_would_help="5 more")),), reason="ets")  # fmt: skip
    outlooks = tuple(
        ServiceOutlook(
            service=Service(name=name),
            demand=None,
            forecast=None,
            choice=replace(choice, service=name),
            objectives=(),
            quality=(),
            recommendation="Nothing to do.",
        )
        for name in SERVICES
    )
    record = RiskScore(decisions=10, breaches=3, brier=0.1, brier_climatology=0.2, skill=0.5, skill_low=0.1, skill_high=0.7,
                       bins=(), first=AS_OF, last=AS_OF, protocol="replay")  # fmt: skip
    manifest = RunManifest(run_id=run_id, as_of=AS_OF, seed=1, paths=200, code_version="0", catalogue_version="c",
                           data_version="d", libraries=(("numpy", "2"),), settings=(("paths", "200"),))  # fmt: skip
    return Plan(organisation="Shop", manifest=manifest, as_of=AS_OF, horizon_end=PERIOD.end, currency="EUR", services=outlooks,
                portfolio=(), requirements=(), capacity_excuses=(), proposals=(), warnings=(), risk_score=record,
                alarm_score=None, assumptions=(), data_first=date(2026, 1, 1), data_last=date(2027, 2, 28))  # fmt: skip


def make_warning(number: int = 1, raised_at: datetime = AS_OF, state: str = "new") -> EarlyWarning:
    return EarlyWarning(
        id=f"w{number}", raised_at=raised_at, data_cut_off=AS_OF, service="=shop\n", agreement=None, objective="on-time",
        period=PERIOD, probability=0.4, probability_low=0.3, probability_high=0.5, probability_previous=None,
        expected_breach_from=date(2027, 3, 20), expected_breach_to=None, margin_events=12.5, lead_time_days=30.0,
        lead_time_needed_days=float("inf"), decide_by=None, severity=Severity.WARNING,
        main_cause=Cause(name="demand", share=0.7, evidence="+9 %"), customers=("a",), expected_credit=1.0, expected_loss=2.0,
        currency="EUR", actions=(RankedAction(label="add", probability_after=0.1, cost_over_horizon=9.0),), inform=(),
        note="…", confidence="", state=state, dedup_key="k")  # fmt: skip


@pytest.mark.parametrize("name", RENDERED_SINKS)
def test_each_sink_writes_what_was_rendered(tmp_path: Path, name: str) -> None:
    sink = RENDERED_SINKS[name](tmp_path / "out", lambda plan: f"{plan.organisation} ü \ud800\n")
    where = Path(sink.write(make_plan()))
    assert where.parent == tmp_path / "out"
    assert where.read_bytes() == b"Shop \xc3\xbc \\ud800\n"
    assert [p.name for p in where.parent.iterdir()] == [where.name]
    assert sink.write(make_plan()) == str(where)


def test_a_failing_render_leaves_the_old_report(tmp_path: Path) -> None:
    RENDERED_SINKS["html"](tmp_path, lambda plan: "old").write(make_plan())
    with pytest.raises(ZeroDivisionError):
        RENDERED_SINKS["html"](tmp_path, lambda plan: str(1 / 0)).write(make_plan())
    assert (tmp_path / "plan.html").read_text() == "old"


NAMES = ["../../x", "/etc/passwd", "..\\..\\x", "%2e%2e%2fx", "․․／x", "CON", "com1", "x" * 300, "-rf", "a\0b", ".hidden", "",
         "..", "a/b", "C:\\x", "~root", "ü", "\u202egnp.exe", "nul", "a b", "a\nb"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    root = tmp_path / "a" / "b"
    for where in (write_atomic(root, name, "x"), write_atomic(root, f"{name}.csv", "x", folder=f"in {name}")):
        assert where.resolve().is_relative_to(root.resolve())
        assert where.name.isascii()
        assert len(where.name) < 120
        assert not where.name.startswith((".", "-"))
    assert {p.name for p in tmp_path.iterdir()} == {"a"}
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"b"}


def test_different_names_stay_different() -> None:
    names = [*NAMES, "a-b", "A B", "a  b", "é", "e\u0301", "x" * 299]
    assert len({slug(name) for name in names}) == len(names)
    assert slug("plan-2027.html") == "plan-2027.html"


def test_links_and_folders_in_the_way_are_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "plan.html").write_text("precious")
    (root / "plan.html").symlink_to(outside / "plan.html")
    write_atomic(root, "plan.html", "new")
    assert (outside / "plan.html").read_text() == "precious"
    assert not (root / "plan.html").is_symlink()
    (root / "data").symlink_to(outside)
    with pytest.raises(InputError, match="inside the output folder"):
        write_atomic(root, "a.csv", "x", folder="data")
    (root / "taken.html").mkdir()
    with pytest.raises(InputError, match="inside the output folder"):
        write_atomic(root, "taken.html", "x")
    (root / "file").write_text("")
    with pytest.raises(StoreError):
        write_atomic(root, "a.csv", "x", folder="file")
    assert sorted(p.name for p in outside.iterdir()) == ["plan.html"]


def write_forever(folder: Path) -> None:
    for number in range(100_000):
        write_atomic(folder, "plan.html", f"{number % 10}" * 300_000)


def test_kill_9_never_leaves_half_a_report(tmp_path: Path) -> None:
    context, rng = multiprocessing.get_context("forkserver"), random.Random(3)
    write_atomic(tmp_path, "plan.html", "0" * 300_000)
    for _ in range(15):
        writer = context.Process(target=write_forever, args=(tmp_path,), daemon=True)
        writer.start()
        time.sleep(0.05 + rng.uniform(0, 0.05))
        text = (tmp_path / "plan.html").read_text()
        writer.kill()
        writer.join()
        for content in (text, (tmp_path / "plan.html").read_text()):
            assert content == content[0] * 300_000


def test_tables_hold_no_live_formula_and_numbers_stay_numbers() -> None:
    bad = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", '"=1', "＝1+1", "\n=1", "=HYPERLINK(\"x\")"]  # fmt: skip
    frame = pd.DataFrame(
        {
            "=name": [*bad, "shop", None],
            "loss": [-2.5] * 13 + [np.nan],
            "kind": pd.Categorical(["=x"] * 14),
            "amount": [Decimal("-1.10")] * 14,
            "at": pd.to_datetime(["2027-03-01"] * 13 + [None], utc=True),
            "day": pd.to_datetime(["2027-03-01"] * 13 + [None]),
        }
    )
    rows = list(csv.reader(io.StringIO(safe_csv(frame), newline="")))
    assert rows[0][0] == "'=name"
    assert [row[0] for row in rows[1:13]] == ["'" + text.replace("\r", "\n") for text in bad]
    assert rows[13] == ["shop", "-2.5", "'=x", "-1.10", "2027-03-01T00:00:00Z", "2027-03-01"]
    assert rows[14] == ["", "", "'=x", "-1.10", "", ""]
    assert frame["=name"].tolist()[:12] == bad


def test_the_frames_of_a_plan_are_written_as_files(tmp_path: Path) -> None:
    where = Path(CsvFrames(tmp_path).write(make_plan()))
    assert where == tmp_path / "data"
    assert {p.stem for p in where.iterdir()} == set(make_plan().frames())
    choices = pd.read_csv(where / "choices.csv")
    assert "'=1+1" in set(choices["service"])
    assert choices["bias"].tolist()[0] == -0.01


def test_warnings_are_appended_once_a_run(tmp_path: Path) -> None:
    path = tmp_path / "new" / "warnings.jsonl"
    assert append_warnings(path, [make_warning(1), make_warning(2), make_warning(1)]) == 2
    assert append_warnings(path, [make_warning(2), make_warning(3)]) == 1
    assert append_warnings(path, [make_warning(1, state="ongoing")]) == 1
    assert append_warnings(path, [make_warning(1, raised_at=PERIOD.end)]) == 1
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["id"] for line in lines] == ["w1", "w2", "w3", "w1", "w1"]
    assert lines[0]["service"] == "=shop\n"
    assert lines[0]["lead_time_needed_days"] is None
    assert lines[0]["raised_at"] == "2027-03-01T00:00:00Z"
    assert (lines[0]["severity"], lines[0]["period"]["label"], lines[0]["schema_version"]) == ("warning", "2027-03", 1)


def test_half_a_line_of_a_killed_run_is_replaced_and_other_text_refused(tmp_path: Path) -> None:
    path = tmp_path / "warnings.jsonl"
    append_warnings(path, [make_warning(1), make_warning(2)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    assert append_warnings(path, [make_warning(1), make_warning(2)]) == 1
    assert path.read_bytes() == whole
    path.write_bytes(whole + b"something else\n")
    with pytest.raises(StoreError, match=r"warnings\.jsonl:3"):
        append_warnings(path, [make_warning(3)])


def test_warnings_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert append_warnings(None, [make_warning(1), make_warning(2), make_warning(1)]) == 2
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["w1", "w2"]


def total_and_threads(batch: tuple[int, int]) -> tuple[int, str]:
    return sum(batch), os.environ.get("OMP_NUM_THREADS", "")


def write_into(array: np.ndarray) -> float:
    array[0] = 1.0
    return float(array.sum())


def leave(code: int) -> None:
    os._exit(code)


def fail(value: int) -> int:
    raise InputError(argument="value", came=value, allowed="another", try_instead="2")


def test_processes_give_what_one_process_gives_in_the_same_order() -> None:
    items = [(i, i * i) for i in range(7)]
    found = JoblibLoky(2).map(total_and_threads, items)
    assert [value for value, _ in found] == [value for value, _ in Serial().map(total_and_threads, items)]
    assert {threads for _, threads in found} == {"1"}
    arrays = [np.zeros(300_000), np.zeros(300_000)]
    assert JoblibLoky(2).map(write_into, arrays) == [1.0, 1.0]
    assert set(EXECUTORS) == {"serial", "joblib_loky"}


def test_a_killed_worker_and_an_error_in_one_are_told_apart() -> None:
    with pytest.raises(ForecastingError, match="fewer jobs"):
        JoblibLoky(2).map(leave, [3, 3])
    with pytest.raises(InputError, match="got 5"):
        JoblibLoky(2).map(fail, [5, 5])
    assert JoblibLoky(2).map(abs, [-1, -2]) == [1, 2]
    with pytest.raises(ForecastingError, match="1 or more"):
        JoblibLoky(0)


@pytest.mark.nightly
def test_mlflow_keeps_one_run_a_plan_in_a_real_database(tmp_path: Path) -> None:
    assert NoModelLog().log_backtests(make_plan()) is None
    folder = tmp_path / "a folder" / ".forecasting"
    log = MlflowSqlite(folder, experiment="airports [1]")
    where = log.log_backtests(make_plan())
    assert where is not None
    assert log.log_backtests(make_plan()) == where
    assert MlflowSqlite(folder, experiment="airports [1]").log_backtests(make_plan("fedcba9876543210")) != where
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    run = client.get_run(where.removeprefix("runs:/"))
    assert run.info.status == "FINISHED"
    assert run.data.params["seed"] == "1"
    assert run.data.params["as_of"] == "2027-03-01T00:00:00+00:00"
    assert run.data.metrics["shop/mase"] == 0.9
    assert run.data.metrics["breach/skill"] == 0.5
    assert "shop/sql_vs_naive" not in run.data.metrics
    services = {name.rsplit("/", 1)[0] for name in run.data.metrics} - {"breach"}
    assert len(services) == len(SERVICES)
    assert run.data.tags["chosen.shop"] == "ets"
    assert run.info.artifact_uri.startswith(folder.resolve().as_uri())
    found = list((folder / "mlflow-artifacts").rglob("model_choices.json"))
    assert len(found) == 2
    choices = json.loads(found[0].read_text())["choices"]
    assert [choice["service"] for choice in choices] == list(SERVICES)
    assert choices[0]["declined"][0][1]["reason"] == "9 days"
    assert sorted(p.name for p in tmp_path.rglob("*") if p.suffix in (".pkl", ".pickle", ".joblib")) == []


def test_a_foreign_model_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database " * 100)
    with pytest.raises(StoreError, match=r"mlflow\.db"):
        MlflowSqlite(tmp_path, experiment="x").log_backtests(make_plan())
    (tmp_path / "old").mkdir()
    with sqlite3.connect(tmp_path / "old" / "mlflow.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.execute("INSERT INTO alembic_version VALUES ('gone')")
    with pytest.raises(StoreError, match=r"mlflow\.db"):
        MlflowSqlite(tmp_path / "old", experiment="x").log_backtests(make_plan())
