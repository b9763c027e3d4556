"""What `watch` shows beside the notices: the page, the file of metrics, the dashboard; also when a cycle fails."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import Answer, digest, run
from prometheus_server import MISSING, PROMTOOL, free_port
from watch_workspace import QUICK, day_of, make_shops

from forecasting.adapters.exposition import alert_rules, grafana_dashboard
from forecasting.terms.alarm import AlarmPolicy
from forecasting.terms.settings import Settings

DAYS = (180, 183, 185)
PROBABILITY = re.compile(
    r'^forecasting_breach_probability\{.*?objective="([^"]+)",window="current"\} (\S+)$', re.MULTILINE
)
pytestmark = pytest.mark.usefixtures("quick_models")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shops(tmp_path_factory.mktemp("shown") / "w", 200)
    assert run("ingest", "-w", folder).code == 0
    return folder


@pytest.fixture
def shops(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "w")
    return tmp_path / "w"


def watch(folder: Path, day: int, *more: object) -> Answer:
    return run("watch", *QUICK, "--as-of", day_of(day), "-w", folder, *more)


def page(folder: Path) -> str:
    return (folder / "reports" / "early-warnings.html").read_text(encoding="utf-8")


def test_the_page_has_what_stands_with_its_state_and_its_course(shops: Path) -> None:
    first = watch(shops, DAYS[0], "--json").document["data"]
    assert first["files"] == [str(shops / "reports" / "early-warnings.html")]
    standing = [w["id"] for w in first["standing"]]
    assert standing
    assert all(f'id="w-{key}"' in page(shops) for key in standing)
    assert 'class="course"' not in page(shops), "there is no course before the second evaluation"
    assert "a look back" in page(shops)
    assert "Sales" in page(shops), "customers are told by name"

    assert run("warning", "ack", standing[0], "--by", "Ada", "-w", shops).code == 0
    for day in DAYS[1:]:
        last = watch(shops, day, "--json").document["data"]
    # Each is a process's whole memory: what was said before comes from the ledger.
    points = {
        key: len(shown.split('<polyline points="')[1].split('"')[0].split())
        for key, shown in ((row.split('"')[0], row) for row in page(shops).split('<tbody id="w-')[1:])
        if "<polyline" in shown.split("</tbody>")[0]
    }
    kept = set(standing) & {w["id"] for w in last["standing"]}
    assert kept, "the story of the shops has one that stands on"
    assert {points[key] for key in kept} == {len(DAYS)}
    if standing[0] in kept:
        assert '<option value="0">acknowledged</option>' in page(shops)
    raised = next(w for w in last["standing"] if w["id"] in kept)
    assert f"{100 * raised['probability']:.0f} %" in page(shops)


def test_where_no_warning_stands_the_page_says_so_and_where_none_is_wanted_there_is_none(shops: Path) -> None:
    assert watch(shops, DAYS[0], "--raise-at", "1", "--no-page").code == 0
    assert not (shops / "reports").exists()
    answer = watch(shops, DAYS[0], "--raise-at", "1", "--json")
    assert answer.code == 0, answer.err
    assert answer.document["data"]["standing"] == []
    assert "No warning stands." in page(shops)


@pytest.mark.nightly
def test_the_level_is_that_of_the_command_line(shops: Path, tmp_path: Path) -> None:
    shutil.copytree(shops, tmp_path / "other")
    low = watch(shops, DAYS[0], "--raise-at", "0.05", "--json").document["data"]["standing"]
    level = max(w["probability"] for w in low)
    high = watch(tmp_path / "other", DAYS[0], "--raise-at", level, "--json").document["data"]["standing"]
    assert len(low) > len(high) >= 1
    assert all(w["probability"] >= level for w in high)
    answer = watch(shops, DAYS[0], "--raise-at", "1.5")
    assert answer.code == 2
    assert "raise_at" in answer.err


def test_the_usual_values_are_as_the_help_says() -> None:
    said = re.sub(r"[│\s]+", " ", run("watch", "--help").out)
    for option, value in (
        ("--raise-at", Settings().warn_at),
        ("--clear-share", AlarmPolicy(raise_at=0.5).clear_share),
        ("--lead-days", Settings().required_lead_days),
    ):
        found = re.search(rf"{option} .*?\[default: \(([0-9.]+)\)\]", said)
        assert found is not None, option
        assert float(found[1]) == value


def test_metrics_for_the_textfile_collector(shops: Path, tmp_path: Path) -> None:
    path = tmp_path / "metrics" / "forecasting.prom"
    standing = watch(shops, DAYS[0], "--textfile", path, "--json").document["data"]["standing"]
    text = path.read_text(encoding="utf-8")
    said = {objective: float(p) for objective, p in PROBABILITY.findall(text)}
    current = {w["objective"]: w["probability"] for w in standing if w["period"]["label"] == "2027-02"}
    assert current
    assert current.items() <= said.items()
    assert "forecasting_cycle_failed 0\n" in text
    assert 'forecasting_receiver_waiting_notices{receiver="file"} 0\n' in text
    took = re.search(r"^forecasting_cycle_duration_seconds (\S+)$", text, re.MULTILINE)
    assert took is not None
    assert 0.01 < float(took[1]) < 120
    assert [p.name for p in path.parent.iterdir()] == ["forecasting.prom"]

    # A cycle that fails does not look as if nothing stood any more.
    project = shops / "forecasting.yaml"
    good = project.read_text(encoding="utf-8")
    for bad in ("spec: [", good.replace("notifiers:", "notifyers:")):
        project.write_text(bad, encoding="utf-8")
        assert watch(shops, DAYS[1], "--textfile", path).code == 2
        failed = path.read_text(encoding="utf-8")
        assert "forecasting_cycle_failed 1\n" in failed
        assert {o: float(p) for o, p in PROBABILITY.findall(failed)} == said
        assert 'forecasting_warnings{severity="info"}' in failed
    if PROMTOOL and not MISSING:
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=failed, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    project.write_text(good, encoding="utf-8")
    assert watch(shops, DAYS[1], "--textfile", path).code == 0
    healed = path.read_text(encoding="utf-8")
    assert "forecasting_cycle_failed 0\n" in healed
    assert {o: float(p) for o, p in PROBABILITY.findall(healed)} != said


def test_a_foreign_file_of_metrics_is_not_believed(shops: Path, tmp_path: Path) -> None:
    path = tmp_path / "forecasting.prom"
    path.write_text(
        'forecasting_breach_probability{service="north",window="current"} 0.5\nother_metric 7\n'
        'forecasting_breach_probability{service="north" 0.5\nforecasting_cycle_failed nothing\n\x00\xff',
        encoding="latin-1",
    )
    (shops / "forecasting.yaml").write_text("spec: [", encoding="utf-8")
    assert watch(shops, DAYS[0], "--textfile", path).code == 2
    samples = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert samples[0] == 'forecasting_breach_probability{service="north",window="current"} 0.5'
    assert {line.split(" ")[0] for line in samples[1:]} == {
        "forecasting_cycle_end_timestamp_seconds", "forecasting_cycle_duration_seconds", "forecasting_cycle_failed",
    }  # fmt: skip


def test_what_cannot_be_written_keeps_nobody_from_being_told(shops: Path, tmp_path: Path) -> None:
    (shops / "reports").write_text("a file where the folder should be", encoding="utf-8")
    path = tmp_path / "forecasting.prom"
    answer = watch(shops, DAYS[0], "--textfile", path, "--json")
    assert answer.code == 3
    data = answer.document["data"]
    assert data["delivered"] == len(data["notices"]) >= 1
    assert data["files"] == [str(path)], "the hook after the one that failed was called"
    assert len(data["problems"]) == 1
    assert "early-warnings.html" in data["problems"][0]
    assert "forecasting_cycle_failed 1\n" in path.read_text(encoding="utf-8"), "it hears of the trouble before it"
    assert "early-warnings.html" in answer.err


def test_a_source_that_does_not_answer_is_trouble_and_the_rest_goes_on(shops: Path, tmp_path: Path) -> None:
    project, path = shops / "forecasting.yaml", tmp_path / "f.prom"
    where = f"url: 'http://127.0.0.1:{free_port()}', queries: catalogue, since: 2027-01-01T00:00:00Z"
    server = f"    - {{name: mon, kind: prometheus, {where}}}\n"
    project.write_text(project.read_text(encoding="utf-8").replace("  notifiers:\n", server + "  notifiers:\n"))
    answer = run("watch", "--paths", "200", "--jobs", "1", "--as-of", day_of(DAYS[0]), "-w", shops, "--textfile", path)
    assert answer.code == 3, answer.err
    assert "mon was left out" in answer.err
    assert " standing, " in answer.out
    assert (shops / "notices.jsonl").exists(), "people are told of what the other sources say"
    text = path.read_text(encoding="utf-8")
    assert "forecasting_cycle_failed 1\n" in text
    assert "forecasting_breach_probability{" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--textfile", "metrics.txt"), "ends in .prom"),
        (("--textfile", "a b.prom"), "ends in .prom"),
        (("--listen", "127.0.0.1:0"), "with --every"),
        (("--every", "5m", "--listen", "9464"), "host:port"),
        (("--every", "5m", "--listen", "192.0.2.1:0"), "an address of this machine"),
        (("--dashboard", "d", "--every", "5m"), "--dashboard without --every"),
        (("--replay", "--every", "5m"), "--replay without --every"),
        (("--replay", "--textfile", "x.prom"), "--replay without --textfile"),
        (("--clear-share", "0"), "clear_share"),
        (("--lead-days", "-1"), "required_lead_days"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_done(
    arguments: tuple[str, ...], says: str, shops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = digest(shops / "reports") if (shops / "reports").exists() else ""
    answer = run("watch", *QUICK, "--as-of", day_of(DAYS[0]), *arguments, "-w", shops)
    assert answer.code == 2, answer.out
    assert says in answer.err
    assert "Traceback" not in answer.err
    assert not (shops / "notices.jsonl").exists()
    assert (digest(shops / "reports") if (shops / "reports").exists() else "") == before


def test_the_dashboard_and_the_rules_are_written_and_nothing_else(tmp_path: Path) -> None:
    answer = run("watch", "--dashboard", tmp_path / "grafana", "-w", tmp_path / "no-workspace")
    assert answer.code == 0, answer.err
    folder = tmp_path / "grafana"
    assert answer.out.splitlines() == [str(folder / "dashboard.json"), str(folder / "forecasting-rules.yml")]
    assert (folder / "dashboard.json").read_text(encoding="utf-8") == grafana_dashboard()
    assert (folder / "forecasting-rules.yml").read_text(encoding="utf-8") == alert_rules()
    again = run("watch", "--dashboard", folder, "--json").document
    assert json.dumps(again["data"]["files"]) == json.dumps([str(p) for p in sorted(folder.iterdir())])
