"""Every field of our own kinds survives: read, written as documents, read again, the same terms."""

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
METRICS = {
    "up": Metric(name="up", kind=MetricKind.RATIO, step=timedelta(minutes=5)),
    "down": Metric(name="down", kind=MetricKind.NON_NEGATIVE, step=timedelta(minutes=5)),
    "good": Metric(name="good", kind=MetricKind.COUNT, step=timedelta(minutes=5)),
    "bad": Metric(name="bad", kind=MetricKind.COUNT, step=timedelta(minutes=5)),
    "all": Metric(name="all", kind=MetricKind.COUNT, step=timedelta(minutes=5)),
    "ms": Metric(name="ms", kind=MetricKind.NON_NEGATIVE, step=timedelta(minutes=5)),
    "minutes": Metric(name="minutes", kind=MetricKind.NON_NEGATIVE, step=timedelta(days=1)),
}
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
DAYS = st.dates(date(2026, 1, 1), date(2028, 12, 31)).map(date.isoformat)
TEXTS = st.text(alphabet=st.sampled_from("aZ09 äß€–:#'\"{}[]&*!|>%@,=-~<.Ω"), min_size=1, max_size=30).map(
    lambda text: f"t{text}."
)
LENGTHS = st.sampled_from(["1m", "5m", "90m", "8h", "25h", "1d", "5d", "30d", "2w", "52w"])
DURATIONS = st.sampled_from(["1d", "5d", "30d", "2w", "52w"])


@st.composite
def percents(draw: st.DrawFn, low: int = 1, high: int = 99) -> float | int | str:
    """A percentage with up to seven decimals, written exactly."""
    whole, digits = draw(st.integers(low, high)), draw(st.integers(0, 7))
    return float(f"{whole}.{draw(st.integers(0, 10**digits - 1)):0{digits}d}") if digits else whole


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def kept(fields: Plain) -> Plain:
    return {key: value for key, value in fields.items() if value is not None}


HOURS = st.sampled_from(
    [[], ["00:00-24:00"], ["06:00-22:00"], ["08:00-12:00", "13:00-17:30"], ["22:00-06:00"], ["18:15-24:00"]]
)
WEEKS = st.fixed_dictionaries(
    {},
    optional={"mon-thu": HOURS, "fri": HOURS, "sat,sun": st.sampled_from([[], ["10:00-16:00"], ["00:00-24:00"]])},
).map(lambda week: week or {"daily": ["07:00-19:00"]})
VERSIONS = st.fixed_dictionaries(
    {"weekly": WEEKS},
    optional={
        "holidays": st.sampled_from(
            [
                {"country": "DE"},
                {"country": "DE", "subdivision": "BE", "hours": []},
                {"country": "US", "hours": ["10:00-14:00"]},
            ]
        ),
        "dates": st.dictionaries(DAYS, HOURS, max_size=3),
    },
)


@st.composite
def calendars(draw: st.DrawFn, name: str) -> Plain:
    spec: Plain = kept({"description": draw(maybe(TEXTS)), "zone": draw(ZONES)})
    if draw(st.booleans()):
        spec |= draw(VERSIONS)
    else:
        starts = sorted(draw(st.sets(DAYS, min_size=1, max_size=3)))
        spec["versions"] = [{"validFrom": day, **draw(VERSIONS)} for day in starts]
    return document("Calendar", name, spec)


def document(kind: str, name: str, spec: Plain, **metadata: str) -> Plain:
    api = "openslo/v1" if kind in ("Service", "SLO") else "forecasting/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


MAINTENANCE = st.fixed_dictionaries(
    {"weekdays": st.lists(st.sampled_from(["mon", "wed", "sat", "sun"]), min_size=1, max_size=3, unique=True),
     "span": st.sampled_from(["02:00-04:00", "22:00-02:00", "22:00-24:00"]), "zone": ZONES},
    optional={
        "nthOfMonth": st.sampled_from([[1], [1, 3], [-1], [2, 5]]),
        "validFrom": st.just("2026-01-01"),
        "validUntil": st.just("2028-12-31"),
        "reason": TEXTS,
        "mode": st.sampled_from(["remove", "drop_events", "count_as_good"]),
    },
)  # fmt: skip
EXCLUSIONS = st.fixed_dictionaries(
    {"from": st.sampled_from(["2026-11-03T10:00:00+01:00", "2026-11-03T10:00:30Z"]),
     "until": st.sampled_from(["2026-11-03T12:30:00+01:00", "2026-11-04T00:00:00Z"]), "reason": TEXTS},
    optional={"approvedBy": TEXTS, "evidence": TEXTS,
              "mode": st.sampled_from(["remove", "drop_events", "count_as_good"])},
)  # fmt: skip
AVAILABILITY = st.sampled_from(
    [
        {"metric": "up", "measures": "up"},
        {"metric": "down", "measures": "up_seconds"},
        {"metric": "down", "measures": "down_seconds"},
        {"outages": ["outage", "major-incident"], "logMetric": "all"},
    ]
)
RATIO = st.sampled_from(
    [
        {"total": "all", "good": "good"},
        {"total": "all", "bad": "bad"},
        {"total": "all", "good": "good", "cumulative": True},
    ]
)
TICKETS = st.fixed_dictionaries(
    {"stage": st.sampled_from(["resolution", "response"]), "within": LENGTHS},
    optional={"calendar": st.just("desk-hours"), "kinds": st.just(["incident", "request"]),
              "priorities": st.just(["1", "2"]), "pauses": st.booleans(),
              "countedAt": st.sampled_from(["due", "opened", "done"])},
)  # fmt: skip
DEADLINES = st.fixed_dictionaries(
    {"metric": st.just("minutes"), "by": st.sampled_from(["06:00", "00:00", "23:59"])},
    optional={"calendar": st.just("desk-hours")},
)
OP = st.sampled_from(["lt", "lte", "gt", "gte"])


@st.composite
def indicators(draw: st.DrawFn) -> tuple[Plain, Plain]:
    """An indicator, and the fields that its objective needs beside it."""
    kind = draw(st.sampled_from(
        ["availability", "quantile", "deadline", "ticket", "rawRatio", "ratio", "threshold", "composite"]
    ))  # fmt: skip
    beside: Plain = {}
    match kind:
        case "availability":
            spec = draw(AVAILABILITY)
        case "quantile":
            spec = {"metric": "ms", "quantilePercent": draw(percents(50)), "op": draw(OP), "value": draw(percents()),
                    "slice": draw(st.sampled_from(["10m", "1h"]))}  # fmt: skip
        case "deadline":
            spec = dict(draw(DEADLINES))
            if draw(st.booleans()):
                spec |= {"start": "22:00", "startDay": draw(st.sampled_from(["previous", "same"]))}
                spec["by"] = "23:30"
        case "ticket":
            spec = draw(TICKETS)
        case "rawRatio":
            spec = {"metric": "up", "counts": draw(st.sampled_from(["success", "failure"]))}
        case "ratio":
            spec = draw(RATIO)
        case "threshold":
            spec = {"metric": "ms"}
            beside = {"op": draw(OP), "value": draw(percents(0, 500))}
        case _:
            parts: list[Plain] = [{"objective": "slo-a"}, {"objective": "slo-b"}]
            if draw(st.booleans()):
                parts = [{**part, "weight": draw(st.sampled_from([0.4, 0.6, 2]))} for part in parts]
            spec = kept({"required": draw(maybe(st.integers(1, 2))), "components": parts})
            beside = {"method": "Timeslices", "sliceWindow": "5m", "sliceTargetPercent": 95}
            if "required" not in spec:
                beside = draw(st.sampled_from([{}, beside]))
    return {kind: spec}, beside


WINDOWS = st.sampled_from(
    [
        {"calendar": "month", "zone": "Europe/Berlin"},
        {"calendar": "quarter", "zone": "UTC"},
        {"calendar": "week", "zone": "UTC", "count": 2, "anchor": "2026-01-05 00:00:00"},
        {"calendar": "month", "zone": "Europe/Berlin", "count": 1, "anchor": "2026-01-15 12:00:00"},
        {"rolling": "30d", "zone": "America/New_York"},
    ]
)
OBJECTIVES = st.fixed_dictionaries(
    {"targetPercent": percents(50), "window": WINDOWS},
    optional={
        "displayName": TEXTS,
        "description": TEXTS,
        "minimumEvents": st.integers(1, 10**6),
        "noData": st.sampled_from(["unknown", "exclude"]),
        "strict": st.booleans(),
        "rounding": st.fixed_dictionaries(
            {"decimals": st.integers(0, 10)},
            optional={"mode": st.sampled_from(["half_up", "half_even", "down", "up"])},
        ),
        "minimumCoveragePercent": percents(),
        "alertPolicies": st.just(["page"]),
    },
)
METHODS = st.sampled_from(
    [
        {},
        {"method": "Timeslices", "sliceWindow": "5m", "sliceTargetPercent": 99.5},
        {"method": "Timeslices", "sliceWindow": "1h", "sliceTargetPercent": 100, "noTraffic": "good"},
        {"method": "RatioTimeslices", "sliceWindow": "1h", "noTraffic": "bad"},
        {"method": "RatioTimeslices", "sliceWindow": "90m", "noTraffic": "carry"},
    ]
)
CREDITS = st.fixed_dictionaries(
    {"feePerPeriod": percents(40_000, 390_000), "capPercent": percents(60)},
    optional={
        "capPerYear": percents(10**6, 10**7),
        "repeat": st.sampled_from([{"multiplier": 2, "within": 3}, {"multiplier": 1.5, "within": 1,
                                                                      "compounding": True}]),
        "earnBack": st.sampled_from([{"windows": 3, "reachPercent": 99.99999999, "sharePercent": 50},
                                     {"windows": 1, "reachPercent": 100}]),
        "proration": st.sampled_from(["time", "none"]),
        "claimWithin": DURATIONS,
        "termination": st.just({"misses": 3, "within": 12}),
        "joint": st.booleans(),
    },
)  # fmt: skip
TIERS = st.sampled_from(
    [
        {"tiers": [{"belowPercent": 99.9, "creditPercent": 5}, {"belowPercent": 49.5, "amount": 20000}]},
        {"tiers": [{"belowPercent": 40, "amount": 0.01}]},
    ]
)
AGREEMENTS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["SLA", "OLA", "UC"])},
    optional={
        "promise": TEXTS,
        "serviceHours": st.just("shop-hours"),
        "maintenance": st.lists(MAINTENANCE, min_size=1, max_size=2),
        "exclusions": st.lists(EXCLUSIONS, min_size=1, max_size=2),
        "grace": DURATIONS,
        "reviewMonths": st.integers(1, 24),
        "lastReview": st.just("2026-01-31"),
        "budgetPolicy": TEXTS,
        "confidential": st.booleans(),
        "lossPerBadEvent": percents(1, 500),
        "owner": TEXTS,
        "priceDate": DAYS,
        "workloadLimit": st.fixed_dictionaries({
            "metric": st.just("all"), "perSlice": st.sampled_from([3000, 10800000, 0.5]),
            "effect": st.sampled_from(["target suspended", "target scaled", "priced"])}),
        "reliesOn": st.sampled_from([
            ["ola-a"],
            ["ola-a", {"agreements": ["ola-a2", "ola-a3"], "required": 1, "independent": True}],
            [{"agreements": ["ola-a2", "ola-a3"], "required": 2}, {"agreements": ["ola-a"]}],
        ]),
    },
)  # fmt: skip
EFFECTS = st.fixed_dictionaries(
    {"driver": st.just("campaign"), "service": st.just("shop"), "metric": st.just("all"),
     "start": st.just("2027-03-01"),
     "kind": st.sampled_from(["multiplier", "step", "trend"]), "low": st.sampled_from([0.1, 1.8]), "mode": st.just(2.0),
     "high": st.sampled_from([2.0, 1e6, 2.3])},
    optional={"end": st.just("2027-03-08"), "rampDays": st.integers(0, 30), "likelihoodPercent": percents(),
              "statement": TEXTS},
)  # fmt: skip


def _small_agreement(name: str, service: str, kind: str = "OLA") -> Plain:
    window = {"calendar": "month", "zone": "UTC"}
    objective = {"name": f"{name}-up", "targetPercent": 99, "indicator": {"ratio": {"total": "all", "good": "good"}},
                 "window": window}  # fmt: skip
    spec = {"kind": kind, "service": service, "customer": "sales", "provider": "it", "validFrom": "2026-01-01",
            "version": "1", "objectives": [objective], "currency": "EUR"}  # fmt: skip
    return document("Agreement", name, spec)


def _slo(name: str) -> Plain:
    source = {"metricSource": {"type": "forecasting", "spec": {"metric": "up"}}}
    window = {"duration": "1M", "isRolling": False, "calendar": {"startTime": "2026-01-01 00:00:00", "timeZone": "UTC"}}
    return document("SLO", name, {
        "service": "shop",
        "indicator": {"metadata": {"name": f"{name}-i"}, "spec": {"thresholdMetric": source}},
        "timeWindow": [window],
        "budgetingMethod": "Occurrences",
        "objectives": [{"op": "gte", "value": 1, "target": 0.99}],
    })  # fmt: skip


FIXED = [
    document("Service", "shop", {}),
    *(document("Service", f"base-{k}", {"description": "Base"}) for k in (1, 2, 3)),
    document("Customer", "sales", {"displayName": "Sales"}),
    _slo("slo-a"),
    _slo("slo-b"),
    *(_small_agreement(name, f"base-{k}") for k, name in enumerate(("ola-a", "ola-a2", "ola-a3"), start=1)),
    document("Calendar", "desk-hours", {"zone": "UTC", "weekly": {"mon-fri": ["08:00-18:00"]}}),
    {
        "apiVersion": "openslo/v1",
        "kind": "AlertPolicy",
        "metadata": {"name": "page"},
        "spec": {
            "alertWhenBreaching": True,
            "conditions": [{
                "kind": "AlertCondition",
                "metadata": {"name": "fast"},
                "spec": {"severity": "page",
                         "condition": {"kind": "burnrate", "op": "gt", "threshold": 14.4, "lookbackWindow": "1h"}},
            }],
            "notificationTargets": [{"kind": "AlertNotificationTarget", "metadata": {"name": "desk"},
                                     "spec": {"target": "email"}}],
        },
    },
]  # fmt: skip


@st.composite
def catalogues(draw: st.DrawFn) -> list[Plain]:
    indicator, beside = draw(indicators())
    kind = next(iter(indicator))
    method = draw(METHODS) if kind in ("ratio", "threshold") or "metric" in indicator.get("availability", {}) else {}
    objective = {"name": "shop-kept", **draw(OBJECTIVES), "indicator": indicator, **method, **beside}
    spec = {"version": "2", "service": "shop", "customer": "sales", "provider": "it", "validFrom": "2026-01-01",
            "currency": "EUR", **draw(AGREEMENTS), "objectives": [objective]}  # fmt: skip
    if kind == "deadline":
        spec.pop("workloadLimit", None)  # its slices are days, those of the demand are not
    if draw(st.booleans()):
        spec["validUntil"] = "2028-12-31"
    before = []
    if draw(st.booleans()):
        spec["replaces"] = "sla-shop-2025"
        before = [_small_agreement("sla-shop-2025", "shop", spec["kind"])]
        before[0]["spec"] |= {"validFrom": "2025-01-01", "validUntil": "2025-12-31"}
    if draw(st.booleans()):
        hours = {"perHourPercent": draw(percents(1, 59))} if kind == "availability" and not method else None
        spec["credits"] = {**draw(CREDITS), **(hours or draw(TIERS))}
        objective["targetPercent"] = draw(st.sampled_from([99.9, 99.95, 99.9999999]))
        objective["window"] = {"calendar": "month", "zone": "Europe/Berlin"}
    effects = draw(st.lists(EFFECTS, min_size=1, max_size=2))
    scenario = kept({"description": draw(maybe(TEXTS)), "effects": effects})
    return [
        *FIXED,
        *before,
        draw(calendars("shop-hours")),
        document("Agreement", "sla-shop", spec),
        document("Scenario", "campaign", scenario, displayName="Spring campaign"),
    ]


def load(text: str) -> Catalogue:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "all.yaml").write_text(text, encoding="utf-8")
        return YamlFolder(Path(folder), METRICS, currency="EUR", name="c").load()


def written(documents: list[Plain]) -> str:
    return "\n---\n".join(json.dumps(one, ensure_ascii=False) for one in documents)


@settings(derandomize=True, max_examples=30, deadline=None)
@given(catalogues())
def test_our_kinds_survive_the_round_trip(documents: list[Plain]) -> None:
    first = load(written(documents))
    assert not first.notices, first.notices
    text = export_openslo(first, ours=True)
    again = load(text)
    for name in ("calendars", "agreements", "scenarios", "objectives", "customers", "services", "alert_policies"):
        assert getattr(again, name) == getattr(first, name), name
    assert export_openslo(again, ours=True) == text
    assert not again.notices, again.notices
