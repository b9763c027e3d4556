"""`forecasting watch` and `forecasting warning` on real workspaces: told once, in order, through crashes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer, run
from prometheus_server import free_port
from servers import PostgresServer, postgres
from watch_workspace import QUICK, Forked, Hook, ask, begin, day_of, make_shops

from forecasting.adapters.store import PostgresLedger, SqliteLedger

__all__ = ["postgres"]

DAYS = (180, 185, 195, 206, 216, 231)
"""Days of data after which the story of the shops goes on: raised, missed, cleared, worsened, missed."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shops with all their rows in the store; copy it before changing anything."""
    folder = make_shops(tmp_path_factory.mktemp("shops") / "w", 260)
    assert run("ingest", "-w", folder).code == 0
    return folder


@pytest.fixture
def shops(made: Path, tmp_path: Path) -> Path:
    import shutil

    shutil.copytree(made, tmp_path / "w")
    return tmp_path / "w"


def with_hook(folder: Path, hook: Hook) -> None:
    project = folder / "forecasting.yaml"
    project.write_text(project.read_text(encoding="utf-8") + hook.line, encoding="utf-8")


def watch(folder: Path, day: int, *more: str) -> Answer:
    return run("watch", *QUICK, "--as-of", day_of(day), "-w", folder, *more)


def lines(folder: Path) -> list[str]:
    """Ids in the receiver's file."""
    path = folder / "notices.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line)["id"] for line in text.splitlines()]


def rows_of(folder: Path) -> list[Any]:
    return [(e.kind, e.key, e.version, e.sha256) for e in SqliteLedger(folder / ".forecasting" / "ledger.db").entries()]


@pytest.mark.nightly
@pytest.mark.usefixtures("quick_models")
def test_the_story_of_the_shops(shops: Path) -> None:
    with Hook(status=503) as hook:
        with_hook(shops, hook)
        first = watch(shops, DAYS[0], "--json")
        assert first.code == 3, "one receiver is down"
        data = first.document["data"]
        assert {n["kind"] for n in data["notices"]} == {"raised"}
        waiting = {r["name"]: (r["waiting"], bool(r["problem"])) for r in data["receivers"]}
        assert waiting == {"file": (0, False), "hook": (len(data["notices"]), True)}
        assert not data["complete"]
        told = [n["id"] for n in data["notices"]]
        assert lines(shops) == told, "the other one has been told"
        assert hook.keys == []

        again = watch(shops, DAYS[0], "--json").document["data"]
        assert again["notices"] == []
        assert lines(shops) == told
        assert again["standing"] == data["standing"]

        for day in DAYS[1:3]:
            answer = watch(shops, day)
            assert answer.code == 3
            assert "waiting" in answer.out
        before = rows_of(shops)
        hook.status = 200
        healed = watch(shops, DAYS[2])
        assert healed.code == 0, healed.err
        assert rows_of(shops) == before, "the same cut-off and data again: nothing new but what is delivered"
        assert hook.keys == lines(shops), "everything, in order, once"
        for day in (DAYS[4], 250):  # by then April is over, and met by one of the two
            assert watch(shops, day).code == 0
        assert hook.keys == lines(shops)
        kinds = Counter(one.split(":")[1] for one in lines(shops))
        assert kinds["breached"] >= 2
        assert kinds["resolved"] >= 1
        assert len(set(hook.keys)) == len(hook.keys)

    listed = run("warning", "list", "--all", "--json", "-w", shops).document["data"]
    verdicts = Counter(one["outcome"]["verdict"] for one in listed if one["outcome"])
    assert verdicts["true alarm"] >= 2
    assert verdicts["false alarm"] >= 1
    old = watch(shops, DAYS[0])
    assert old.code == 3
    assert "nobody was told anything" in old.err
    assert run("ledger", "verify", "-w", shops).code == 0


@pytest.mark.usefixtures("quick_models")
def test_people_answer(shops: Path) -> None:
    assert watch(shops, DAYS[0]).code == 0
    listed = run("warning", "list", "--json", "-w", shops).document["data"]
    assert [one["stage"] for one in listed] == ["new", "new"]
    first, second = (one["id"] for one in listed)

    said = run("warning", "act", first[:6], "--by", "Ada", "--note", "two more drivers", "-w", shops)
    assert said.code == 0, said.err
    assert "acting by Ada" in said.out
    told_off = run("warning", "false", second, "--by", "Ben", "-w", shops)
    assert told_off.code == 0, told_off.err
    twice = run("warning", "ack", second, "--by", "Ben", "-w", shops)
    assert twice.code == 2
    assert "stands" in twice.err
    assert lines(shops)[-1] != f"{second}:resolved:1"

    data = watch(shops, DAYS[0], "--json").document["data"]
    assert lines(shops)[-1] == f"{second}:resolved:1", "told that it is over"
    assert [w["state"] for w in data["standing"]] == ["acting"]
    assert "Ada" in run("warning", "list", "-w", shops).out

    watch(shops, DAYS[1])
    listed = run("warning", "list", "--all", "--json", "-w", shops).document["data"]
    outcome = next(one["outcome"] for one in listed if one["id"] == first)
    assert outcome["treated"]
    assert run("warning", "snooze", "nothing", "--by", "x", "--until", "2027-05-01", "-w", shops).code == 2
    standing = run("warning", "list", "--json", "-w", shops).document["data"]
    key = standing[0]["id"]
    past = run("warning", "snooze", key, "--by", "x", "--until", "2027-01-01", "-w", shops)
    assert past.code == 2
    asleep = run("warning", "snooze", key, "--by", "Ada", "--until", "2027-03-08", "-w", shops)
    assert asleep.code == 0, asleep.err
    assert "snoozed until 2027-03-08 00:00Z by Ada" in asleep.out
    plan_states = {w["id"]: w["state"] for w in watch(shops, DAYS[1], "--json").document["data"]["standing"]}
    assert plan_states[key] == "snoozed"
    versions = SqliteLedger(shops / ".forecasting" / "ledger.db").entries("alarm", key=key)
    assert [e.payload["stage"] for e in versions][-2:] == ["new", "snoozed"], "every answer stays in the ledger"


def test_a_second_watch_is_refused(shops: Path) -> None:
    with SqliteLedger(shops / ".forecasting" / "ledger.db").alone():
        answer = run("watch", "--once", "-w", shops, "--json")
    assert answer.code == 2
    assert "is watched already" in answer.err
    assert str(os.getpid()) in answer.err
    assert answer.document["error"]["argument"] == "watch"


@pytest.mark.parametrize(
    "arguments",
    [("--every", "5"), ("--every", "0s"), ("--every", "8d"), ("--every", "5m", "--once"), ("--consecutive", "0")],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], shops: Path) -> None:
    answer = run("watch", *arguments, "-w", shops)
    assert answer.code == 2
    assert "Traceback" not in answer.err


@pytest.mark.usefixtures("quick_models")
def test_a_broken_source_does_not_keep_back_what_waits(shops: Path) -> None:
    with Hook(status=500) as hook:
        with_hook(shops, hook)
        assert watch(shops, DAYS[0]).code == 3
        hook.status = 200
        (shops / "metrics.csv").write_text("not,a,table\n1\n", encoding="utf-8")
        answer = run("watch", "--once", "-w", shops)
        assert answer.code == 2
        assert hook.keys == lines(shops)


Begun = subprocess.Popen[str] | Forked


@pytest.fixture
def processes() -> Iterator[list[Begun]]:
    begun: list[Begun] = []
    yield begun
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


@pytest.mark.usefixtures("quick_models")
def test_it_goes_on_until_it_is_told_to_end(shops: Path, processes: list[Begun], tmp_path: Path) -> None:
    """New data, an answer and a receiver that comes back are noticed between and in cycles; SIGTERM ends it cleanly."""
    with Hook(status=503) as hook:
        with_hook(shops, hook)
        out, port, project = tmp_path / "out", free_port(), shops / "forecasting.yaml"
        served = ("--listen", f"127.0.0.1:{port}", "--textfile", tmp_path / "f.prom")
        watching = Forked(
            "watch", "--every", "1s", *served, "--json", *QUICK, "--as-of", day_of(DAYS[0]), "-w", shops, out=out
        )
        processes.append(watching)
        until(lambda: len(lines(shops)) == 2)
        second = run("watch", "-w", shops)
        assert second.code == 2
        assert f"process {watching.pid}" in second.err
        key, other = (line.split(":")[0] for line in lines(shops))
        assert run("warning", "false", key, "--by", "Ada", "-w", shops).code == 0
        until(lambda: len(lines(shops)) == 3)
        until(lambda: 'forecasting_receiver_waiting_notices{receiver="hook"} 3\n' in ask(port, "/metrics")[1])
        assert ask(port, "/healthz") == (200, "ok\n"), "a receiver that is down is no trouble of watch itself"
        good = project.read_text(encoding="utf-8")
        project.write_text("spec: [", encoding="utf-8")
        until(lambda: ask(port, "/healthz")[0] == 503)
        assert "forecasting.yaml" in ask(port, "/healthz")[1]
        assert "forecasting_cycle_failed 1\n" in ask(port, "/metrics")[1]
        assert other in ask(port, "/")[1], "the last page"
        hook.status = 200
        until(lambda: len(hook.keys) == 3)  # between two cycles, however those end
        project.write_text(good, encoding="utf-8")
        until(lambda: ask(port, "/healthz") == (200, "ok\n"))
        until(lambda: ask(port, "/metrics")[1] == (tmp_path / "f.prom").read_text(encoding="utf-8"))
        watching.send_signal(signal.SIGTERM)
        _, err = watching.communicate(timeout=30)
    assert watching.returncode == 0, err
    assert ask(port, "/healthz")[0] == 0, "the port is free again"
    documents = [json.loads(line)["data"] for line in out.read_text(encoding="utf-8").splitlines()]
    assert [d["computed"] for d in documents][:2] == [True, False], "the same data are not computed twice"
    assert sum(len(d["notices"]) for d in documents) == 2
    assert hook.keys == lines(shops)


def test_ended_in_the_middle_of_a_cycle_it_leaves_nothing_half_done(shops: Path, processes: list[Begun]) -> None:
    watching = begin("watch", "--once", *QUICK, "--as-of", day_of(DAYS[0]), "-w", shops)
    processes.append(watching)
    until(lambda: (shops / ".forecasting" / "watch.lock").exists())
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=60)
    assert watching.returncode == 0, err
    assert "Traceback" not in err


def test_states_and_outbox_in_a_shared_database(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, quick_models: None
) -> None:
    monkeypatch.setenv("SHOPS_STORE_URL", postgres.url())
    shops = make_shops(tmp_path / "w", DAYS[0] + 5)
    project = shops / "forecasting.yaml"
    project.write_text(project.read_text().replace("  zone: UTC\n", "  zone: UTC\n  storeUrlEnv: SHOPS_STORE_URL\n"))
    with Hook(status=503) as hook:
        with_hook(shops, hook)
        first = run("watch", "--paths", "200", "--jobs", "1", "--as-of", day_of(DAYS[0]), "-w", shops)
        assert first.code == 3, first.err
        assert len(lines(shops)) == 2
        key = lines(shops)[0].split(":")[0]
        assert run("warning", "false", key, "--by", "Ada", "-w", shops).code == 0
        with PostgresLedger("SHOPS_STORE_URL", namespace="shops").alone():
            second = run("watch", "-w", shops)
        assert second.code == 2
        assert "is watched already" in second.err
        hook.status = 200
        assert watch(shops, DAYS[0]).code == 0
        assert hook.keys == lines(shops)
        assert len(hook.keys) == 3
    assert not (shops / ".forecasting" / "ledger.db").exists()
    assert run("ledger", "verify", "-w", shops).code == 0


# ---------------------------------------------------------------- killed
Begin = Callable[..., Begun]


def story(folder: Path, days: tuple[int, ...], begun: Begin) -> list[str]:
    """What is told, in order, where nothing goes wrong."""
    for day in days:
        watching = begun("watch", *QUICK, "--as-of", day_of(day), "-w", folder)
        _, err = watching.communicate(timeout=120)
        assert watching.returncode == 0, err
    return lines(folder)


def killed_story(
    folder: Path, days: tuple[int, ...], hook: Hook, begun: Begin, *, kills: int, longest: float, seed: int
) -> tuple[int, int]:
    """Kill `watch` again and again on each day, then let it finish the day; return kills and kills in a request."""
    rng, done, inside = random.Random(seed), 0, 0
    shown = folder.parent / "shown.prom"
    for number, day in enumerate(days):
        share = kills // len(days) + (number < kills % len(days))
        arguments = (*QUICK, "--as-of", day_of(day), "-w", folder, "--textfile", shown)
        for turn in range(share):
            watching = begun("watch", "--every", "1s", *arguments)
            if turn in (1, 2):  # while a receiver is being told, before or after it has answered
                asked, before = threading.Event(), rng.random() < 0.5

                def shoot(process: Any = watching, asked: threading.Event = asked) -> None:
                    if not asked.is_set():
                        process.send_signal(signal.SIGKILL)
                        asked.set()

                hook.before_answer, hook.after_answer = (shoot, None) if before else (None, shoot)
                asked.wait(longest + 2)
                inside += asked.is_set()
                hook.before_answer = hook.after_answer = None
            else:
                time.sleep(rng.uniform(0.05, longest if turn else 0.7 * longest))
            watching.kill()
            watching.communicate()
            assert watching.returncode == -signal.SIGKILL, "it was killed, and had not ended by itself"
            done += 1
            whole_or_absent(folder / "reports" / "early-warnings.html", "</html>")
            whole_or_absent(shown, "} 1")
        watching = begun("watch", *arguments)
        _, err = watching.communicate(timeout=120)
        assert watching.returncode == 0, err
    return done, inside


def whole_or_absent(path: Path, end: str) -> None:
    """A file that a reader may look at at any moment has its end, or is not there yet."""
    text = path.read_text(encoding="utf-8").rstrip("\n") if path.exists() else end
    assert text.endswith(end), text[-200:]


def check_killed(
    made: Path, tmp_path: Path, begun: Begin, *, days: tuple[int, ...], kills: int
) -> tuple[int, int, int]:
    import shutil

    shutil.copytree(made, tmp_path / "whole")
    shutil.copytree(made, tmp_path / "killed")
    began = time.monotonic()
    expected = story(tmp_path / "whole", days, begun)
    longest = 1.3 * (time.monotonic() - began) / len(days)
    assert len(expected) >= 2
    with Hook() as hook:
        with_hook(tmp_path / "killed", hook)
        done, inside = killed_story(tmp_path / "killed", days, hook, begun, kills=kills, longest=longest, seed=kills)
    assert lines(tmp_path / "killed") == expected, "the file has everything, in order, once"
    assert hook.once == expected, "so has the webhook, which knows a notice by its id"
    again = len(hook.keys) - len(hook.once)
    assert again <= inside + 1, "only what was on its way when it was killed came again, under the same id"
    ledger = SqliteLedger(tmp_path / "killed" / ".forecasting" / "ledger.db")
    assert ledger.verify() == ()
    assert ledger.waiting() == ()
    whole = SqliteLedger(tmp_path / "whole" / ".forecasting" / "ledger.db")
    states, others = ({e.key: e.payload for e in one.newest("alarm")} for one in (ledger, whole))
    assert states == others, "the states are those of a watch that was never killed"
    return done, inside, again


@pytest.mark.usefixtures("quick_models")
def test_killed_four_times_nothing_is_lost_or_told_twice(made: Path, tmp_path: Path) -> None:
    done, inside, _ = check_killed(made, tmp_path, Forked, days=DAYS[:1], kills=4)
    assert done == 4
    assert inside >= 1, "at least one while a receiver was being told"


@pytest.mark.nightly
def test_killed_fifty_times_nothing_is_lost_or_told_twice(made: Path, tmp_path: Path) -> None:
    done, inside, again = check_killed(made, tmp_path, begin, days=DAYS, kills=50)
    assert done == 50
    assert inside >= 4
    print(f"{done} kills, {inside} of them while a receiver was being told, {again} notices came again")
