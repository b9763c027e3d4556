"""Sixty texts that YAML readers take for something else: each is read as it was meant, or refused with a hint."""

# ruff: noqa: E501 - the tables read best with a few traps a line

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from forecasting.adapters.catalogues import YamlFolder
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import CatalogueError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.service_level import RollingWindow, ThresholdIndicator

METRICS = {"ms": Metric(name="ms", kind=MetricKind.NON_NEGATIVE)}
DOCUMENTS = """\
apiVersion: openslo/v1
kind: Service
metadata: {{name: {name}, annotations: {{forecasting/country: {country}, forecasting/tier: {tier}}}}}
spec: {{description: {text}}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {{name: fast, annotations: {{forecasting/minimum-events: {events}}}}}
spec:
  service: {name}
  indicator: {{metadata: {{name: i}}, spec: {{thresholdMetric: {{metricSource: {{type: forecasting, spec: {{metric: ms}}}}}}}}}}
  timeWindow: [{{duration: {duration}, isRolling: {rolling}}}]
  budgetingMethod: Occurrences
  objectives: [{{op: lt, value: {value}, target: {target}}}]
"""
GOOD = {
    "name": "shop", "country": "DE", "tier": "web", "text": "words", "duration": "30d", "rolling": "true",
    "value": "400", "target": "0.9", "events": "'0'",
}  # fmt: skip


def name_of(found: Catalogue) -> object:
    return next(iter(found.services))


def service_of(found: Catalogue) -> object:
    return next(iter(found.services.values()))


def limit_of(found: Catalogue) -> object:
    indicator = found.objectives[0].indicator
    return indicator.limit if isinstance(indicator, ThresholdIndicator) else None


def days_of(found: Catalogue) -> object:
    window = found.objectives[0].window
    return window.length / timedelta(days=1) if isinstance(window, RollingWindow) else None


READ = {
    "name": name_of,
    "country": lambda found: getattr(service_of(found), "country"),  # noqa: B009
    "tier": lambda found: getattr(service_of(found), "tier"),  # noqa: B009
    "text": lambda found: getattr(service_of(found), "description"),  # noqa: B009
    "duration": days_of,
    "value": limit_of,
    "target": lambda found: found.objectives[0].target,
    "events": lambda found: found.objectives[0].minimum_events,
}

MEANT = [
    ("country", "NO", "NO"), ("country", "ON", "ON"), ("country", "'NO'", "NO"),
    ("name", "no", "no"), ("name", "on", "on"), ("name", "yes", "yes"), ("name", "y", "y"), ("name", "off", "off"),
    ("name", "null-1", "null-1"), ("name", "1e3", "1e3"), ("name", "007", "007"), ("name", "2026-01-01", "2026-01-01"),
    ("tier", "on", "on"), ("tier", "Off", "Off"), ("tier", "1:30", "1:30"), ("tier", "0x1F", "0x1F"),
    ("tier", "0o17", "0o17"), ("tier", "012", "012"), ("tier", "1_000", "1_000"), ("tier", "1e3", "1e3"),
    ("tier", "1.10", "1.10"), ("tier", "2026-01-01", "2026-01-01"), ("tier", "2026-01-01 10:00:00", "2026-01-01 10:00:00"),
    ("tier", "true", "true"), ("tier", "=", "="), ("tier", "12:30:45", "12:30:45"), ("tier", "+49", "+49"),
    ("text", "NA", "NA"), ("text", "nan", "nan"), ("text", "none", "none"), ("text", "99.9%", "99.9%"),
    ("text", "~x", "~x"), ("text", "No", "No"), ("text", ".5.1", ".5.1"),
    ("duration", "1M", 30), ("duration", "1Q", 90), ("duration", "1Y", 365), ("duration", "'30d'", 30), ("duration", "720h", 30),
    ("value", "1e3", 1000), ("value", "012", 12), ("value", "-0.5", Decimal("-0.5")), ("value", "+1", 1),
    ("value", ".5", Decimal("0.5")), ("value", "0.1", Decimal("0.1")), ("value", "1.10", Decimal("1.1")),
    ("target", "0.9995", Decimal("0.9995")), ("target", "9.5e-1", Decimal("0.95")), ("target", ".999", Decimal("0.999")),
    ("target", "0.99999999999999999999", Decimal("0.99999999999999999999")), ("events", "'50'", 50),
]  # fmt: skip
HINTED = [
    ("value", "1:30", "a number"), ("value", "0x1F", "a number"), ("value", "1_000", "try: 1000"), ("value", "yes", "a number"),
    ("value", "400ms", "a number"), ("value", "'0,5'", "0.5 (a decimal point)"),
    ("target", "99.9%", "targetPercent: 99.9"), ("target", ".nan", "above 0 and below 1"), ("target", "1e0", "above 0 and below 1"),
    ("duration", "1m", "M (m is a minute)"), ("duration", "1mo", "such as 30d"), ("duration", "30", "30m"), ("rolling", "yes", "true | false"),
]  # fmt: skip


def load(folder: Path, field: str, text: str) -> Catalogue:
    (folder / "a.yaml").write_text(DOCUMENTS.format(**{**GOOD, field: text}), encoding="utf-8")
    return YamlFolder(folder, METRICS).load()


def test_there_are_sixty_of_them() -> None:
    assert len(MEANT) + len(HINTED) >= 60


@pytest.mark.parametrize(("field", "text", "value"), MEANT)
def test_it_is_read_as_it_was_meant(tmp_path: Path, field: str, text: str, value: object) -> None:
    assert READ[field](load(tmp_path, field, text)) == value


@pytest.mark.parametrize(("field", "text", "said"), HINTED)
def test_or_refused_with_a_hint(tmp_path: Path, field: str, text: str, said: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, field, text)
    assert said in str(caught.value)
