"""The whole chain on the demo organisation finds what was planted, number by number, with the tolerances of the file.

`pytest tests/integration/test_meridian_truths.py -m nightly -s` also prints what was found beside what is true.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

if TYPE_CHECKING:
    import pandas as pd

    from forecasting import Plan
    from forecasting.terms.audit import CatalogueFinding
    from forecasting.terms.capacity import Requirement
    from forecasting.terms.forecast import Forecast
    from forecasting.terms.history import History
    from forecasting.terms.service_level import Attainment

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "meridian"
FILE = json.loads((EXAMPLE / "expected_truths.json").read_text(encoding="utf-8"))
AS_OF = "2026-11-22"
CUT_OFF = date.fromisoformat(AS_OF)
MONTH = 30.4375
RECENT = 56

Value = float | str | date
# The whole chain on 13 services takes over a minute: nightly, and one worker computes it for all (`--dist loadgroup`).


@dataclass(frozen=True)
class Found:
    """What the chain says."""

    plan: Plan
    frames: dict[str, pd.DataFrame]
    past: dict[str, tuple[Attainment, ...]]
    """Every window of the past by agreement."""
    history: History
    nights: Forecast
    """Minutes of the nightly load, 540 days ahead, as the batch window is assessed with."""
    gaps: tuple[CatalogueFinding, ...]
    """What the audit of the catalogue finds, hints left out."""

    trend: dict[str, Requirement]
    """Every resource without the drivers of the register: what growth alone would do."""

    def need(self, resource: str) -> Requirement:
        return self.trend[resource]

    def planned(self, resource: str) -> Requirement:
        """Return a resource with the drivers that are planned for: what the plan prints."""
        return next(r for r in self.plan.requirements if r.resource == resource)

    def risks(self, service: str, agreement: str | None, *periods: str) -> pd.DataFrame:
        rows = self.frames["risks"]
        same = rows["agreement"].isna() if agreement is None else rows["agreement"] == agreement
        rows = rows[(rows["service"] == service) & same]
        rows = rows[rows["period"].isin(periods)] if periods else rows
        assert len(rows) >= len(periods), (service, agreement, periods)
        return rows

    def attained(self, agreement: str, first: str, last: str) -> list[Attainment]:
        return [a for a in self.past[agreement] if first <= a.period.label <= last]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Generate, ingest, compute: what a person does, with half the paths and three origins for the time's sake."""
    from forecasting import Settings, Workspace, create
    from forecasting.adapters.executors import JoblibLoky
    from forecasting.capacity.growth import growth_forecast
    from forecasting.terms.forecast import Forecast
    from forecasting.workflows.capacity import load_effects, requirements
    from forecasting.workflows.demand import forecast_demand
    from forecasting.workspace.workspace import no_timer

    data, folder = tmp_path_factory.mktemp("meridian") / "data", tmp_path_factory.mktemp("workspace") / "w"
    subprocess.run([sys.executable, str(EXAMPLE / "generate.py"), "--out", str(data), "--seed", "7"], check=True)
    create(folder, source=data)
    space = Workspace(folder, mlflow=False, settings=Settings(paths=1000, origins=3))
    space.ingest()
    plan = space.compute(AS_OF, depth="full")
    past = space.compute(AS_OF, depth="attainment")
    prepared = space.prepare(AS_OF)
    minutes = prepared.history.get("dwh-batch", "batch_minutes")
    assert minutes is not None
    # Growth takes start, seed and number of paths from the demand forecast, and no value of it.
    start = Forecast(
        service="dwh-batch", metric=minutes.metric, start=prepared.as_of, step=timedelta(days=1), zone="Europe/Berlin",
        model="none", paths=np.zeros((1000, 7)), cut_off=prepared.as_of, seed=space.settings.seed,
    )  # fmt: skip
    plain = forecast_demand(prepared, executor=JoblibLoky(2), timer=no_timer)
    effects, _ = load_effects(prepared)
    needs, excuses = requirements(prepared, plain, effects)
    assert excuses == ()
    nights = growth_forecast(start, minutes, as_of=prepared.as_of, horizon=540)
    assert isinstance(nights, Forecast)
    return Found(
        plan=plan,
        frames=dict(plan.frames()),
        past={o.agreement.id: o.attainments for s in past.services for o in s.objectives if o.agreement is not None},
        history=prepared.history,
        nights=nights,
        trend={need.resource: need for need in needs},
        gaps=tuple(one for one in space.audit(AS_OF) if one.severity == "gap"),
    )


# --- How each figure is read off the plan ----------------------------------------------------------------------------


def months(day: date) -> float:
    return (day - CUT_OFF).days / MONTH


def exhausted(found: Found, resource: str, quantile: int) -> date:
    day = getattr(found.need(resource), f"exhaustion_p{quantile}")
    assert isinstance(day, date), f"{resource} has no {quantile} % date"
    return day


def order_by(found: Found, resource: str) -> date:
    day = found.need(resource).order_by
    assert day is not None
    return day


def reached(found: Found, resource: str, line: str) -> date:
    """First day on which the median (or the 90 % line) of the daily use is at the limit."""
    need = found.need(resource)
    days: Sequence[tuple[date, float]] = getattr(need, f"daily_use_{line}")
    return next(day for day, use in days if use >= float(need.usable_units))


def growth(found: Found, resource: str, *, factor: bool) -> float:
    """Growth a month of the median, over the eleven months that follow the sixth."""
    use = [value for _, value in found.need(resource).daily_use_p50]
    first, last = use[180], use[180 + 335]
    return (last / first) ** (MONTH / 335) - 1 if factor else (last - first) / 335 * MONTH


def with_law(found: Found) -> date:
    """First day on which the median use of storage is at the limit, retention law included."""
    need = found.planned("storage-tb")
    return next(day for day, use in need.daily_use_p50 if use >= float(need.usable_units))


def with_law_order(found: Found) -> date:
    day = found.planned("storage-tb").order_by
    assert day is not None
    return day


def sessions_acquired(found: Found) -> float:
    """Median busy-day sessions on the day of the acquisition."""
    return 90 * next(u for day, u in found.planned("vdi-hosts").daily_use_p50 if day == date(2027, 2, 1))


def given_back(found: Found) -> Any:
    (one,) = [p for p in found.plan.proposals if p.recommendation.kind == "reclaim_capacity"]
    assert one.resource == "search-nodes", "nothing is to be found too much of but search nodes"
    return one.recommendation


def campaign_rps(found: Found) -> float:
    return 55 * found.planned("web-shop-pods").use_p50


def p95_night(found: Found) -> date:
    line = found.nights.quantile(0.95)
    return CUT_OFF + timedelta(days=int((line >= float(found.need("batch-window").usable_units)).argmax()))


def p_miss(found: Found, service: str, agreement: str | None, *periods: str) -> float:
    """Mean probability of the named windows; the largest of all where none is named."""
    risk = found.risks(service, agreement, *periods)["probability"]
    return float(risk.mean() if periods else risk.max())


def mean_attainment(found: Found) -> float:
    risks = next(
        o.risks
        for s in found.plan.services
        for o in s.objectives
        if o.agreement is not None and o.agreement.id == "sla-web-shop"
    )
    wanted = [r for r in risks if r.period.label in ("2027-01", "2027-02")]
    return float(sum(r.attainment_paths.mean() for r in wanted) / len(wanted))


def measured(found: Found, service: str, metric: str) -> float:
    """Sum over all days of history."""
    series = found.history.get(service, metric)
    assert series is not None
    assert len(series) == 1096
    return float(series.values.sum())


def availability(found: Found) -> float:
    return measured(found, "web-shop", "good_requests_daily") / measured(found, "web-shop", "requests_daily")


def values(found: Found, agreement: str, first: str, last: str = "2026-10") -> list[float]:
    return [a.good / a.total for a in found.attained(agreement, first, last)]


def sap_months(found: Found) -> list[float]:
    levels = values(found, "sla-sap-erp", "2023-12")
    assert len(levels) == 35
    return levels


def search_months(found: Found) -> list[float]:
    levels = values(found, "sla-product-search", "2024-11")
    assert len(levels) == 24
    return levels


def desk(found: Found) -> Any:
    from forecasting.adapters.catalogues import YamlFolder, load_project
    from forecasting.capacity.models import CAPACITY_MODELS

    project = load_project(EXAMPLE / "forecasting.yaml")
    catalogue = YamlFolder(EXAMPLE / "catalogue", project.metrics, currency=project.currency, name=project.name).load()
    resource = next(r for r in catalogue.resources if r.name == "desk-agents")
    return CAPACITY_MODELS["erlang_c"](resource, None)


def agents_for(found: Found, calls: float) -> float:
    return float(desk(found).required(None, [calls])[0])


def answered(found: Found, agents: int, calls: float) -> float:
    return float(desk(found).service_level(agents, [calls])[0])


def desk_limit(found: Found) -> float:
    return float(desk(found).supported(float(found.need("desk-agents").usable_units), None))


def desk_days_short(found: Found) -> int:
    need = found.need("desk-agents")
    first = CUT_OFF - timedelta(days=RECENT)
    days = [(getattr(day, "item", lambda d=day: d)(), use) for day, use in need.daily_use_history]
    return sum(use > float(need.usable_units) for day, use in days if day >= first)


def calls_a_month(found: Found) -> float:
    return measured(found, "service-desk", "calls_offered_daily") / (1096 / MONTH)


def stale(found: Found) -> Any:
    """The one silent metric."""
    quality = found.frames["quality"]
    rows = quality[quality["stale_slices"] > 0]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def last_sample(found: Found) -> date:
    day = stale(found)["last"].tz_convert(ZoneInfo("Europe/Berlin")).date()
    assert isinstance(day, date)
    return day


def warnings(found: Found, service: str) -> int:
    return int((found.frames["warnings"]["service"] == service).sum())


Check = Callable[[Found], Value]


def passage(truth: str, name: str, resource: str) -> dict[str, Check]:
    return {f"{truth} {name}_p{q}": partial(exhausted, resource=resource, quantile=q) for q in (10, 50, 90)}


def shop(found: Found) -> float:
    return p_miss(found, "web-shop", "sla-web-shop", "2027-01", "2027-02")


def exhaustion(found: Found, resource: str) -> float:
    return found.need(resource).probability_exhausted


def month(found: Found, service: str, agreement: str, period: str) -> float:
    return p_miss(found, service, agreement, period)


def gap(found: Found, rule: str) -> CatalogueFinding:
    """The one finding of a rule of the audit."""
    (one,) = [finding for finding in found.gaps if finding.rule == rule]
    return one


def share(text: str, before: str) -> float:
    """The percentage that stands before the words, as a share."""
    found = re.search(rf"([0-9.]+) % {before}", text)
    assert found is not None, (text, before)
    return float(Decimal(found.group(1)) / 100)


OBJECTIVES = {
    "sla-payments-api": "payments-api", "uc-psp": "payments-api", "sla-product-search": "product-search",
    "sla-email": "email", "uc-email-supplier": "email", "sla-vdi": "vdi", "uc-cdn": "cdn",
    "ola-kubernetes-platform": "kubernetes-platform", "ola-storage": "storage", "uc-wan-circuit-a": "wan-link",
    "uc-wan-circuit-b": "wan-link", "sla-sap-erp": "sap-erp", "sla-service-desk": "service-desk",
}  # fmt: skip
RESOURCES = (
    "web-shop-pods", "psp-licence-tier", "search-nodes", "vdi-hosts", "saps", "kubernetes-nodes", "mailbox-seats",
)  # fmt: skip
CHECKS: dict[str, Check] = {
    "T1 p_miss_99.90_month": shop,
    "T1 mean_availability": mean_attainment,
    "T1 history_availability_seed_7": availability,
    "T1 history_p_miss_equal_days_seed_7": shop,
    "T1 history_p_miss_half_life_60_seed_7": shop,
    "T2 p95_reaches_480_weeks": lambda f: (p95_night(f) - CUT_OFF).days / 7,
    "T2 p95_reaches_480": p95_night,
    "T2 p90_reaches_480": lambda f: reached(f, "batch-window", "p90"),
    "T2 median_reaches_480_weeks": lambda f: (reached(f, "batch-window", "p50") - CUT_OFF).days / 7,
    "T2 median_reaches_480": lambda f: reached(f, "batch-window", "p50"),
    **passage("T2", "first_late_night", "batch-window"),
    "T3 growth_per_month": lambda f: growth(f, "wan-capacity", factor=True),
    "T3 months_to_80_percent": lambda f: months(reached(f, "wan-capacity", "p50")),
    "T3 reaches_80_percent": lambda f: reached(f, "wan-capacity", "p50"),
    "T3 order_by": lambda f: order_by(f, "wan-capacity"),
    **passage("T3", "passes_limit", "wan-capacity"),
    "T4 growth_tb_per_month": lambda f: growth(f, "storage-tb", factor=False),
    "T4 months_to_85_percent": lambda f: months(reached(f, "storage-tb", "p50")),
    "T4 reaches_85_percent": lambda f: reached(f, "storage-tb", "p50"),
    "T4 order_by": lambda f: order_by(f, "storage-tb"),
    **passage("T4", "passes_limit", "storage-tb"),
    "T4 months_to_85_percent_with_d7": lambda f: months(with_law(f)),
    "T4 order_by_with_d7": with_law_order,
    "T5 removable_nodes": lambda f: -float(given_back(f).units),
    "T5 saving_per_year": lambda f: -12 * given_back(f).opex_per_month,
    "T6 sessions_with_d2": sessions_acquired,
    "T6 use_of_n_plus_1_with_d2": lambda f: sessions_acquired(f) / 1170,
    "campaign peak_rps": campaign_rps,
    "campaign pods": lambda f: f.planned("web-shop-pods").required_p50,
    "campaign pods_added": lambda f: f.planned("web-shop-pods").required_p50 - 64,
    "campaign cost_per_month": lambda f: 118 * (f.planned("web-shop-pods").required_p50 - 64),
    "campaign share_of_workload_limit": lambda f: campaign_rps(f) / 3000,
    "campaign payments_tps": lambda f: f.planned("psp-licence-tier").use_p50,
    "T5 utilisation_at_peak": lambda f: f.need("search-nodes").use_now / 12,
    "T5 utilisation_p95_of_daily_peaks_seed_7": lambda f: f.need("search-nodes").use_now / 12,
    "T5 months_at_99.95_of_last_24_seed_7": lambda f: sum(v >= 0.9995 for v in search_months(f)),
    "T5 lowest_month_of_last_24_seed_7": lambda f: min(search_months(f)),
    "T6 sessions_p95_of_daily_peaks_seed_7": lambda f: 90 * f.need("vdi-hosts").use_now,
    "T6 usable_sessions": lambda f: 90 * float(f.need("vdi-hosts").usable_units),
    "T6 probability_exhausted_base": lambda f: f.need("vdi-hosts").probability_exhausted,
    "T7 promise": lambda f: share(gap(f, "target-needs-redundancy").message, "only if"),
    "T7 product_one_circuit": lambda f: share(gap(f, "target-needs-redundancy").evidence, "where each group"),
    "T7 product_pair": lambda f: share(gap(f, "target-needs-redundancy").evidence, "as declared"),
    "T8 promise": lambda f: share(gap(f, "target-above-weakest-link").evidence, ">"),
    "T8 supplier": lambda f: share(gap(f, "target-above-weakest-link").evidence, "of uc-email-supplier"),
    "T9 tb_per_month_now": lambda f: f.need("cdn-commit").use_now,
    "T9 growth_per_month": lambda f: growth(f, "cdn-commit", factor=True),
    "T9 months_to_900": lambda f: months(reached(f, "cdn-commit", "p50")),
    "T9 passes_900": lambda f: reached(f, "cdn-commit", "p50"),
    "T9 order_by": lambda f: order_by(f, "cdn-commit"),
    **passage("T9", "passes_limit", "cdn-commit"),
    **{f"T10 agents_for_{n}_calls": partial(agents_for, calls=n) for n in (95, 106, 120, 140)},
    **{
        f"T10 service_level_{agents}_agents_{calls}_calls": partial(answered, agents=agents, calls=calls)
        for agents, calls in ((15, 95), (15, 106), (17, 106))
    },
    "T10 busy_hour_p95_of_daily_peaks_seed_7": lambda f: desk_limit(f) / f.need("desk-agents").supported_growth,
    "T10 calls_15_agents_carry": desk_limit,
    "T10 recent_days_above_that_seed_7": desk_days_short,
    "T10 contacts_per_month_seed_7": calls_a_month,
    "T11 lowest_month_seed_7": lambda f: min(sap_months(f)),
    "T11 highest_month_seed_7": lambda f: max(sap_months(f)),
    "T11 months_met_seed_7": lambda f: sum(v >= 0.998 for v in sap_months(f)),
    "T12 services_without_agreement": lambda f: gap(f, "service-without-agreement").subject,
    "T13 stale_days": lambda f: int(stale(f)["stale_slices"]),
    "T13 last_sample": last_sample,
    "T13 stale_metric": lambda f: str(stale(f)["metric"]),
    "T14 expires": lambda f: date.fromisoformat(gap(f, "agreement-expiring").message.split()[3]),
    "T14 agreement_that_expires": lambda f: gap(f, "agreement-expiring").subject,
    "T14 slas_without_ola_or_uc": lambda f: gap(f, "sla-without-underpinning").subject,
    "Q1 p_miss_worst_of_four_months": lambda f: p_miss(f, "kubernetes-platform", "ola-kubernetes-platform"),
    "Q1 p_miss_slo_worst_of_four_months": lambda f: p_miss(f, "kubernetes-platform", None),
    "Q1 warnings": lambda f: warnings(f, "kubernetes-platform"),
    "Q2 p_miss_worst_of_four_months": lambda f: p_miss(f, "cdn", "uc-cdn"),
    "Q2 p_miss_slo_worst_of_four_months": lambda f: p_miss(f, "cdn", None),
    "Q2 warnings": lambda f: warnings(f, "cdn"),
    "Q3 licensed_tps": lambda f: float(f.need("psp-licence-tier").usable_units),
    "Q3 probability_exhausted_in_12_months": lambda f: f.need("psp-licence-tier").probability_exhausted,
    **{
        f"other {agreement} p_miss_{period}": partial(month, service=service, agreement=agreement, period=period)
        for agreement, service in OBJECTIVES.items()
        for period in ("2026-12" if agreement == "sla-payments-api" else "2027-01",)
    },
    **{f"other {resource} p_exhausted": partial(exhaustion, resource=resource) for resource in RESOURCES},
}


# --- The tests -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """One expected number of the file."""

    key: str
    value: float | str
    unit: str
    tolerance: float
    testable: bool
    reason: str | None
    """Why it cannot be found yet, of the figure or of its truth."""

    def distance(self, came: Value) -> float:
        """Difference in `unit`, days for dates; 0 or infinity for names."""
        if self.unit == "date":
            assert isinstance(came, date), came
            return abs((came - date.fromisoformat(str(self.value))).days)
        if isinstance(self.value, str) or isinstance(came, str | date):
            return 0.0 if came == self.value else math.inf
        return abs(came - self.value)

    def holds(self, came: Value) -> bool:
        return self.distance(came) <= self.tolerance + 1e-12


def _figures() -> list[Figure]:
    groups = [(truth["id"], truth["expected"], truth["not_yet"]) for truth in FILE["truths"]]
    groups += [("other", FILE["other_objectives"], None), ("other", FILE["other_resources"], None)]
    return [
        Figure(
            key=f"{group} {one['name']}",
            value=one["value"],
            unit=one["unit"],
            tolerance=one["tolerance"],
            testable=one["testable"],
            # A figure's own reason gives what was found; most wait for what their truth waits for.
            reason=one["note"] if group == "other" or "found" in (one["note"] or "") else not_yet,
        )
        for group, figures, not_yet in groups
        for one in figures
    ]


FIGURES = _figures()
TESTABLE = [figure for figure in FIGURES if figure.testable]


def test_every_testable_number_has_a_check_and_only_numbers_of_the_file_have_one() -> None:
    keys = [figure.key for figure in FIGURES]
    assert len(set(keys)) == len(keys)
    assert {figure.key for figure in TESTABLE} - set(CHECKS) == set()
    assert set(CHECKS) - set(keys) == set()


@pytest.mark.parametrize("figure", [f for f in FIGURES if not f.testable], ids=lambda figure: figure.key)
def test_what_is_not_found_yet_says_why_in_words(figure: Figure) -> None:
    assert figure.reason is not None
    assert len(figure.reason.split()) >= 5, figure.reason


@pytest.mark.nightly
@pytest.mark.xdist_group("meridian")
@pytest.mark.parametrize("figure", TESTABLE, ids=lambda figure: figure.key)
def test_the_chain_finds_the_planted_number(found: Found, figure: Figure) -> None:
    came = CHECKS[figure.key](found)
    assert figure.holds(came), f"{figure.key}: found {came}, true {figure.value} +- {figure.tolerance} {figure.unit}"


@pytest.mark.nightly
@pytest.mark.xdist_group("meridian")
@pytest.mark.parametrize("service", ["kubernetes-platform", "cdn", "payments-api"])
def test_the_quiet_services_have_no_early_warning(found: Found, service: str) -> None:
    assert warnings(found, service) == 0


@pytest.mark.nightly
@pytest.mark.xdist_group("meridian")
def test_the_payment_licence_asks_for_no_decision(found: Found) -> None:
    assert "psp-licence-tier" not in set(found.frames["options"]["resource"])


@pytest.mark.nightly
@pytest.mark.xdist_group("meridian")
def test_the_table_of_what_is_found_lists_every_number(found: Found, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["| Figure | True | Tolerance | Found |", "|---|---|---|---|"]
    for figure in FIGURES:
        check = CHECKS.get(figure.key)
        came = _short(check(found)) if check else "–"
        state = f"{came}" if figure.testable else f"expected ({came}): {figure.reason}"
        lines.append(f"| {figure.key} | {_short(figure.value)} {figure.unit} | {_short(figure.tolerance)} | {state} |")
    assert len(lines) == 2 + len(FIGURES)
    with capsys.disabled():
        print("", *lines, sep="\n")


def _short(value: Value) -> str:
    """Five significant digits, nine where only nines differ."""
    return (
        f"{value:.9g}"
        if isinstance(value, float) and 0.99 < value < 1
        else (f"{value:.5g}" if isinstance(value, float) else str(value))
    )
