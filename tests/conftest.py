"""A small workspace for the tests of the command line and the Python API, cut out of the airports example.

Two services and seven months keep every command within seconds: LaGuardia, one of its carriers, their agreements, and
a resource with a response curve. The models are those that are quick, wherever the Python API lets a test say so.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from forecasting import Workspace

ROOT = Path(__file__).resolve().parents[1]
AIRPORTS = ROOT / "examples" / "airports"
SERVICES = ("lga", "lga-us")
KINDS = ("Service", "SLO", "Agreement", "Resource", "DemandDriver", "Customer")
AS_OF = "2013-07-01"
LAST = "2013-08-01"


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


def run(*arguments: object, columns: int = 100) -> Answer:
    """Run the command line as `forecasting` does, in this process; neither output is a terminal."""
    from forecasting.cli import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(columns)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main([str(argument) for argument in arguments])
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return Answer(code, out.getvalue(), err.getvalue())


def digest(folder: Path) -> str:
    """Hash the names and bytes of everything below a folder."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        total.update(str(path.relative_to(folder)).encode("utf-8", "surrogateescape") + b"\0")
        if path.is_file():
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def reports(workspace: Path) -> dict[str, bytes]:
    """Return every report file by its path below the workspace's reports; lock files are none."""
    folder = workspace / "reports"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def _cut_catalogue(target: Path) -> None:
    """Keep the documents that speak of the small workspace's services only."""
    import yaml

    target.mkdir()
    for path in sorted((AIRPORTS / "catalogue").glob("*.yaml")):
        kept = []
        for text in path.read_text(encoding="utf-8").split("\n---\n"):
            document = yaml.safe_load(text)
            if document["kind"] not in KINDS:
                continue  # such as a Covariate: the small workspace has no weather
            spec = document["spec"]
            service = spec["use"]["service"] if document["kind"] == "Resource" else spec.get("service")
            if document["kind"] == "Service":
                service = document["metadata"]["name"]
            if service is None or service in SERVICES:
                ours = ", ".join(s for s in spec.get("services", ()) if s in SERVICES)
                kept.append(re.sub(r"services: \[.*\]", f"services: [{ours}]", text))
        if kept:
            (target / path.name).write_text("\n---\n".join(kept), encoding="utf-8")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace's inputs, nothing ingested: two services, January to July 2013, one CSV file."""
    import pandas as pd

    folder = tmp_path_factory.mktemp("inputs")
    rows = pd.read_parquet(AIRPORTS / "metrics.parquet")
    rows = rows[rows["service"].isin(SERVICES) & (rows["at"] < pd.Timestamp(LAST))]
    rows.to_csv(folder / "metrics.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
    _cut_catalogue(folder / "catalogue")
    (folder / "forecasting.yaml").write_text(PROJECT, encoding="utf-8")
    return folder


PROJECT = """\
apiVersion: forecasting/v1
kind: Project
metadata: {name: small}
spec:
  organisation: New York airports
  currency: USD
  zone: America/New_York
  catalogue: catalogue
  metrics:
    scheduled_departures: {kind: count, unit: flights, step: 1h}
    departed_within_15_min: {kind: count, unit: flights, step: 1h}
    cancelled: {kind: count, unit: flights, step: 1h}
  sources:
    - name: flights
      path: metrics.csv
      layout: wide
      metrics: [scheduled_departures, departed_within_15_min, cancelled]
"""


@pytest.fixture(scope="session")
def ingested(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its rows in the store; copy it before changing anything."""
    folder = tmp_path_factory.mktemp("ingested") / "w"
    shutil.copytree(inputs, folder)
    answer = run("ingest", "-w", folder)
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture
def workspace(ingested: Path, tmp_path: Path) -> Path:
    """A copy of the ingested workspace that a test may change."""
    shutil.copytree(ingested, tmp_path / "w")
    return tmp_path / "w"


@pytest.fixture
def fresh(inputs: Path, tmp_path: Path) -> Path:
    """A copy of the inputs that a test may change; nothing ingested."""
    shutil.copytree(inputs, tmp_path / "w")
    return tmp_path / "w"


@pytest.fixture(scope="session")
def planned_once(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one plan of `AS_OF` by the quick models, MLflow off; not to be changed."""
    folder = tmp_path_factory.mktemp("planned") / "w"
    shutil.copytree(ingested, folder)
    quick(folder).plan(AS_OF)
    return folder


def process(*arguments: object, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line, or a piece of code, in a Python of its own; neither output is a terminal."""
    start = ["-m", "forecasting.cli"] if code is None else ["-c", code]
    line = [sys.executable, *start, *(str(argument) for argument in arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=300)


QUICK_MODELS = ("seasonal_naive", "seasonal_median", "trend")
"""Demand models that take no time."""


def _quick_defaults(patch: pytest.MonkeyPatch) -> None:
    """Let a run that names no models use the quick ones; everything else stays as it is."""
    from forecasting.terms.settings import Settings

    patch.setitem(Settings.__init__.__kwdefaults__, "models", QUICK_MODELS)


@pytest.fixture
def quick_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """For commands whose output is looked at and not its numbers: learning the pooled model takes seconds each time."""
    _quick_defaults(monkeypatch)


@pytest.fixture(params=["quick models", pytest.param("default models", marks=pytest.mark.nightly)])
def by_day_and_night(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with the default models too, by night."""
    if request.param == "quick models":
        _quick_defaults(monkeypatch)


def quick(path: Path, *, mlflow: bool = False, seed: int = 1, jobs: int = 1) -> Workspace:
    """Open a workspace with models and paths that take no time."""
    from forecasting import Settings, Workspace

    settings = Settings(models=QUICK_MODELS, paths=400, replay_paths=200, jobs=jobs, seed=seed)
    return Workspace(path, mlflow=mlflow, settings=settings)
