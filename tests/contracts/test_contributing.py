"""The five first changes of CONTRIBUTING.md work as printed: each is added to a copy of the package and used there."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = r"\n\n```python\n(.*?)```"
LINES = r"\n\n```text\n(.*?)```"


@dataclass(frozen=True)
class Change:
    """One of the five examples, as printed."""

    title: str
    file: str
    code: str
    table_file: str
    table: str
    imports: tuple[str, ...]
    item: str
    attempt: str


def changes() -> dict[str, Change]:
    found = {}
    for title, text in re.findall(r"^### \d\. (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE):
        files = re.findall(r"^New file `([^`]+)`:" + BLOCK, text, re.DOTALL | re.MULTILINE)
        lines = re.findall(r"^Line in `([^`]+)`, table `(\w+)`:" + LINES, text, re.DOTALL | re.MULTILINE)
        attempts = re.findall(r"^Try it:" + BLOCK, text, re.DOTALL | re.MULTILINE)
        assert len(files) == len(lines) == len(attempts) == 1, f"{title}: one file, one line and one attempt"
        rows = [row for row in lines[0][2].splitlines() if row.strip()]
        imports = tuple(row for row in rows if row.startswith("from "))
        (item,) = (row for row in rows if row not in imports)
        found[title] = Change(title, *files[0], *lines[0][:2], imports, item.strip().rstrip(","), attempts[0])
    return found


CHANGES = changes()


def add_line(path: Path, table: str, item: str, imports: tuple[str, ...] = ()) -> None:
    """Add the import and the item to a table, as a person would."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for new in imports:
        later = [i for i, line in enumerate(lines) if line.startswith("from forecasting") and line > new]
        others = [i + 1 for i, line in enumerate(lines) if line.startswith("from forecasting")]
        lines.insert(later[0] if later else others[-1], new)
    for node in ast.parse("\n".join(lines)).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if [getattr(target, "id", None) for target in targets] != [table]:
            continue
        assert isinstance(node, ast.Assign | ast.AnnAssign)
        assert node.value is not None
        value = node.value
        last = (value.end_lineno or 0) - 1
        if value.lineno == value.end_lineno:
            end = (value.end_col_offset or 0) - 1
            lines[last] = f"{lines[last][:end]}, {item}{lines[last][end:]}"
        else:
            lines.insert(last, f"    {item},")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return
    raise AssertionError(f"{path.name} has no table {table}: CONTRIBUTING.md is out of date")


def run(copy: Path, *arguments: str) -> str:
    """Run Python in the copy and return what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with all five changes in it."""
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(ROOT / "forecasting", folder / "forecasting", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "golden", folder / "golden", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for change in CHANGES.values():
        assert not (folder / change.file).exists(), f"{change.file} exists: print another example in CONTRIBUTING.md"
        (folder / change.file).write_text(change.code, encoding="utf-8")
        add_line(folder / change.table_file, change.table, change.item, change.imports)
    return folder


def test_the_page_has_the_five_changes() -> None:
    assert list(CHANGES) == ["A demand model", "A data source", "A proposal kind", "A report section", "A notifier"]


def test_each_change_is_one_file_and_one_line() -> None:
    for change in CHANGES.values():
        assert Path(change.file).parent == Path(change.table_file).parent
        assert len(change.imports) <= 1
        assert len(change.code.splitlines()) < 100, f"{change.file} is too long for a first change"


@pytest.mark.parametrize("title", CHANGES)
def test_the_attempt_runs_in_the_copy(copy: Path, title: str) -> None:
    where = f"import forecasting; assert forecasting.__file__.startswith({str(copy)!r}), forecasting.__file__\n"
    run(copy, "-c", where + CHANGES[title].attempt)


def test_the_model_is_in_the_table_forecasts_and_passes_the_battery(copy: Path) -> None:
    printed = run(
        copy,
        "-c",
        """
from datetime import UTC, datetime, timedelta
import numpy as np
from forecasting.forecasts.engine import forecast_series
from forecasting.forecasts.models import MODELS, get_model
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.testing.forecaster import check_forecaster
assert "seasonal_mean" in MODELS
checks = list(check_forecaster(get_model("seasonal_mean")))
for finding, check in checks:
    check()
rng = np.random.default_rng(1)
values = np.tile([5.0, 9, 9, 9, 9, 7, 3], 20) * 100 + rng.normal(0, 60, 140)
series = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 3, 1, tzinfo=UTC),
    step=timedelta(days=1), values=values)
forecast = forecast_series(series, 28, models=("seasonal_mean",), n_paths=50, seed=1)
print(len(checks), forecast.model)
""",
    )
    count, chosen = printed.split()
    assert int(count) > 30
    assert chosen == "seasonal_mean", "on a level week with noise the mean of four beats the last one"


def test_the_source_reads_a_file_through_the_table_and_names_the_line_of_a_mistake(copy: Path) -> None:
    run(
        copy,
        "-c",
        """
import math, tempfile
from pathlib import Path
from forecasting.adapters.sources import SOURCES, open_source
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import SourceSpec
assert list(SOURCES)[-1] == ".jsonl"
folder, metrics = Path(tempfile.mkdtemp()), {"orders": Metric(name="orders", kind=MetricKind.COUNT)}
good = '{"service": "shop", "metric": "orders", "at": "2027-03-01T%s:00:00Z", "value": %s}'
def read(*lines):
    (folder / "a.jsonl").write_text("\\n".join(lines) + "\\n")
    return open_source(SourceSpec(name="a", path="a.jsonl"), folder, metrics).read()
rows, cleaned = read(good % (14, "null"), good % (13, 12.5))
assert rows["value"].tolist()[0] == 12.5 and math.isnan(rows["value"].tolist()[1]), rows
assert [str(t) for t in rows["at"]] == ["2027-03-01 13:00:00", "2027-03-01 14:00:00"]
assert sum(cleaned.values()) == 1, cleaned
for lines, words in (
    ([good % (13, 1), "{half"], "a.jsonl:2: line"),
    ([good % (13, 1), good % (14, 1), "[]"], "a.jsonl:3: fields"),
    ([good % (13, -1)], "0 or more"),
    ([good.replace("orders", "ordres") % (13, 1)], "try: orders"),
    ([good % (13, 1), good % (13, 2)], "duplicate"),
    ([], "a.jsonl"),
):
    try:
        read(*lines) if lines else (folder / "a.jsonl").write_text("") or open_source(
            SourceSpec(name="a", path="a.jsonl"), folder, metrics).read()
    except InputError as error:
        assert words in str(error), (words, str(error))
    else:
        raise AssertionError(f"accepted: {lines}")
""",
    )


def test_a_workspace_may_declare_the_new_kind_of_file(copy: Path) -> None:
    run(
        copy,
        "-c",
        """
import tempfile
from pathlib import Path
from forecasting.adapters.catalogues import load_project
from forecasting.adapters.sources import open_source
folder = Path(tempfile.mkdtemp())
(folder / "catalogue").mkdir()
(folder / "orders.jsonl").write_text(
    '{"service": "shop", "metric": "orders", "at": "2027-03-01T13:00:00Z", "value": 12}\\n')
(folder / "forecasting.yaml").write_text('''
apiVersion: forecasting/v1
kind: Project
metadata: {name: shop}
spec:
  organisation: Shop
  catalogue: catalogue
  metrics: {orders: {kind: count, unit: orders, step: 1h}}
  sources: [{name: orders, path: orders.jsonl}]
''')
project = load_project(folder)
rows, _ = open_source(project.sources[0], folder, project.metrics).read()
assert rows["value"].tolist() == [12.0]
""",
    )


def test_the_kind_is_asked_and_its_answers_are_in_the_proposal(copy: Path) -> None:
    run(
        copy,
        "-c",
        """
from datetime import timedelta
import sys
sys.path.insert(0, "golden")
import plan_fixture as f
import numpy as np
from decimal import Decimal
from forecasting.proposals.base import Problem
from forecasting.proposals.build import build_proposal
from forecasting.proposals.kinds import KINDS
from forecasting.terms.errors import Excuse
import dataclasses
service, target = "lga-dl", "0.8"
risks = tuple(f.risk(service, n, 0.79, target, np.random.default_rng(n), 1.0) for n in (10, 11))
excuse = Excuse(reason="none", what_would_help="none")
problem = Problem(service=service, objective=f.objective(service, target), risks=risks, resources=(), requirement=None,
    agreement=f.agreement(service, target, 250000), as_of=f.AS_OF, horizon_end=f.AS_OF + timedelta(days=120),
    zone=f.ZONE, currency="USD", past_missed=None, resimulate=lambda *a: excuse, reassess=lambda *a: excuse)
assert "transfer_risk" in [kind.name for kind in KINDS]
proposal = build_proposal(problem, KINDS)
(option,) = [o for o in proposal.options if o.kind == "transfer_risk"]
assert option.probability_after == option.probability_before == problem.probability
share = np.mean([np.mean(r.attainment_paths < 0.8) for r in risks])
assert abs(option.benefit_mean - 2 * share * 12500) < 1e-6, (option.benefit_mean, share)
assert abs(option.net_benefit + 0.25 * option.benefit_mean) < 1e-6
bare = build_proposal(dataclasses.replace(problem, agreement=None), KINDS)
assert dict(bare.declined)["transfer_risk"].reason == "no service credits are agreed"
""",
    )


def test_the_section_is_rendered_in_every_form(copy: Path) -> None:
    run(
        copy,
        "-c",
        """
import dataclasses, sys
sys.path.insert(0, "golden")
from datetime import date
import plan_fixture
from forecasting.reports.document import build_document
from forecasting.reports.render import render_html, render_json, render_markdown
plan = plan_fixture.make_plan()
def outlook(service):
    changed = [dataclasses.replace(o, agreement=dataclasses.replace(o.agreement, valid_until=date(2013, 10, 31)))
               if o.agreement else o for o in service.objectives]
    return dataclasses.replace(service, objectives=tuple(changed))
ending = dataclasses.replace(plan, services=tuple(outlook(s) for s in plan.services))
section = build_document(ending).sections[-1]
assert (section.number, section.title) == (19, "Agreements that end"), section.number
for render in (render_markdown, render_html, render_json):
    assert "Agreements that end within the horizon" in render(ending), render
    assert "No agreement ends by" in render(plan), render
""",
    )


def test_the_notifier_is_named_in_a_project_and_passes_the_battery(copy: Path) -> None:
    run(
        copy,
        "-c",
        """
import tempfile
from pathlib import Path
from forecasting.adapters.catalogues import load_project
from forecasting.adapters.notifiers import build_notifiers
from forecasting.testing.notifier import check_notifier, make_notice
root = Path(tempfile.mkdtemp())
(root / "forecasting.yaml").write_text('''
apiVersion: forecasting/v1
kind: Project
metadata: {name: shop}
spec:
  organisation: Shop
  currency: EUR
  catalogue: catalogue
  metrics: {orders: {kind: count, unit: orders, step: 1h}}
  sources: [{name: orders, path: orders.csv}]
  notifiers: [{name: notes, kind: markdown_notes, path: notes/warnings.md, atLeast: warning}]
''')
project = load_project(root)
(notifier,) = build_notifiers(project, root)
for number in (1, 2, 1):
    assert notifier.send([make_notice(number)]) == {make_notice(number).id}
text = (root / "notes" / "warnings.md").read_text(encoding="utf-8")
assert text.count(make_notice().warning.note) == 2, text
made = []
def make():
    made.append(Path(tempfile.mkdtemp()))
    return build_notifiers(project, made[-1])[0]
def received(notifier):
    path = made[-1] / "notes" / "warnings.md"
    return path.read_text(encoding="utf-8").split("## ")[1:] if path.exists() else []
def unreachable():
    root = Path(tempfile.mkdtemp())
    (root / "notes" / "warnings.md").mkdir(parents=True)
    return build_notifiers(project, root)[0]
for name, check in check_notifier(make, received=received, unreachable=unreachable):
    check()
""",
    )


def test_the_layers_hold_in_the_copy(copy: Path) -> None:
    printed = run(copy, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")
    assert "0 broken" in printed, printed
    for change in CHANGES.values():
        module = change.file.removesuffix(".py").replace("/", ".")
        assert run(copy, "-c", f"import {module}") == "", f"{module} prints on import"


def test_the_new_files_are_linted_and_formatted(copy: Path) -> None:
    paths = [path for change in CHANGES.values() for path in (change.file, change.table_file)]
    run(copy, "-m", "ruff", "check", *paths)
    run(copy, "-m", "ruff", "format", "--check", *(change.file for change in CHANGES.values()))


@pytest.mark.nightly
def test_the_new_files_and_their_tables_pass_mypy_strict(copy: Path) -> None:
    paths = [path for change in CHANGES.values() for path in (change.file, change.table_file)]
    run(copy, "-m", "mypy", "--follow-imports=silent", *paths)


def test_a_broken_example_would_be_noticed(copy: Path) -> None:
    """The layers check is able to fail: a model that imports its sibling breaks a contract."""
    path = copy / CHANGES["A demand model"].file
    before = path.read_text(encoding="utf-8")
    path.write_text("from forecasting.forecasts.models.ets import Ets\n" + before, encoding="utf-8")
    try:
        with pytest.raises(AssertionError, match="know their siblings BROKEN"):
            run(copy, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")
    finally:
        path.write_text(before, encoding="utf-8")
