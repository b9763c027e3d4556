"""The register on small workspaces: decisions survive runs, one of two deciders wins, nothing acknowledged is lost."""

from __future__ import annotations

import csv
import multiprocessing
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from conftest import quick, run
from proposals_by_hand import option, proposal
from watch_workspace import make_shops

from forecasting import Workspace
from forecasting.terms.errors import ForecastingError, InputError
from forecasting.terms.proposal import Proposal
from forecasting.terms.proposal import ProposalState as S
from forecasting.workspace.records import as_row
from forecasting.workspace.register import (
    decide_proposal,
    history,
    measure_proposal,
    move_proposal,
    register_rows,
    score_past,
)

PROCESSES = multiprocessing.get_context("fork")


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shops(tmp_path_factory.mktemp("register") / "w", 330)  # up to 27 July 2027
    assert run("ingest", "-w", folder).code == 0
    assert run("attainment", "-w", folder, "--record").code == 0
    return folder


@pytest.fixture
def place(shops: Path, tmp_path: Path) -> Path:
    shutil.copytree(shops, tmp_path / "w")
    return tmp_path / "w"


def made(space: Workspace, p: Proposal, day: str) -> None:
    """Record a proposal as a run of that cut-off does."""
    space.ledger.record("proposal", [(p.id, as_row(replace(p, data_cut_off=at(day))))], as_of=at(day), run_id=day)


def state(space: Workspace, as_of: str = "2027-05-01") -> S:
    (row,) = register_rows(space, as_of)
    return row.entry.state


def test_a_rejected_proposal_stays_rejected_until_its_problem_changes_materially(place: Path) -> None:
    space = quick(place)
    made(space, proposal(0.40), "2027-04-01")
    decide_proposal(space, "P-1", S.REJECTED, by="Ann", why="no budget", as_of="2027-04-01")
    made(space, proposal(0.45), "2027-04-10")
    assert state(space) is S.REJECTED
    made(space, proposal(0.52), "2027-04-20")
    (row,) = register_rows(space, "2027-05-01")
    assert (row.entry.state, row.entry.round) == (S.PROPOSED, 2)
    assert row.entry.why == "proposed again after it was rejected: P(miss) has risen from 40 % to 52 %"
    decide_proposal(space, "P-1", S.APPROVED, by="Bo", why="now", due=date(2027, 6, 1), as_of="2027-05-01")
    assert [(e.state, e.round) for e in history(space.ledger, "P-1")] == [
        (S.PROPOSED, 1), (S.REJECTED, 1), (S.PROPOSED, 2), (S.APPROVED, 2)
    ]  # fmt: skip
    assert space.ledger.verify() == ()


def test_a_decision_keeps_the_figures_it_was_about_and_says_what_changed(place: Path) -> None:
    space = quick(place)
    made(space, proposal(0.40), "2027-04-01")
    decide_proposal(space, "P-1", S.APPROVED, by="Ann", why="pays", due=date(2027, 4, 20), as_of="2027-04-01")
    made(space, proposal(0.70), "2027-05-01")
    (row,) = register_rows(space, "2027-05-01")
    assert row.entry.state is S.APPROVED
    assert row.entry.proposal.probability_now == 0.40
    assert row.changed == "P(miss) has risen from 40 % to 70 %"
    assert row.late == "due 2027-04-20, 11 days ago"


def test_what_was_decided_meanwhile_stands(place: Path) -> None:
    """The second one read the state before the first one's decision was recorded."""
    from forecasting.proposals.register import decide
    from forecasting.workspace.register import change_entry

    space, other = quick(place), quick(place)
    made(space, proposal(0.4), "2027-04-01")

    def late(entry, today):  # type: ignore[no-untyped-def]
        if state(other) is S.PROPOSED:
            decide_proposal(other, "P-1", S.APPROVED, by="Ann", why="first", due=date(2027, 6, 1), as_of="2027-04-01")
        return decide(entry, S.REJECTED, by="Bo", at=at("2027-04-01"), why="second", today=today)

    with pytest.raises(InputError, match="approved meanwhile by Ann"):
        change_entry(space, "P-1", late, as_of="2027-04-01")
    assert [e.state for e in history(space.ledger, "P-1")] == [S.PROPOSED, S.APPROVED]


def _decide(folder: Path, name: str, barrier: Barrier, answers: multiprocessing.Queue[str]) -> None:
    space = quick(folder)
    barrier.wait(60)
    try:
        decide_proposal(space, "P-1", S.APPROVED, by=name, why="x", due=date(2027, 6, 1), as_of="2027-04-01")
        answers.put("decided")
    except ForecastingError as error:
        answers.put(str(error))


def test_of_processes_that_decide_at_the_same_time_one_wins(place: Path) -> None:
    made(quick(place), proposal(0.4), "2027-04-01")
    barrier, answers = PROCESSES.Barrier(4), PROCESSES.Queue()
    workers = [PROCESSES.Process(target=_decide, args=(place, f"n{k}", barrier, answers)) for k in range(4)]
    for worker in workers:
        worker.start()
    said = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert said.count("decided") == 1, said
    assert all("approved" in text for text in said if text != "decided"), said
    assert [e.state for e in history(quick(place).ledger, "P-1")] == [S.PROPOSED, S.APPROVED]


def _many(folder: Path, acknowledge: multiprocessing.connection.Connection) -> None:
    space = quick(folder)
    for k in range(1000):
        decide_proposal(space, f"P-{k:04d}", S.REJECTED, by="Ann", why="x", as_of="2027-04-01")
        acknowledge.send(f"P-{k:04d}")


def _sent(ours: multiprocessing.connection.Connection) -> Iterator[str]:
    try:
        while True:
            yield ours.recv()
    except EOFError:
        return


def test_kill_9_loses_no_acknowledged_decision(place: Path) -> None:
    space = quick(place)
    rows = [(f"P-{k:04d}", as_row(replace(proposal(0.4), id=f"P-{k:04d}"))) for k in range(40)]
    space.ledger.record("proposal", rows, as_of=at("2027-04-01"), run_id="r")
    ours, theirs = PROCESSES.Pipe(duplex=False)
    worker = PROCESSES.Process(target=_many, args=(place, theirs))
    worker.start()
    theirs.close()
    first = [ours.recv() for _ in range(3)]
    worker.kill()
    done = {*first, *_sent(ours)}
    worker.join()
    kept = {r.entry.id for r in register_rows(quick(place)) if r.entry.state is S.REJECTED}
    assert done <= kept
    assert len(kept) <= len(done) + 1
    assert space.ledger.verify() == ()


def test_an_outcome_needs_a_whole_judged_window_after_it_was_implemented(place: Path) -> None:
    space = quick(place)
    made(space, proposal(0.4), "2027-04-01")
    decide_proposal(space, "P-1", S.APPROVED, by="Ann", why="x", due=date(2027, 5, 1), as_of="2027-04-01")
    move_proposal(space, "P-1", S.IN_PROGRESS, by="Bo", on=date(2027, 4, 2))
    move_proposal(space, "P-1", S.IMPLEMENTED, by="Bo", on=date(2027, 6, 2), cost=120.0)
    with pytest.raises(InputError, match="no judged window since 2027-06-02"):
        measure_proposal(space, "P-1", by="Bo")  # June began before; July runs
    assert state(space, "2027-07-01") is S.IMPLEMENTED
    space = quick(place)
    made(space, replace(proposal(0.4), id="P-2"), "2027-04-01")
    decide_proposal(space, "P-2", S.APPROVED, by="Ann", why="x", due=date(2027, 5, 1), as_of="2027-04-01")
    move_proposal(space, "P-2", S.IN_PROGRESS, by="Bo", on=date(2027, 4, 2))
    move_proposal(space, "P-2", S.IMPLEMENTED, by="Bo", on=date(2027, 5, 1))
    row = measure_proposal(space, "P-2", by="Bo", cost=130.0)
    found = row.entry.proposal.outcome
    assert found is not None
    assert (found.windows, found.measured_from, found.measured_to) == (2, date(2027, 5, 1), date(2027, 6, 30))
    recorded = {e.key: e.payload["status"] for e in space.ledger.newest("attainment")}
    missed = sum(recorded[f"north/sla-north/north-in-time/2027-0{m}"] == "breached" for m in (5, 6))
    assert found.missed == missed
    assert row.entry.state is (S.FAILED if missed else S.VERIFIED)
    assert found.actual_cost == 130.0
    scored = {s.id: s for s in score_past(space).scores}
    verdict = recorded["north/sla-north/north-in-time/2027-06"] == "breached"
    assert (scored["P-2"].stated, scored["P-2"].missed) == (0.1, verdict)


def test_the_command_line_from_proposal_to_score(place: Path) -> None:
    common = ("-w", place)
    space = quick(place)
    hostile = replace(proposal(0.4), title="=cmd|' /C calc'!A0", owner="@all <script>")
    made(space, hostile, "2027-04-01")
    assert run("register", "list", *common, "--as-of", "2027-04-01").code == 0
    bad = (
        ("decide", "P-9", "approve", "--by", "Ann", "--why", "x"),
        ("decide", "P-1", "approve", "--by", "Ann", "--why", " "),
        ("decide", "P-1", "approve", "--by", "Ann", "--why", "x", "--due", "tomorrow"),
        ("decide", "P-1", "approve", "--by", "Ann", "--why", "x", "--option", "7"),
        ("decide", "P-1", "reopen", "--by", "Ann", "--why", "x"),
        ("outcome", "P-1", "start", "--by", "Ann"),
        ("outcome", "P-1", "measured", "--by", "Ann"),
        ("register", "list", "--state", "nonsense"),
        ("register", "list", "--csv", "../out.csv"),
        ("register", "list", "--tickets", "/tmp/elsewhere"),
        ("register", "list", "--csv", ".forecasting/ledger.db"),
        ("register", "show", "P-9"),
    )
    head = space.ledger.head()
    for line in bad:
        answer = run(*line, *common)
        assert (answer.code, answer.out) == (2, ""), (line, answer)
        assert "Traceback" not in answer.err
    assert space.ledger.head() == head
    answer = run("decide", "P-1", "amend", "--by", "Ann", "--why", "cheaper", "--option", "2", *common,
                 "--as-of", "2027-04-01", "--json")  # fmt: skip
    assert answer.document["data"]["state"] == "amended", answer
    answer = run("decide", "P-1", "approve", "--by", "Bo", "--why", "go", "--due", "2027-05-01", *common,
                 "--as-of", "2027-04-01")  # fmt: skip
    assert answer.code == 0, answer.err
    assert "Add one" in answer.out, "approving what was amended keeps the other option"
    late = run("register", "list", "--overdue", "--fail-on-overdue", "--as-of", "2027-06-01", *common)
    assert late.code == 1
    assert "due 2027-05-01, 31" in " ".join(late.out.split())
    files = run("register", "list", *common, "--csv", "reports/register.csv", "--tickets", "reports/tickets", "--json")
    assert files.code == 0, files.err
    (cells,) = csv.DictReader((place / "reports" / "register.csv").open(encoding="utf-8"))
    assert cells["title"] == "'=cmd|' /C calc'!A0"
    assert cells["owner"] == "'@all <script>"
    ticket = (place / "reports" / "tickets" / "P-1.md").read_text(encoding="utf-8")
    assert "<script>" not in ticket
    shown = run("register", "show", "P-1", *common)
    assert shown.code == 0, shown.err
    assert "approved by Bo: go" in shown.out
    scored = run("register", "score", *common)
    assert scored.code == 0, scored.err
    assert "1 statements on 1 windows" in scored.out


def test_nothing_to_score_is_a_partial_result(place: Path) -> None:
    answer = run("register", "score", "-w", place)
    assert (answer.code, answer.out) == (3, "no proposal was recorded yet\n")
    assert run("register", "list", "-w", place).code == 0


@pytest.mark.usefixtures("quick_models")
def test_propose_keeps_its_proposals_and_again_changes_nothing(place: Path) -> None:
    common = ("propose", "-w", place, "--as-of", "2027-06-01", "--paths", "200", "--jobs", "1")
    first = run(*common, columns=100)
    assert first.code == 0, first.err
    assert max(map(len, first.out.splitlines())) <= 100
    assert "Decide by" in first.out
    head = quick(place).ledger.head()
    again = run(*common, "--json")
    assert {row["state"] for row in again.document["data"]} == {"proposed"}
    assert quick(place).ledger.head() == head
    folder = place / "reports" / "proposals" / "2027-06-01"
    assert {p.suffix for p in folder.iterdir()} >= {".json", ".csv", ".md"}
    rows = register_rows(quick(place), "2027-06-01")
    assert rows
    assert all(row.entry.state is S.PROPOSED and row.raised_last for row in rows)
    chosen = rows[0].entry.id
    done = run("decide", chosen, "reject", "--by", "Ann", "--why", "no", "-w", place, "--as-of", "2027-06-01")
    assert done.code == 0, done.err
    assert f"{chosen} " in done.out
    after = run(*common, "--json").document["data"]
    assert {row["state"] for row in after if row["proposal"] == chosen} == {"rejected"}


def test_units_survive_the_ledger(place: Path) -> None:
    space = quick(place)
    one = replace(option("add_capacity", "Add two", 0.1, 200, 900), units=Decimal(2), resource="hosts")
    p = replace(proposal(0.4), options=(one, *proposal(0.4).options[1:]))
    made(space, p, "2027-04-01")
    (row,) = register_rows(space, "2027-04-01")
    assert row.entry.proposal == replace(p, data_cut_off=at("2027-04-01"))
