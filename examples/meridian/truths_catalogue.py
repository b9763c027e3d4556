"""The truths that lie in the catalogue or in the quality of the data (T7, T8, T11 to T14)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import meridian_parameters as P
import numpy as np
from meridian_metrics import Metrics
from truths_common import Truth, figure

Document = dict[str, Any]


def documents(folder: Path) -> Iterator[Document]:
    """Yield every document of the catalogue."""
    import yaml

    for path in sorted(folder.glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


def _target(agreement: Document) -> float:
    """Return the target of an agreement as a share."""
    return float(str(agreement["spec"]["objectives"][0]["targetPercent"])) / 100


def chain(agreements: dict[str, Document]) -> Truth:
    """T7: the web shop's promise against what it relies on."""
    promise = _target(agreements["sla-web-shop"])
    parts = [_target(agreements[name]) for name in ("uc-cdn", "ola-kubernetes-platform", "ola-storage")]
    circuit = _target(agreements["uc-wan-circuit-a"])
    single = float(np.prod(parts)) * circuit
    pair = float(np.prod(parts)) * (1 - (1 - circuit) ** 2)
    return Truth(
        id="T7",
        statement="The web shop's promise is stricter than the product of what it relies on if the WAN counts as one "
        "circuit, and is covered if it counts as a pair: topology matters.",
        service="web-shop",
        resource=None,
        stage="catalogue audit",
        status="testable",
        not_yet=None,
        expected=(
            figure("promise", promise, "share", tolerance=0, design=0.999, testable=True),
            figure("product_one_circuit", single, "share", tolerance=1e-6, design=0.9983, testable=True),
            figure("product_pair", pair, "share", tolerance=1e-6, design=0.9993, testable=True),
        ),
    )


def supplier(agreements: dict[str, Document]) -> Truth:
    """T8: e-mail promises more than its supplier."""
    return Truth(
        id="T8",
        statement="E-mail promises 99.95 % on a supplier contract of 99.9 %.",
        service="email",
        resource=None,
        stage="catalogue audit",
        status="testable",
        not_yet=None,
        expected=(
            figure("promise", _target(agreements["sla-email"]), "share", tolerance=0, design=0.9995, testable=True),
            figure("supplier", _target(agreements["uc-email-supplier"]), "share", tolerance=0, design=0.999,
                   testable=True),
        ),
    )  # fmt: skip


def watermelon(metrics: Metrics) -> Truth:
    """T11: SAP is green outside and red inside."""
    clock, hours = metrics.clock, metrics.hours
    table = metrics.hourly["availability_hourly"].query("service == 'sap-erp'")
    down = (table["service_seconds"] - table["available_seconds"]).to_numpy(dtype=float)
    at = np.searchsorted(hours.hour_at, table["at"].to_numpy())
    day, local = hours.hour_day[at], hours.hour_local[at]
    ends = hours.day_month_end[day] & (local >= 8) & (local < 18)
    keys = np.array([one.year * 12 + one.month for one in clock.days])
    months = np.unique(keys)[1:-1].tolist()  # whole months only
    good, total = (metrics.daily["sap-erp", f"{name}_seconds_daily"] for name in ("available", "service"))
    levels = [float(good[keys == key].sum() / total[keys == key].sum()) for key in months]
    whole = np.isin(np.append(keys, 0)[day], months)
    score = metrics.daily["sap-erp", "csat_score"]
    slope = float(np.polyfit(np.arange(len(score)) / 365.25, score, 1)[0])
    planted = (P.CSAT_LAST - P.CSAT_FIRST) / ((len(score) - 1) / 365.25)
    return Truth(
        id="T11",
        statement="SAP meets 99.8 % every month, yet 70 % of its downtime falls into month-end hours and satisfaction "
        "falls.",
        service="sap-erp",
        resource=None,
        stage="diagnosis",
        status="testable",
        not_yet="the watermelon rule (share of downtime in peak business hours, satisfaction) comes with diagnosis; "
        "attainment finds that each month is met",
        expected=(
            figure("lowest_month_seed_7", min(levels), "share", tolerance=1e-9, design=0.9983, testable=True),
            figure("highest_month_seed_7", max(levels), "share", tolerance=1e-9, design=0.999, testable=True),
            figure("months_met_seed_7", sum(level >= 0.998 for level in levels), "months", tolerance=0, testable=True,
                   note=f"of {len(levels)} whole months"),
            figure("month_end_share_of_downtime", P.ERP_MONTH_END_SHARE, "share", tolerance=0.05, design=0.70,
                   testable=False, note="08:00 to 18:00 of the last three days from Monday to Saturday of a month"),
            figure("month_end_share_of_downtime_seed_7", float(down[ends & whole].sum() / down[whole].sum()), "share",
                   tolerance=0.01, testable=False, note="whole months with hourly data"),
            figure("csat_change_per_year", planted, "points", tolerance=0.05, testable=False),
            figure("csat_change_per_year_seed_7", slope, "points", tolerance=0.02, testable=False),
        ),
    )  # fmt: skip


def gaps(metrics: Metrics, agreements: dict[str, Document], services: list[str]) -> list[Truth]:
    """T12 to T14: what is missing."""
    promised = {a["spec"]["service"] for a in agreements.values()}
    without = [name for name in services if name not in promised]
    latency = metrics.daily["wan-link", "wan_latency_p95_ms"]
    stale = int(np.isnan(latency[::-1]).argmin())
    until = [(name, a["spec"]["validUntil"]) for name, a in agreements.items() if "validUntil" in a["spec"]]
    carried = {a["spec"]["service"] for a in agreements.values() if a["spec"]["kind"] == "SLA"}
    alone = [
        name
        for name, a in agreements.items()
        if a["spec"]["kind"] == "SLA" and not a["spec"].get("reliesOn") and a["spec"]["service"] in carried
    ]
    assert until[0][1] == date(2026, 12, 31)
    return [
        Truth(
            id="T12",
            statement="Gift cards is in the catalogue without an SLA.",
            service="gift-cards",
            resource=None,
            stage="catalogue audit",
            status="testable",
            not_yet=None,
            expected=(
                figure("services_without_agreement", ", ".join(without), "names", tolerance=0, design="gift cards",
                       testable=True),
            ),
        ),
        Truth(
            id="T13",
            statement="The WAN latency metric has been silent for nine days.",
            service="wan-link",
            resource=None,
            stage="history",
            status="testable",
            not_yet=None,
            expected=(
                figure("stale_days", stale, "days", tolerance=0, design=9, testable=True),
                figure("last_sample", metrics.clock.days[-1] - timedelta(days=stale), "date", tolerance=0,
                       testable=True),
                figure("stale_metric", "wan_latency_p95_ms", "name", tolerance=0, testable=True),
            ),
        ),
        Truth(
            id="T14",
            statement="The payments SLA ends on 31 December 2026 without a renewal; the service desk needs the network "
            "without an OLA.",
            service="payments-api",
            resource=None,
            stage="catalogue audit",
            status="testable",
            not_yet=None,
            expected=(
                figure("expires", until[0][1], "date", tolerance=0, design="2026-12-31", testable=True),
                figure("agreement_that_expires", until[0][0], "name", tolerance=0, testable=True),
                figure("slas_without_ola_or_uc", ", ".join(alone), "names", tolerance=0, testable=True),
            ),
        ),
    ]  # fmt: skip


def catalogue_truths(metrics: Metrics, folder: Path) -> list[Truth]:
    """Return the truths about the catalogue and the data."""
    every = list(documents(folder))
    agreements = {d["metadata"]["name"]: d for d in every if d["kind"] == "Agreement"}
    services = [d["metadata"]["name"] for d in every if d["kind"] == "Service"]
    return [chain(agreements), supplier(agreements), watermelon(metrics), *gaps(metrics, agreements, services)]
