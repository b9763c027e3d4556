"""The ledger through the workspace: closed windows once, late data restated with a reason, past reports made again."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from conftest import digest, quick, reports, run

from forecasting.terms.errors import InputError, StoreError
from forecasting.terms.restatement import Stage
from forecasting.workspace.runs import reproduce, run_records

EARLY, LATE = "2013-06-01", "2013-07-01"
MONTH = "2013-05"


@pytest.fixture(scope="module")
def planned(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a plan of June; copy it before changing anything."""
    folder = tmp_path_factory.mktemp("ledger") / "w"
    shutil.copytree(ingested, folder)
    quick(folder).plan(EARLY)
    return folder


@pytest.fixture
def space(planned: Path, tmp_path: Path) -> Path:
    shutil.copytree(planned, tmp_path / "w")
    return tmp_path / "w"


def late_data(space: Path, *, service: str = "lga", hours: int = 5) -> None:
    """Correct the good flights of some hours of May in the source, and allow corrections."""
    rows = pd.read_csv(space / "metrics.csv")
    busy = (rows["service"] == service) & rows["at"].str.startswith(f"{MONTH}-1") & (rows["departed_within_15_min"] > 1)
    chosen = rows.index[busy][:hours]
    rows["departed_within_15_min"] = rows["departed_within_15_min"].astype("Int64")
    rows.loc[chosen, "departed_within_15_min"] -= 1
    for name in ("scheduled_departures", "cancelled"):
        rows[name] = rows[name].astype("Int64")
    rows.to_csv(space / "metrics.csv", index=False)
    project = space / "forecasting.yaml"
    project.write_text(project.read_text().replace("layout: wide\n", "layout: wide\n      corrections: restate\n"))
    assert run("ingest", "-w", space).code == 0


def change_ledger(space: Path, change: str) -> None:
    """Change rows of the ledger behind its back."""
    connection = sqlite3.connect(space / ".forecasting" / "ledger.db")
    connection.execute("DROP TRIGGER ledger_no_update")
    connection.execute(f"UPDATE ledger SET {change}")
    connection.commit()
    connection.close()


def record(space: Path, as_of: str, *, reason: str = "") -> None:
    """Make a plan and record it, without drawing its report: what is looked at is the ledger."""
    made = quick(space)
    made.record(made.compute(as_of), reason=reason)


def rows_of(space: Path, label: str = MONTH) -> dict[str, list[tuple[int, str, object, str]]]:
    """Return (version, stage, good, reason) of a month's attainments by key."""
    found: dict[str, list[tuple[int, str, object, str]]] = {}
    for e in quick(space).ledger.entries("attainment"):
        if e.key.endswith(f"/{label}"):
            p = e.payload
            found.setdefault(e.key, []).append((e.version, str(p["stage"]), p["good"], str(p["reason"])))
    return found


def test_every_closed_window_is_recorded_once_and_final(space: Path) -> None:
    found = rows_of(space)
    assert len(found) >= 3
    assert all(len(versions) == 1 and versions[0][:2] == (1, "final") for versions in found.values())
    record(space, LATE)
    assert rows_of(space) == found
    assert len(rows_of(space, "2013-06")) == len(found)


@pytest.mark.nightly  # by day: the restatements by the command line, below
def test_late_data_restate_with_the_rows_that_came_and_keep_the_old_value(space: Path) -> None:
    before = rows_of(space)
    late_data(space)
    result = quick(space).plan(LATE)
    after = rows_of(space)
    changed = {key for key in after if len(after[key]) == 2}
    # What reads the corrected metric changes; other metrics and the carrier do not.
    assert changed == {key for key in after if key.startswith("lga/") and "on-time" in key}
    for key in changed:
        (_, _, good, _), (version, stage, corrected, reason) = after[key]
        assert after[key][0] == before[key][0]
        assert (version, stage, corrected) == (2, Stage.RESTATED.value, int(str(good)) - 5)
        assert reason == "late data: 5 rows of departed_within_15_min of lga"
    # The report says so, and a second plan of the same day says the same in the same bytes.
    assert {r.objective for r in result.plan.restatements} == {key.split("/")[2] for key in changed}
    text = Path(result.files["markdown"]).read_text(encoding="utf-8")
    section = text.split("What changed in the record", 1)[1].split("\n## ", 1)[0]
    assert "5 rows of departed" in section
    written = reports(space)
    quick(space).plan(LATE)
    assert reports(space) == written
    assert rows_of(space) == after


def test_restatements_are_listed_by_the_command_line(space: Path) -> None:
    assert "no final attainment was ever replaced" in run("ledger", "restatements", "-w", space).out
    late_data(space)
    record(space, LATE, reason="carrier corrected its log")
    answer = run("ledger", "restatements", "-w", space, "--json")
    assert {r["reason"] for r in answer.document["data"]} == {
        "carrier corrected its log; late data: 5 rows of departed_within_15_min of lga"
    }
    shown = run("ledger", "show", f"lga/-/lga-on-time/{MONTH}", "-w", space, "--json")
    assert [e["version"] for e in shown.document["data"]] == [1, 2]
    then = run("ledger", "show", f"lga/-/lga-on-time/{MONTH}", "-w", space, "--as-of", EARLY, "--json")
    assert [e["version"] for e in then.document["data"]] == [1], "what was said with the data of then"
    assert run("ledger", "verify", "-w", space).code == 0


def test_without_leave_to_correct_nothing_changes(space: Path) -> None:
    rows = pd.read_csv(space / "metrics.csv")
    rows.loc[rows.index[10], "cancelled"] = 1 + rows.loc[rows.index[10], "cancelled"]
    rows.to_csv(space / "metrics.csv", index=False)
    before = quick(space).metrics.read()
    answer = run("ingest", "-w", space)
    assert answer.code == 2
    assert "the value that is stored" in answer.err
    pd.testing.assert_frame_equal(quick(space).metrics.read(), before)


def test_a_changed_target_is_named_as_the_reason(space: Path) -> None:
    path = space / "catalogue" / "objectives.yaml"
    text = path.read_text(encoding="utf-8")
    found = re.subn(r"(name: lga-on-time\b[\s\S]*?target(?:Percent)?: )[0-9.]+", r"\g<1>0.705", text, count=1)
    assert found[1] == 1
    path.write_text(found[0].replace("targetPercent: 0.705", "targetPercent: 70.5"), encoding="utf-8")
    record(space, LATE)
    versions = rows_of(space)[f"lga/-/lga-on-time/{MONTH}"]
    assert [v[1] for v in versions] == ["final", "restated"]
    assert versions[1][3] == "the objective was changed in the catalogue"


@pytest.mark.nightly
def test_a_run_with_an_earlier_cut_off_does_not_touch_what_a_later_one_recorded(space: Path) -> None:
    late_data(space)
    quick(space).plan(LATE)
    recorded = rows_of(space)
    quick(space).plan(EARLY)
    assert rows_of(space) == recorded


@pytest.mark.nightly
def test_grace_keeps_a_month_provisional_until_it_is_over(ingested: Path, tmp_path: Path) -> None:
    shutil.copytree(ingested, tmp_path / "w")
    agreements = tmp_path / "w" / "catalogue" / "agreements.yaml"
    text = agreements.read_text(encoding="utf-8")
    agreements.write_text(text.replace("  kind: SLA\n", "  kind: SLA\n  grace: 5d\n"), encoding="utf-8")
    quick(tmp_path / "w").plan(EARLY)
    agreed = [v for key, v in rows_of(tmp_path / "w").items() if "/-/" not in key]
    assert agreed
    assert all([stage for _, stage, _, _ in versions] == ["provisional"] for versions in agreed)
    quick(tmp_path / "w").plan("2013-06-06")
    agreed = [v for key, v in rows_of(tmp_path / "w").items() if "/-/" not in key]
    assert all([stage for _, stage, _, _ in versions] == ["provisional", "final"] for versions in agreed)


# ---------------------------------------------------------------------- past reports
@pytest.mark.nightly  # by day: test_cli_ledger, one report of a small workspace
def test_a_past_report_comes_out_again_bit_for_bit_whatever_happened_since(space: Path, tmp_path: Path) -> None:
    first = run_records(quick(space))[0]
    original = reports(space)
    late_data(space)
    quick(space).plan(LATE)
    for path in (space / "catalogue").glob("*.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("Port Authority", "Somebody else"), encoding="utf-8")
    found = reproduce(quick(space), first.run_id[:6], tmp_path / "again")
    assert found.same
    assert set(found.equal) == set(first.files)
    again = {
        p.relative_to(tmp_path / "again").as_posix(): p.read_bytes()
        for p in (tmp_path / "again").rglob("*")
        if p.is_file()
    }
    kept = {name.removeprefix("2013-06-01/"): data for name, data in original.items()}
    assert {name: data for name, data in again.items() if name in kept} == kept
    before = digest(space)
    later = reproduce(quick(space), run_records(quick(space))[-1].run_id, tmp_path / "later")
    assert later.same
    assert digest(space) == before


def test_a_report_that_cannot_be_made_again_is_refused_with_the_reason(space: Path, tmp_path: Path) -> None:
    run_id = run_records(quick(space))[0].run_id
    with pytest.raises(InputError, match=r"run: got 'nothing'"):
        reproduce(quick(space), "nothing", tmp_path / "a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(InputError, match="an empty or new folder"):
        reproduce(quick(space), run_id, tmp_path / "full")
    change_ledger(space, "payload = replace(payload, 'kind: Project', 'kind: project') WHERE kind = 'input'")
    with pytest.raises(StoreError, match="changed since it was kept"):
        reproduce(quick(space), run_id, tmp_path / "b")


def test_a_run_of_another_version_is_refused_unless_forced(
    space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from forecasting.workspace import workspace as module

    run_id = run_records(quick(space))[0].run_id
    monkeypatch.setattr(module, "code_version", lambda: "9.9.9+00000000")
    with pytest.raises(InputError, match=r"code 9\.9\.9\+00000000 instead of"):
        reproduce(quick(space), run_id, tmp_path / "a")
    forced = reproduce(quick(space), run_id, tmp_path / "a", force=True)
    assert not forced.same  # the report prints the version


def test_a_changed_row_is_found_and_said(space: Path) -> None:
    change_ledger(space, "payload = replace(payload, '\"met\"', '\"breached\"') WHERE kind = 'attainment'")
    answer = run("ledger", "verify", "-w", space, "--json")
    assert answer.code == 1
    assert answer.document["data"]["ledger"]
    assert run("doctor", "-w", space, "--fail-on-findings").code == 1
