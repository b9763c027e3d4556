"""The drivers, measures and lead steps of the demo say what its generator and its truths are made of."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from forecasting.adapters.catalogues import YamlFolder, load_project
from forecasting.adapters.openslo import export_openslo
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.scenario import DriverEffect

MERIDIAN = Path(__file__).resolve().parents[2] / "examples" / "meridian"


@pytest.fixture(scope="module")
def parameters() -> Iterator[ModuleType]:
    before, path = sys.modules.pop("meridian_parameters", None), list(sys.path)
    sys.path.insert(0, str(MERIDIAN))
    try:
        yield importlib.import_module("meridian_parameters")
    finally:
        sys.path[:] = path
        sys.modules.pop("meridian_parameters", None)
        if before is not None:
            sys.modules["meridian_parameters"] = before


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    project = load_project(MERIDIAN / "forecasting.yaml")
    return YamlFolder(MERIDIAN / "catalogue", project.metrics, currency=project.currency, name="meridian").load()


def sizes(catalogue: Catalogue, driver: str) -> dict[tuple[str, str], DriverEffect]:
    found = next(d for d in catalogue.horizon_drivers if d.id == driver)
    assert all((e.driver, e.likelihood) == (driver, found.likelihood) for e in found.effects)
    return {(e.service, e.metric): e for e in found.effects}


def known(effect: DriverEffect) -> float:
    assert effect.low == effect.mode == effect.high
    return effect.mode


def test_all_twelve_are_there_with_what_is_decided_in_the_base_case(catalogue: Catalogue) -> None:
    status = {int(d.id.split("-")[0][1:]): d.status for d in catalogue.horizon_drivers}
    assert sorted(status) == list(range(1, 13))
    assert {number for number, word in status.items() if word == "plan"} == {1, 2, 3, 7, 10}
    assert {number for number, word in status.items() if word == "act"} == {5}
    assert {d.id: d.likelihood for d in catalogue.horizon_drivers if d.likelihood < 1} == {
        "d4-authentication": 0.8, "d6-energy": 0.7, "d8-competitor-exit": 0.3, "d9-hypervisor-licence": 0.5,
        "d12-assistant": 0.6,
    }  # fmt: skip


def test_decided_drivers_have_the_sizes_of_the_generator(catalogue: Catalogue, parameters: Any) -> None:
    campaign = sizes(catalogue, "d1-campaign")
    assert {service for service, _ in campaign} == {"web-shop", "payments-api"}
    for effect in campaign.values():
        assert (effect.start, known(effect)) == parameters.D1_CAMPAIGN
        assert effect.end == effect.start + timedelta(days=7)
    start, staff = parameters.D2_STAFF
    joined = sizes(catalogue, "d2-acquisition")
    desktops = joined["vdi", "peak_concurrent_sessions"]
    now = parameters.VDI.now
    assert known(desktops) * now == pytest.approx(now + staff * now / parameters.VDI_NAMED, abs=0.5)
    assert (known(joined["email", "mailboxes"]), joined["email", "mailboxes"].start) == (staff, start)
    assert {e.start for e in joined.values()} == {start}
    assert known(sizes(catalogue, "d3-erp-go-live")["service-desk", "calls_offered"]) == parameters.D3_CONTACTS
    law = sizes(catalogue, "d7-retention-law")["storage", "storage_used_tb"]
    assert (law.start, known(law)) == parameters.D7_RETENTION_TB
    assert (law.kind, law.ramp_days) == ("step", 31)


def test_the_short_night_has_420_minutes_and_no_other_night_has(catalogue: Catalogue) -> None:
    (night,) = next(d for d in catalogue.horizon_drivers if d.id == "d10-short-night").resource_effects
    window = next(r for r in catalogue.resources if r.name == night.resource)
    assert float(window.units_now) * night.mode == 420
    assert (night.start.isoformat(), night.end and (night.end - night.start).days) == ("2027-03-28", 1)


def test_lead_steps_add_up_to_the_lead_times_of_the_generator(catalogue: Catalogue, parameters: Any) -> None:
    names = {"wan": "wan-capacity", "storage": "storage-tb", "vdi": "vdi-hosts", "desk": "desk-agents"}
    resources = {r.name: r for r in catalogue.resources}
    assert {r.name for r in resources.values() if r.lead_steps} == set(names.values())
    for key, name in names.items():
        steps = resources[name].lead_steps
        assert all(step.low == step.mode == step.high and not step.before_order for step in steps)
        whole = sum((step.mode for step in steps), timedelta(0))
        assert whole == resources[name].lead_time == timedelta(days=parameters.LEAD_DAYS[key])


def test_the_measures_are_those_of_the_design(catalogue: Catalogue) -> None:
    measures = {m.name: m for m in catalogue.measures}
    tuning = measures["batch-tuning"]
    assert (tuning.capex, tuning.lead_time, str(tuning.per_unit_multiplier)) == (38000, timedelta(weeks=4), "1.15")
    assert str(measures["desk-assistant"].demand_multiplier) == "0.86"
    assert str(measures["email-supplier-99-95"].promised) == "0.9995"
    commit = measures["cdn-commit-1200"]
    assert round(900 * commit.per_unit_multiplier) == 1200
    assert commit.opex_per_month == 300 * 6
    # 99.950 % becomes 99.983 % with a second region
    assert 1 - 0.0005 * float(measures["second-region"].bad_multiplier) == pytest.approx(0.99983, abs=5e-6)


def test_the_whole_catalogue_survives_the_round_trip(catalogue: Catalogue, tmp_path: Path) -> None:
    project = load_project(MERIDIAN / "forecasting.yaml")
    (tmp_path / "all.yaml").write_text(export_openslo(catalogue, ours=True), encoding="utf-8")
    again = YamlFolder(tmp_path, project.metrics, currency=project.currency, name="meridian").load()
    for name in ("resources", "measures", "horizon_drivers", "scenarios", "drivers", "agreements"):
        assert getattr(again, name) == getattr(catalogue, name), name
