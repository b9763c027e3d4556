"""Hostile names in the catalogue and the data cannot leave the workspace, nor become live in what is written."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import AS_OF, digest, quick, reports, run

SCRIPT = "<script>alert(1)</script>"
FORMULA = "=1+1"
CLIMB = "../../climb"
MARKUP = "[red]bold[/nonsense]"
NAMES = (SCRIPT, FORMULA, CLIMB, MARKUP)


class Tags(HTMLParser):
    """Collects what a browser would see as elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script"
        self.handlers += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def rename(folder: Path) -> None:
    """Put hostile texts wherever a catalogue has room for people's words."""
    services = folder / "catalogue" / "services.yaml"
    text = services.read_text()
    text = re.sub(r"displayName: LaGuardia Airport", f"displayName: '{SCRIPT}'", text)
    text = re.sub(r"displayName: US Airways at LaGuardia", f"displayName: '{FORMULA}'", text)
    services.write_text(re.sub(r"description: .*", f"description: '{SCRIPT}'", text))
    agreements = folder / "catalogue" / "agreements.yaml"
    text = re.sub(r"promise: .*", f"promise: '{MARKUP} {SCRIPT}'", agreements.read_text())
    agreements.write_text(re.sub(r"displayName: .*", f"displayName: '{FORMULA}'", text))
    project = folder / "forecasting.yaml"
    text = project.read_text().replace("organisation: New York airports", f"organisation: '{CLIMB} {SCRIPT}'")
    project.write_text(text.replace("unit: flights, step: 1h}", f"unit: '{MARKUP}', step: 1h}}", 1))
    assert SCRIPT in services.read_text()
    assert FORMULA in services.read_text()


@pytest.fixture(scope="module")
def planned(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    folder = tmp_path_factory.mktemp("hostile") / "deep" / "er" / "w"
    shutil.copytree(ingested, folder)
    rename(folder)
    quick(folder).plan(AS_OF)
    return folder


def test_nothing_is_written_outside_of_the_workspace(planned: Path) -> None:
    root = planned.parents[2]
    outside = [p for p in root.rglob("*") if p.is_file() and not p.is_relative_to(planned)]
    assert outside == []
    assert not any("climb" in p.name for p in root.rglob("*"))


def test_no_name_is_live_in_the_html(planned: Path) -> None:
    html = reports(planned)[f"{AS_OF}/plan.html"].decode()
    tags = Tags()
    tags.feed(html)
    assert "alert(1)" in html, "the name is shown"
    assert "alert(1)" not in "".join(tags.scripts)
    assert SCRIPT not in html
    assert tags.handlers == []


def test_no_name_is_live_in_the_markdown(planned: Path) -> None:
    assert SCRIPT not in reports(planned)[f"{AS_OF}/plan.md"].decode()


def test_no_cell_of_a_csv_file_is_a_formula(planned: Path) -> None:
    tables = {name: data for name, data in reports(planned).items() if name.endswith(".csv")}
    assert tables
    for name, data in tables.items():
        for row in csv.reader(io.StringIO(data.decode())):
            for cell in row:
                number = re.fullmatch(r"-?[0-9.]+(e[-+]?[0-9]+)?", cell)
                assert number or not cell.startswith(("=", "+", "-", "@", "\t")), (name, cell)


def test_the_json_has_the_names_as_they_are(planned: Path) -> None:
    text = reports(planned)[f"{AS_OF}/plan.json"].decode()
    assert json.loads(text)
    assert SCRIPT in json.dumps(json.loads(text), ensure_ascii=False)


@pytest.mark.usefixtures("quick_models")
def test_tables_print_names_as_they_are(planned: Path) -> None:
    answer = run("forecast", "lga", "-w", planned, "--as-of", AS_OF, "--horizon", "2", "--paths", "200")
    assert answer.code == 0, answer.err
    assert MARKUP in answer.out, "a name is no markup"


@pytest.mark.parametrize("name", [SCRIPT, FORMULA, CLIMB, "-w", "x" * 64, "Ünïcode"])
def test_a_hostile_identity_is_read_under_a_safe_name_with_a_note(name: str, fresh: Path) -> None:
    path = fresh / "catalogue" / "services.yaml"
    path.write_text(path.read_text().replace("  name: lga\n", f"  name: {json.dumps(name)}\n", 1))
    answer = run("ingest", "-w", fresh)
    assert answer.code == 0, answer.err
    assert "notes on the catalogue" in answer.err
    notes = run("catalogue", "check", "-w", fresh, "--json").document["data"]["notices"]
    assert any(n["rule"] == "name-not-rfc1123" and n["file"].endswith("services.yaml") for n in notes), notes
    services = quick(fresh).catalogue.services
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", service) for service in services)
    # By the reference rules alone it is refused, and nothing is stored.
    strict = run("catalogue", "check", "-w", fresh, "--strict")
    assert strict.code == 2
    assert "services.yaml" in strict.err
    assert not list(fresh.parent.glob("climb*"))


@pytest.mark.parametrize("name", ["a\0b", " "])
def test_a_hostile_identity_is_refused(name: str, fresh: Path) -> None:
    path = fresh / "catalogue" / "services.yaml"
    path.write_text(path.read_text().replace("  name: lga\n", f"  name: {json.dumps(name)}\n", 1))
    before = digest(fresh)
    answer = run("ingest", "-w", fresh)
    assert answer.code == 2
    assert "services.yaml" in answer.err
    assert "Traceback" not in answer.err
    assert "\0" not in answer.err
    assert digest(fresh) == before


@pytest.mark.parametrize("name", [SCRIPT, FORMULA, CLIMB, "\x1b[2J"])
def test_a_hostile_service_in_the_data_is_refused(name: str, fresh: Path) -> None:
    with (fresh / "metrics.csv").open("a") as file:
        file.write(f"{name},2013-01-01T05:00:00Z,1,1,0\n")
    before = digest(fresh)
    answer = run("ingest", "-w", fresh)
    assert answer.code == 2
    assert "\x1b" not in answer.err, "a name cannot steer the terminal"
    assert digest(fresh) == before


def test_control_characters_in_names_do_not_steer_the_terminal(fresh: Path) -> None:
    path = fresh / "catalogue" / "services.yaml"
    path.write_text(path.read_text().replace("displayName: LaGuardia Airport", 'displayName: "a\\u001b[2Jb"', 1))
    answer = run("ingest", "-w", fresh)
    if answer.code == 0:
        quick(fresh).plan(AS_OF)
        assert all(b"\x1b" not in data for data in reports(fresh).values())
    else:
        assert answer.code == 2
        assert "\x1b" not in answer.err


def test_links_out_of_the_workspace_are_refused(fresh: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    (fresh / "metrics.csv").rename(secret)
    (fresh / "metrics.csv").symlink_to(secret)
    answer = run("ingest", "-w", fresh)
    assert answer.code == 2
    assert "link" in answer.err


def test_an_unknown_service_asked_for_by_a_hostile_name(workspace: Path) -> None:
    for name in (*NAMES, "\x1b[2J"):
        answer = run("forecast", "-w", workspace, "--as-of", AS_OF, "--", name)
        assert answer.code == 2
        assert answer.err.startswith("error: service: got ")
        assert "\x1b" not in answer.err
