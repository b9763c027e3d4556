"""Workspaces that share a PostgreSQL: the bytes of the embedded stores, several machines, nothing lost or doubled."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pandas as pd
import pytest
from conftest import quick, reports, run
from servers import PostgresServer, free_port, postgres

from forecasting.workspace.runs import reproduce, run_records
from forecasting.workspace.stores import Past

__all__ = ["postgres"]
VARIABLE = "TEST_WORKSPACE_STORE_URL"
EARLY, LATE = "2013-06-01", "2013-07-01"
MONTH = "2013-05"
CANARY = "c4n4ry-p4ssw0rd"
NUMBERS = itertools.count()
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["pandas", "psycopg", "sqlalchemy.dialects.postgresql", "forecasting.cli"])


def share(folder: Path) -> Path:
    """Let a project keep its rows and its ledger in the server that the variable names."""
    project = folder / "forecasting.yaml"
    text = project.read_text(encoding="utf-8")
    project.write_text(
        text.replace("  currency: USD\n", f"  currency: USD\n  storeUrlEnv: {VARIABLE}\n"), encoding="utf-8"
    )
    return folder


@pytest.fixture(scope="module")
def template(inputs: Path, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database in which one machine has ingested and planned June."""
    folder = tmp_path_factory.mktemp("first") / "w"
    shutil.copytree(inputs, folder)
    name = postgres.new_database()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, postgres.url(name))
        assert run("ingest", "-w", share(folder)).code == 0
        postgres.execute(f"CREATE DATABASE {name}_rows TEMPLATE {name}")
        quick(folder).plan(EARLY)
    assert not (folder / ".forecasting").exists(), "nothing is kept beside the server"
    yield name
    shutil.rmtree(folder)


@pytest.fixture
def planned(template: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of that database for one test."""
    name = f"{template}_{next(NUMBERS)}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    monkeypatch.setenv(VARIABLE, postgres.url(name))


@pytest.fixture
def ingested_only(template: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of that database before its first plan."""
    name = f"{template}_{next(NUMBERS)}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template}_rows")
    monkeypatch.setenv(VARIABLE, postgres.url(name))


@pytest.fixture
def machines(inputs: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two checkouts of the same project."""
    for name in "ab":
        shutil.copytree(inputs, tmp_path / name)
        share(tmp_path / name)
    return tmp_path / "a", tmp_path / "b"


def late_data(space: Path, hours: int = 5) -> None:
    """Correct the good flights of some hours of May in the source, and allow corrections."""
    rows = pd.read_csv(space / "metrics.csv", dtype=str)
    good = rows["departed_within_15_min"].fillna("0").astype(float).astype(int)
    chosen = rows.index[(rows["service"] == "lga") & rows["at"].str.startswith(f"{MONTH}-1") & (good > 1)][:hours]
    rows.loc[chosen, "departed_within_15_min"] = (good[chosen] - 1).astype(str)
    rows.to_csv(space / "metrics.csv", index=False)
    project = space / "forecasting.yaml"
    project.write_text(project.read_text().replace("layout: wide\n", "layout: wide\n      corrections: restate\n"))
    answer = run("ingest", "-w", space, "--json")
    assert answer.code == 0, answer.err
    assert answer.document["data"][0]["rows_restated"] == hours


# ---------------------------------------------------------------------- the same as with files
@pytest.mark.nightly
def test_a_shared_plan_has_the_bytes_of_an_embedded_one_and_is_recorded_once(
    ingested: Path, machines: tuple[Path, Path], planned: None, tmp_path: Path
) -> None:
    """The ledger has the plan from one machine; a second one makes it again."""
    shutil.copytree(ingested, tmp_path / "own")
    own, shared = quick(tmp_path / "own"), quick(machines[0])
    pd.testing.assert_frame_equal(own.metrics.read(), shared.metrics.read())
    before = shared.ledger.entries()
    one, other = own.plan(EARLY), shared.plan(EARLY)
    assert one.plan.manifest.run_id == other.plan.manifest.run_id
    assert reports(tmp_path / "own") == reports(machines[0])
    assert shared.ledger.entries() == before
    first, theirs = run_records(own)[0], run_records(shared)[0]
    assert first.files == theirs.files
    assert {e.key for e in shared.ledger.entries("input")} == set(theirs.inputs.values())
    assert shared.archive.get(theirs.inputs["forecasting.yaml"]) == (machines[0] / "forecasting.yaml").read_bytes()
    both = [
        [(e.sequence, e.kind, e.key, e.version, e.payload) for e in entries if e.kind not in ("run", "input")]
        for entries in (own.ledger.entries(), before)
    ]
    assert both[0] == both[1]
    assert len(both[0]) > 20
    assert not (machines[0] / ".forecasting").exists()
    table = [
        run("attainment", "-w", space.root, "--as-of", EARLY, "--json").document["data"] for space in (own, shared)
    ]
    assert table[0] == table[1]


# ---------------------------------------------------------------------- another machine
@pytest.mark.nightly
def test_another_machine_sees_verifies_and_reproduces(
    machines: tuple[Path, Path], planned: None, tmp_path: Path
) -> None:
    here, there = machines
    runs = run("ledger", "runs", "-w", there, "--json").document["data"]
    assert [r["as_of"][:10] for r in runs] == [EARLY]
    assert run("ledger", "verify", "-w", there).code == 0
    shown = run("ledger", "show", f"lga/-/lga-on-time/{MONTH}", "-w", there, "--json").document["data"]
    assert [(e["version"], e["payload"]["stage"]) for e in shown] == [(1, "final")]
    healthy = run("doctor", "-w", there, "--fail-on-findings")
    assert healthy.code == 0, healthy.out

    # Late data come in there, its catalogue is another one by now; the plan of here is made again there, bit for bit.
    late_data(there)
    for path in (there / "catalogue").glob("*.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("Port Authority", "Somebody else"), encoding="utf-8")
    quick(there).plan(LATE)
    answer = run("ledger", "reproduce", runs[0]["run_id"], "-w", there, "--out", tmp_path / "again", "--json")
    assert answer.code == 0, answer.out
    assert answer.document["data"]["same"]

    # And here the run of there, with the catalogue that was there.
    second = run_records(quick(here))[-1]
    assert second.run_id != runs[0]["run_id"]
    found = reproduce(quick(here), second.run_id, tmp_path / "theirs")
    assert found.same, found.different
    written = {name.partition("/")[2]: data for name, data in reports(there).items()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "theirs").glob("*.*")} == {
        name: data for name, data in written.items() if "/" not in name
    }
    restated = run("ledger", "restatements", "-w", here, "--json").document["data"]
    assert {r["reason"] for r in restated} == {"late data: 5 rows of departed_within_15_min of lga"}
    assert run("ledger", "verify", "-w", here).code == 0


def test_a_machine_with_older_rows_does_not_take_back_what_a_newer_batch_said(
    machines: tuple[Path, Path], planned: None
) -> None:
    here, there = machines
    early = quick(here)
    old = quick(here)
    behind = Past(metrics=old.metrics, ledger=old.ledger, batch=old.position()[0], sequence=old.position()[1])
    late_data(there)
    space = quick(there)
    assert space.close(space.delivered(LATE), LATE) > 0
    rows = early.ledger.entries("attainment")
    slow = type(old)(here, mlflow=False, settings=old.settings, past=behind)
    slow.close(slow.delivered(LATE), LATE)
    assert early.ledger.entries("attainment") == rows


# ---------------------------------------------------------------------- at the same time
def close_windows(url: str, folder: str, dates: list[str], batch: int | None, gate: Barrier) -> None:
    """Record the closed windows as `forecasting attainment --record` does, of the store after a batch."""
    os.environ[VARIABLE] = url
    space = quick(Path(folder))
    if batch is not None:
        past = Past(metrics=space.metrics, ledger=space.ledger, batch=batch, sequence=0)
        space = type(space)(folder, mlflow=False, settings=space.settings, past=past)
    found = {day: space.delivered(day) for day in dates}
    gate.wait(120)
    for day, what in found.items():
        space.close(what, day)


def together(url: str, work: list[tuple[Path, list[str], int | None]]) -> None:
    gate = PROCESSES.Barrier(len(work))
    workers = [
        PROCESSES.Process(target=close_windows, args=(url, str(folder), days, batch, gate))
        for folder, days, batch in work
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0] * len(workers)


def test_four_machines_record_the_same_windows_once(machines: tuple[Path, Path], ingested_only: None) -> None:
    spaces = [quick(folder) for folder in machines]
    rows = spaces[0].metrics.read()
    for number in range(3):  # three more batches that change nothing of the windows
        at = rows["at"].max() + pd.Timedelta(1 + number, "h")
        new = pd.DataFrame({"service": "lga", "metric": "cancelled", "at": at, "value": 0.0}, index=[1])
        spaces[0].metrics.append([(new, {})], source="more")
    assert spaces[0].position() == (4, 0)
    url = os.environ[VARIABLE]
    together(url, [(machines[n % 2], [EARLY], n + 1) for n in range(4)])
    entries = spaces[0].ledger.entries()
    assert spaces[0].ledger.verify() == ()
    assert entries == spaces[1].ledger.entries()
    assert [e.key for e in entries if e.version > 1] == []
    alone = spaces[0].delivered(EARLY)
    closed = sum(a.final or a.provisional for d in alone for a in d.attainments)
    assert len([e for e in entries if e.kind == "attainment"]) == closed > 20
    assert spaces[1].close(alone, EARLY) == 0


def plan_there(url: str, folder: str, days: list[str], seed: int, gate: Barrier) -> None:
    os.environ[VARIABLE] = url
    space = quick(Path(folder), seed=seed)
    gate.wait(120)
    for day in days:
        space.plan(day)


@pytest.mark.nightly
def test_four_machines_plan_at_the_same_time(inputs: Path, ingested_only: None, tmp_path: Path) -> None:
    url, days = os.environ[VARIABLE], [EARLY, "2013-06-15", LATE]
    folders = []
    for number in range(4):
        shutil.copytree(inputs, tmp_path / str(number))
        folders.append(share(tmp_path / str(number)))
    gate = PROCESSES.Barrier(4)
    workers = [
        PROCESSES.Process(target=plan_there, args=(url, str(folder), days, 1 + number // 2, gate))
        for number, folder in enumerate(folders)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(600)
    assert [worker.exitcode for worker in workers] == [0] * 4
    spaces = [quick(folder) for folder in folders]
    entries = spaces[0].ledger.entries()
    assert spaces[0].ledger.verify() == ()
    assert all(space.ledger.entries() == entries for space in spaces)
    windows = [e.key for e in entries if e.kind == "attainment"]
    assert len(windows) == len(set(windows)), "a window was recorded twice"
    runs = run_records(spaces[0])
    assert len(runs) == 6, "two seeds, three days"
    for number, made in enumerate(runs):
        other = spaces[(number + 1) % 4]
        assert reproduce(other, made.run_id, tmp_path / f"again-{number}").same


# ---------------------------------------------------------------------- what goes wrong
def test_without_its_variable_nothing_is_done(machines: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    for command in (("ingest",), ("attainment",), ("plan",), ("doctor",), ("ledger", "runs"), ("budget",)):
        answer = run(*command, "-w", machines[0])
        assert answer.code == 2, command
        assert f"environment variable {VARIABLE}" in answer.err
        assert "Traceback" not in answer.err
    assert not (machines[0] / ".forecasting").exists()


@pytest.mark.parametrize("wrong", ["password", "address", "database"])
def test_a_server_that_is_away_or_refuses_is_said_without_the_password(
    machines: tuple[Path, Path], postgres: PostgresServer, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = {
        "password": postgres.url(password=CANARY),
        "address": f"postgresql://admin:{CANARY}@127.0.0.1:{free_port()}/postgres",
        "database": postgres.url("nowhere"),
    }[wrong]
    monkeypatch.setenv(VARIABLE, address)
    said = {"password": "correct the user or the password", "address": "start it", "database": "CREATE DATABASE"}[wrong]
    answer = run("ingest", "-w", machines[0], "--json")
    assert answer.code == 2
    assert said in answer.err
    assert answer.document["error"]["argument"] == VARIABLE
    attempts = [answer]
    if wrong != "address":  # which is tried several times, by each command
        doctor = run("doctor", "-w", machines[0], "--json")
        found = {f["check"]: f for f in doctor.document["data"] if not f["ok"]}
        assert set(found) == {"metric store", "ledger"}, found
        assert all(said in f["detail"] + f["try_instead"] for f in found.values())
        more = [run(*command, "-w", machines[0]) for command in (("attainment",), ("plan",), ("ledger", "verify"))]
        assert [a.code for a in more] == [2, 2, 2]
        attempts += [doctor, *more]
    for attempt in attempts:
        for secret in (CANARY, postgres.password):
            assert secret not in attempt.out + attempt.err
        assert "Traceback" not in attempt.err
