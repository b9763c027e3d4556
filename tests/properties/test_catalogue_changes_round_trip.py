"""Any resource, measure, driver and scenario that can be read survives: written as documents, read again, the same."""

from __future__ import annotations

import json
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.adapters.catalogues import YamlFolder
from forecasting.adapters.openslo import export_openslo
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.history import Metric, MetricKind

Plain = dict[str, Any]
METRICS = {name: Metric(name=name, kind=MetricKind.COUNT) for name in ("all", "good", "units")}
DAYS = st.dates(date(2026, 1, 1), date(2028, 12, 31))
TEXTS = st.text(alphabet=st.sampled_from("aZ09 äß€–:#'\"{}[]&*!|>%@,=-~<.Ω"), min_size=1, max_size=30).map(
    lambda text: f"t{text}."
)
LENGTHS = st.integers(0, 400).map(lambda days: f"{days}d") | st.integers(0, 9000).map(lambda m: f"{m}m")


def number(low: int, high: int) -> st.SearchStrategy[str]:
    """A number strictly inside the ends, with up to six decimals, as text."""
    return st.tuples(st.integers(low, high - 1), st.integers(1, 999_999)).map(lambda p: f"{p[0]}.{p[1]:06d}")


SHARES, AMOUNTS, FACTORS = number(1, 99), number(0, 10**6), number(0, 5)
SIGNED = st.builds(lambda sign, text: sign + text, st.sampled_from(["", "-"]), AMOUNTS)


def document(kind: str, name: str, spec: Plain) -> Plain:
    api = "openslo/v1" if kind == "Service" else "forecasting/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec}


def block(needed: Plain, optional: Plain) -> st.SearchStrategy[Plain]:
    return st.fixed_dictionaries(needed, optional=optional)


CALLS: Plain = {"handlingTimeSeconds": number(0, 900), "answerWithinSeconds": number(0, 60), "targetPercent": SHARES}
STAFF: Plain = {"intervalMinutes": st.integers(1, 1440), "occupancyLimitPercent": SHARES, "shrinkagePercent": SHARES}
INTERVAL: Plain = {"intervalMinutes": st.integers(1, 1440)}
MODELS = st.one_of(
    block({"kind": st.just("erlang_c"), **CALLS}, STAFF),
    block({"kind": st.just("erlang_a"), "patienceSeconds": number(0, 900), **CALLS}, STAFF),
    block({"kind": st.just("time_varying"), **CALLS}, {"patienceSeconds": number(0, 900), **STAFF}),
    block({"kind": st.just("erlang_b"), "holdingTimeSeconds": number(0, 900), "targetPercent": SHARES}, INTERVAL),
    block(
        {"kind": st.just("ggc"), "serviceTimeSeconds": FACTORS, "withinSeconds": FACTORS, "targetPercent": SHARES},
        {"arrivalCv": FACTORS, "serviceCv": FACTORS, **INTERVAL},
    ),
    block({"kind": st.just("usl"), "gamma": AMOUNTS, "alpha": number(0, 1), "beta": FACTORS}, {}),
    st.just({"kind": "usl", "unitsMetric": "units", "throughputMetric": "all"}),
    block(
        {"kind": st.just("redundancy"), "unitAvailabilityPercent": SHARES, "targetPercent": SHARES},
        {"commonCausePercent": SHARES, "domains": st.integers(1, 9)},
    ),
    block(
        {"kind": st.just("backlog"), "within": st.sampled_from(["30m", "8h", "2d"]), "targetPercent": SHARES},
        {"calendar": st.just("office")},
    ),
    st.just({"kind": "growing_stock"}),
    st.just({"kind": "response_curve", "good": "good", "total": "all"}),
)


@st.composite
def resources(draw: st.DrawFn) -> Plain:
    found = draw(
        block(
            {"services": st.just(["shop"]), "use": st.just({"service": "shop", "metric": "all"}), "unit": TEXTS,
             "unitsNow": number(10, 99), "model": MODELS},
            {"perUnit": AMOUNTS, "usablePercent": SHARES, "stepUnits": AMOUNTS, "maxUnits": number(100, 999),
             "redundantUnits": number(0, 9), "minUnits": number(0, 9), "capexPerUnit": AMOUNTS, "orderCost": AMOUNTS,
             "costPerUnitMonth": AMOUNTS, "leaseMonths": st.integers(0, 600), "kwhPerUnitMonth": AMOUNTS,
             "co2KgPerUnitMonth": AMOUNTS, "priceDate": DAYS.map(date.isoformat), "description": TEXTS},
        )
    )  # fmt: skip
    if draw(st.booleans()):
        early = draw(st.integers(0, 3))
        found["leadSteps"] = [
            {"name": f"step {k}", **dict(zip(("low", "mode", "high"), _ordered(draw), strict=True))}
            | ({"beforeOrder": True} if k < early else {})
            for k in range(draw(st.integers(1, 3)))
        ]
    elif draw(st.booleans()):
        found["leadTime"] = draw(LENGTHS)
    return found


def _ordered(draw: st.DrawFn) -> list[str]:
    return [f"{minutes}m" for minutes in sorted(draw(st.lists(st.integers(0, 90_000), min_size=3, max_size=3)))]


@st.composite
def measures(draw: st.DrawFn) -> Plain:
    kind = draw(st.sampled_from(
        ["tune", "shift_demand", "shape_demand", "change_supplier", "commit", "retire", "improve_monitoring",
         "add_redundancy"]
    ))  # fmt: skip
    needed: Plain = {
        "tune": {"perUnitMultiplier": FACTORS}, "shift_demand": {"peakMultiplier": number(0, 1)},
        "shape_demand": {"demandMultiplier": FACTORS}, "add_redundancy": {"badMultiplier": FACTORS},
        "change_supplier": {"promisedPercent": SHARES, "supplierAgreement": st.just("uc-a")},
    }.get(kind, {})  # fmt: skip
    optional: Plain = {
        "commit": {"supplierAgreement": st.just("uc-a")}, "retire": {"savesOpexOfResource": st.booleans()},
    }.get(kind, {})  # fmt: skip
    always: Plain = {"kind": st.just(kind), "label": TEXTS, "services": st.just(["shop"]), "resource": st.just("res")}
    others: Plain = {
        "demandMultiplier": FACTORS, "peakMultiplier": number(0, 1), "perUnitMultiplier": FACTORS, "capex": AMOUNTS,
        "opexPerMonth": SIGNED, "leadTime": LENGTHS, "availableFrom": DAYS.map(date.isoformat),
        "priceDate": DAYS.map(date.isoformat), "kwhPerMonth": SIGNED, "co2KgPerMonth": SIGNED,
        "reversibility": TEXTS, "risk": TEXTS, "sideEffects": TEXTS, **optional,
    }  # fmt: skip
    unsaid = {key: made for key, made in others.items() if key not in needed}
    found = draw(block({**always, **needed}, unsaid))
    if draw(st.booleans()):
        ends = sorted(draw(st.lists(number(1, 9), min_size=3, max_size=3)))
        found |= dict(zip(("badMultiplierLow", "badMultiplier", "badMultiplierHigh"), ends, strict=True))
    return found


@st.composite
def courses(draw: st.DrawFn, *, factor: bool) -> Plain:
    sizes = sorted(draw(st.lists(st.integers(0 if factor else -(10**6), 10**6), min_size=3, max_size=3)))
    start = draw(DAYS)
    found: Plain = {key: f"{size / 1000:.3f}" for key, size in zip(("low", "mode", "high"), sizes, strict=True)}
    found["start"] = start.isoformat()
    if draw(st.booleans()):
        found["end"] = (start + timedelta(days=draw(st.integers(1, 900)))).isoformat()
    return found | draw(block({}, {"statement": TEXTS}))


@st.composite
def effects(draw: st.DrawFn) -> Plain:
    kind = draw(st.sampled_from(["multiplier", "step", "trend"]))
    found = draw(block({"service": st.just("shop"), "metric": st.just("all")}, {"rampDays": st.integers(0, 3660)}))
    return {**found, "kind": kind, **draw(courses(factor=kind == "multiplier"))}


@st.composite
def resource_effects(draw: st.DrawFn) -> Plain:
    kind = draw(st.sampled_from(
        ["price_multiplier", "units_multiplier", "units_step", "lead_time_multiplier", "usable_multiplier"]
    ))  # fmt: skip
    return {"resource": "res", "kind": kind, **draw(courses(factor=kind != "units_step"))}


SIGNPOSTS = st.one_of(
    block({"statement": TEXTS}, {"due": DAYS.map(date.isoformat), "service": st.just("shop")}),
    block(
        {"statement": TEXTS, "service": st.just("shop"), "metric": st.just("all"), "above": SIGNED}, {"below": SIGNED}
    ),
)
OUTCOMES = st.one_of(
    block({"happened": st.just(True), "on": DAYS.map(date.isoformat)}, {"size": SIGNED, "note": TEXTS}),
    block({"happened": st.just(False), "on": DAYS.map(date.isoformat)}, {"note": TEXTS}),
)
CATEGORIES = ["technical", "market", "industrial", "socio-economic", "legislative", "sustainability", "internal"]
DRIVERS = block(
    {"category": st.sampled_from(CATEGORIES), "statement": TEXTS, "status": st.sampled_from(["plan", "act"]),
     "effects": st.lists(effects(), min_size=1, max_size=2)},
    {"evidence": TEXTS, "evidenceDate": DAYS.map(date.isoformat), "likelihoodPercent": SHARES,
     "horizon": st.sampled_from(["H1", "H2", "H3"]), "owner": TEXTS, "services": st.just(["shop"]),
     "resourceEffects": st.lists(resource_effects(), max_size=2), "signposts": st.lists(SIGNPOSTS, max_size=2),
     "plannedUntil": st.just("2029-12-31"), "outcome": OUTCOMES},
)  # fmt: skip


@st.composite
def scenarios(draw: st.DrawFn) -> Plain:
    found = draw(
        block(
            {"without": st.just(["driver"])},
            {"description": TEXTS, "probabilityPercent": SHARES, "drivers": st.just(["other"])},
        )
    )
    own: Plain = {"driver": draw(TEXTS)}
    if draw(st.booleans()):
        own["likelihoodPercent"] = draw(SHARES)
    for key, made in (("effects", effects()), ("resourceEffects", resource_effects())):
        if draw(st.booleans()):
            found[key] = [{**own, **draw(made)}]
    return found


FIXED = [
    document("Service", "shop", {"description": "Shop"}),
    document("Customer", "sales", {}),
    document("Calendar", "office", {"zone": "UTC", "weekly": {"mon-fri": ["08:00-18:00"]}}),
    document("HorizonDriver", "other", {"category": "market", "statement": "x", "services": ["shop"]}),
    document("Agreement", "uc-a", {
        "kind": "UC", "service": "shop", "customer": "sales", "provider": "p", "validFrom": "2026-01-01",
        "objectives": [{"name": "up", "targetPercent": 99, "indicator": {"ratio": {"total": "all", "good": "good"}},
                        "window": {"calendar": "month", "zone": "UTC"}}]}),
]  # fmt: skip


def load(text: str) -> Catalogue:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "all.yaml").write_text(text, encoding="utf-8")
        return YamlFolder(Path(folder), METRICS, currency="EUR", name="c").load()


@settings(derandomize=True, max_examples=60, deadline=None)
@given(resources(), measures(), DRIVERS, scenarios())
def test_they_survive_the_round_trip(resource: Plain, measure: Plain, driver: Plain, scenario: Plain) -> None:
    made = [
        *FIXED,
        document("Resource", "res", resource),
        document("Measure", "measure", measure),
        document("HorizonDriver", "driver", driver),
        document("Scenario", "scenario", scenario),
    ]
    first = load("\n---\n".join(json.dumps(one, ensure_ascii=False) for one in made))
    text = export_openslo(first, ours=True)
    again = load(text)
    for name in ("resources", "measures", "horizon_drivers", "scenarios"):
        assert len(getattr(first, name)) >= 1
        assert getattr(again, name) == getattr(first, name), name
    assert export_openslo(again, ours=True) == text
