"""The project file: what it says is read exactly, what cannot be used is named with its line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from forecasting.adapters.catalogues import load_project
from forecasting.terms.errors import CatalogueError
from forecasting.terms.history import MetricKind

TEXT = """\
apiVersion: forecasting/v1
kind: Project
metadata: {name: airports}
spec:
  organisation: New York airports
  currency: USD
  catalogue: catalogue
  metrics:
    departures: {kind: count, unit: flights, step: 1h, description: Departures}
    delay: {kind: non_negative, unit: minutes, step: 15m}
    temperature: {kind: real, unit: degrees}
  sources:
    - name: flights
      path: data/metrics.parquet
      layout: wide
      columns: {service: carrier, at: hour}
      metrics: [departures, delay]
      zone: America/New_York
      duplicates: last
    - {name: weather, path: weather.csv}
"""


def load(tmp_path: Path, text: str) -> object:
    (tmp_path / "forecasting.yaml").write_text(text)
    return load_project(tmp_path, suffixes=(".csv", ".parquet"))


def test_a_project_loads(tmp_path: Path) -> None:
    (tmp_path / "forecasting.yaml").write_text(TEXT)
    project = load_project(tmp_path / "forecasting.yaml")
    assert (project.name, project.organisation, project.currency) == ("airports", "New York airports", "USD")
    assert project.metrics["delay"].step == timedelta(minutes=15)
    assert project.metrics["temperature"].kind is MetricKind.REAL
    flights, weather = project.sources
    assert (flights.path, flights.layout, flights.zone) == ("data/metrics.parquet", "wide", "America/New_York")
    assert dict(flights.columns) == {"service": "carrier", "at": "hour"}
    assert (flights.metrics, flights.duplicates) == (("departures", "delay"), "last")
    assert (weather.layout, weather.metrics, weather.zone, weather.duplicates) == ("long", (), "UTC", "refuse")


MISTAKES = [
    ("path: weather.csv", "path: ../weather.csv", 20, "inside the workspace"),
    ("path: weather.csv", "path: /etc/passwd", 20, "inside the workspace"),
    ("path: weather.csv", "path: data/../../x.csv", 20, "inside the workspace"),
    ("path: weather.csv", "path: 'C:\\x.csv'", 20, "inside the workspace"),
    ("path: weather.csv", "path: leak/x.csv", 20, "link out of it"),
    ("path: weather.csv", "path: weather.xlsx", 20, "convert it to CSV"),
    ("catalogue: catalogue", "catalogue: ..", 7, "inside the workspace"),
    ("kind: count,", "kind: counter,", 9, "try: count"),
    ("step: 15m", "step: 7m", 10, "part of a day"),
    ("step: 15m", "step: 1M", 10, "whole number and m"),
    ("metrics: [departures, delay]", "metrics: [departures, delays]", 17, "try: delay"),
    ("      metrics: [departures, delay]\n", "", 13, "metrics"),
    ("layout: wide", "layout: wyde", 15, "try: wide"),
    ("zone: America/New_York", "zone: EDT", 18, "IANA"),
    ("duplicates: last", "duplicates: first", 19, "refuse | last"),
    ("columns: {service: carrier, at: hour}", "columns: {service: hour, at: hour}", 16, "different column"),
    ("columns: {service: carrier, at: hour}", "columns: {servise: carrier}", 16, "try: service"),
    ("name: weather", "name: flights", 20, "used once"),
    ("currency: USD", "currency: dollars", 6, "ISO 4217"),
    ("organisation:", "organization:", 5, "try: organisation"),
    ("kind: Project", "kind: Service", 2, "Project"),
    ("    delay: {", "    departures: {", 10, "each key once"),
    ("    temperature: {", "    'temp (C)': {", 11, "try: temp_C_"),
]


@pytest.mark.parametrize(("good", "bad", "line", "said"), MISTAKES)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, good: str, bad: str, line: int, said: str) -> None:
    (tmp_path / "leak").symlink_to("/etc")
    assert good in TEXT
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, TEXT.replace(good, bad, 1))
    matching = [p for p in caught.value.problems if said in str(p)]
    assert matching, str(caught.value)
    assert (matching[0].file, matching[0].line) == ("forecasting.yaml", line), str(caught.value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", TEXT + "---\n" + TEXT, "just text\n"])
def test_anything_but_one_project_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CatalogueError, match="one document of kind Project"):
        load(tmp_path, text)


def test_a_missing_project_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no such file"):
        load_project(tmp_path, suffixes=(".csv", ".parquet"))
