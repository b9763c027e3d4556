"""Compute what is true of Meridian from the generator's parameters, and write or check `expected_truths.json`.

    python examples/meridian/truths.py            write the file
    python examples/meridian/truths.py --check    compare the committed file with a new computation

Closed forms where there are any; otherwise the generator's own processes are simulated many times and the Monte
Carlo error is printed beside the figure. What is read off the one history of seed 7 says so.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import meridian_parameters as P  # noqa: E402
import numpy as np  # noqa: E402
from meridian_metrics import Metrics, capacity_rps, simulate  # noqa: E402
from meridian_model import Floats, attainment_samples, expected_demand, failing_share, make_clock  # noqa: E402
from truths_capacity import capacity_truths, other_resources  # noqa: E402
from truths_catalogue import catalogue_truths  # noqa: E402
from truths_common import SAMPLES, Figure, Truth, figure, probability  # noqa: E402

SEED = 7
FILE = HERE / "expected_truths.json"
QUARTER = ((2027, 1), (2027, 2), (2027, 3))


def month_weights(service: str, year: int, month: int) -> Floats:
    """Return the expected demand (or the counted seconds) of every hour of a local month."""
    clock = make_clock(date(year, month, 1), date(year + month // 12, month % 12 + 1, 1))
    if service == "web-shop":
        return expected_demand(P.WEB_SHOP, clock)
    if service == "payments-api":
        return expected_demand(P.PAYMENTS, clock)
    if service == "product-search":
        return expected_demand(P.SEARCH, clock)
    return clock.in_service_hours().astype(float) if service == "vdi" else np.ones(len(clock.hour_at))


def base_bad_share(service: str, weights: Floats) -> float:
    """Return the demand-weighted share of requests that fail outside incidents."""
    if service not in P.BASE_BAD_SHARE:
        return 0.0
    share = failing_share(weights / capacity_rps(service), P.BASE_BAD_SHARE[service], P.LOAD_BAD_SHARE)
    return float(np.average(share, weights=weights))


def samples(service: str, year: int, month: int, incidents: P.Incidents | None = None, n: int = SAMPLES) -> Floats:
    """Simulate the attainment of a calendar month n times."""
    weights = month_weights(service, year, month)
    process = incidents or P.INCIDENTS[service]
    rng = np.random.default_rng(np.random.SeedSequence([2027, year, month, len(service)]))
    return attainment_samples(process, weights, base_bad_share(service, weights), n, rng)


def day_bootstrap(metrics: Metrics, half_life_days: float | None) -> float:
    """Return P(miss) of a 31-day month that resampling single days of the seed's history gives."""
    total = metrics.daily["web-shop", "requests_daily"]
    bad = total - metrics.daily["web-shop", "good_requests_daily"]
    age = np.arange(len(total), 0, -1.0)
    weights = np.ones(len(total)) if half_life_days is None else 0.5 ** (age / half_life_days)
    days = np.random.default_rng(1).choice(len(total), (20_000, 31), p=weights / weights.sum())
    return float((bad[days].sum(1) > 0.001 * total[days].sum(1)).mean())


def histories_range(half_life_days: float) -> tuple[float, float]:
    """Return the 5 and 95 % quantiles of what a recency-weighted day bootstrap says on other histories."""
    rng = np.random.default_rng(2)
    days, months = 1096, 36
    age = np.arange(days, 0, -1.0)
    weights = 0.5 ** (age / half_life_days)
    found = []
    for _ in range(300):
        p = P.WEB_SHOP_INCIDENTS
        count = rng.poisson(p.per_month * (1 + p.followers) * months)
        bad = np.zeros(days)
        lengths = np.exp(rng.normal(math.log(p.median_s), p.sigma, count)) / 86_400.0
        np.add.at(bad, rng.integers(0, days, count), lengths)
        drawn = rng.choice(days, (1_000, 31), p=weights / weights.sum())
        found.append(float((bad[drawn].mean(1) > 0.001).mean()))
    low, high = np.quantile(found, (0.05, 0.95))
    return float(low), float(high)


def web_shop(metrics: Metrics) -> Truth:
    """T1: the web shop's risk."""
    months = [samples("web-shop", *month) for month in QUARTER]
    miss = [float((a < 0.999).mean()) for a in months]
    pooled = np.concatenate(months)
    tiers = ((0.999, 0.05), (0.995, 0.10), (0.990, 0.25))
    share = np.zeros(len(pooled))
    for below, credit in tiers:
        share[pooled < below] = credit
    low, high = histories_range(60.0)
    good = metrics.daily["web-shop", "good_requests_daily"].sum() / metrics.daily["web-shop", "requests_daily"].sum()
    p_miss = float(np.mean(miss))
    more = P.Incidents(per_month=P.WEB_SHOP_INCIDENTS.per_month + 1, median_s=580, sigma=1.23, followers=0.15)
    second = P.Incidents(per_month=P.WEB_SHOP_INCIDENTS.per_month, median_s=210, sigma=1.23, followers=0.15)
    other = {name: samples("web-shop", 2027, 1, kind) for name, kind in (("more", more), ("second", second))}
    figures = [
        probability("p_miss_99.90_month", p_miss, SAMPLES * 3, design=0.15, tolerance=0.12, testable=True,
                    note="a day bootstrap with a half-life of 60 days says "
                    f"{low:.2f} to {high:.2f} (5 to 95 %) on other three-year histories of the same process"),
        figure("mean_availability", float(pooled.mean()), "share", design=0.9995, tolerance=0.0002, testable=True,
               mc_error=float(pooled.std() / math.sqrt(len(pooled)))),
        figure("history_availability_seed_7", float(good), "share", tolerance=1e-9, testable=True),
        figure("history_p_miss_equal_days_seed_7", day_bootstrap(metrics, None), "probability", tolerance=0.03,
               testable=False, note="resampling single days of the three years with equal weight; the risk stage says "
               "0.11 to 0.13, since it weighs days by recency (half-life a year) and draws blocks of days"),
        figure("history_p_miss_half_life_60_seed_7", day_bootstrap(metrics, 60.0), "probability", tolerance=0.08,
               testable=True, note="the same with weights that halve every 60 days"),
        probability("p_all_met_q1_2027", math.prod(1 - p for p in miss), SAMPLES, design=0.62, tolerance=0.15,
                    testable=False),
        figure("expected_credit_month", 185_000 * float(share.mean()), "EUR", design=1490, tolerance=400,
               testable=False, mc_error=185_000 * float(share.std() / math.sqrt(len(share)))),
        *(probability(f"p_meet_{100 * target:g}", float((pooled >= target).mean()), SAMPLES * 3, design=design,
                      tolerance=0.03, testable=False)
          for target, design in ((0.998, 0.945), (0.9985, 0.91), (0.999, 0.85), (0.9995, 0.72), (0.9999, 0.46))),
        probability("p_miss_with_second_region", float((other["second"] < 0.999).mean()), SAMPLES, design=0.025,
                    tolerance=0.02, testable=False, note="median outage 3.5 min"),
        probability("p_miss_with_one_more_incident_a_month", float((other["more"] < 0.999).mean()), SAMPLES,
                    design=0.327, tolerance=0.05, testable=False),
    ]  # fmt: skip
    return Truth(
        id="T1",
        statement="The web shop misses 99.9 % in about one month in seven although its mean availability is 99.95 %.",
        service="web-shop",
        resource=None,
        stage="service_levels.breach",
        status="testable",
        not_yet="the mean over the paths is too low, as the level of badness strays with a mean above 1 (the "
        "probability of a miss is right); the joint probability of a quarter, other targets, and other ways of "
        "running wait for the portfolio outlook, the negotiation desk and scenarios",
        expected=tuple(figures),
    )


def other_objectives() -> list[Figure]:
    """P(miss) of every agreement for January 2027 (December for payments, whose agreement ends; the batch is in T2).

    Tolerances are what histories of three years can say: the 95 % quantile of a day bootstrap with a half-life of a
    year on 300 other histories of the same process is 0.06 for payments, 0.13 for e-mail (0.05 for its supplier), 0.01
    for desktops, 0.04 for one circuit and 0 for the rest, where 0.02 is left for Monte Carlo error and the prior of
    the risk model.
    """
    found = [
        probability("sla-payments-api p_miss_2026-12", float((samples("payments-api", 2026, 12) < 0.9995).mean()),
                    SAMPLES, tolerance=0.06, testable=True)
    ]  # fmt: skip
    found += [
        probability(f"{agreement} p_miss_2027-01", float((samples(service, 2027, 1) < target).mean()), SAMPLES,
                    tolerance=tolerance, testable=not note, note=note)
        for agreement, service, target, tolerance, note in (
            ("uc-psp", "payments-api", 0.9995, 0.06, None),
            ("sla-product-search", "product-search", 0.995, 0.02, None),
            ("sla-email", "email", 0.9995, 0.10, None),
            ("uc-email-supplier", "email", 0.999, 0.03, None),
            ("sla-vdi", "vdi", 0.993, 0.05, None),
            ("uc-cdn", "cdn", 0.9999, 0.02, None),
            ("ola-kubernetes-platform", "kubernetes-platform", 0.9995, 0.02, None),
            ("ola-storage", "storage", 0.9999, 0.02, None),
            ("uc-wan-circuit-a", "wan-circuit-a", 0.999, 0.03, None),
            ("uc-wan-circuit-b", "wan-circuit-b", 0.999, 0.03, None),
        )
    ]  # fmt: skip
    found.append(
        figure("sla-sap-erp p_miss_2027-01", 0.0, "probability", tolerance=0.02, testable=False,
               note="found 0.13: 0.16 % of the service seconds are lost at most, 0.2 % are allowed; days drawn at "
               "random do not know that a month never loses more, and a busier month-end is taken for a worse one")
    )  # fmt: skip
    found.append(
        figure("sla-service-desk p_miss_2027-01", 0.0, "probability", tolerance=0.02, testable=True,
               note="expected share 89 % with a standard deviation below 1 point")
    )  # fmt: skip
    return found


def quiet() -> list[Truth]:
    """Return the three services that must stay without a warning."""
    months = ((2026, 12), *QUARTER)
    found = []
    for number, service, objective, slo in (
        ("1", "kubernetes-platform", 0.9995, 0.9997),
        ("2", "cdn", 0.9999, 0.9999),
    ):
        worst = [samples(service, *month) for month in months]
        found.append(
            Truth(
                id=f"Q{number}",
                statement=f"No warning about the availability of {service}.",
                service=service,
                resource=None,
                stage="early_warning",
                status="testable",
                not_yet=None,
                expected=(
                    probability("p_miss_worst_of_four_months", max(float((a < objective).mean()) for a in worst),
                                SAMPLES, tolerance=0.05, testable=True),
                    probability("p_miss_slo_worst_of_four_months", max(float((a < slo).mean()) for a in worst),
                                SAMPLES, tolerance=0.05, testable=True),
                    figure("warnings", 0, "warnings", tolerance=0, testable=True),
                ),
            )
        )  # fmt: skip
    growth = (1 + P.PAYMENTS.growth) ** 12
    found.append(
        Truth(
            id="Q3",
            statement="No capacity warning about the payment licence in the base case: Black Friday stays below 450.",
            service="payments-api",
            resource="psp-licence-tier",
            stage="capacity",
            status="testable",
            not_yet="the peak of a named day is not a figure of the plan, and Black Friday 2027 is beyond its horizon",
            expected=(
                figure("peak_tps_black_friday_2026", 256 * (1 + P.PAYMENTS.growth) ** (6 / P.DAYS_PER_MONTH),
                       "payments a second", tolerance=15, design=256, testable=False),
                figure("peak_tps_black_friday_2027", 256 * growth, "payments a second", tolerance=20, testable=False),
                figure("licensed_tps", P.PSP_TPS, "payments a second", tolerance=0, testable=True),
                figure("probability_exhausted_in_12_months", 0.0, "probability", tolerance=0.01, testable=True,
                       note="the plan looks four months ahead, over this Black Friday but not the next"),
            ),
        )
    )  # fmt: skip
    return found


def compute() -> dict[str, Any]:
    """Return the whole file as plain values."""
    metrics = simulate(SEED)
    truths: Sequence[Truth] = [
        web_shop(metrics),
        *capacity_truths(metrics),
        *catalogue_truths(metrics, HERE / "catalogue"),
        *quiet(),
    ]
    order = [f"T{n}" for n in range(1, 15)] + ["campaign", "black-friday", "Q1", "Q2", "Q3"]
    by_id = {truth.id: truth for truth in truths}
    return {
        "organisation": "Meridian Retail Group (fictional)",
        "as_of": P.CUT_OFF.isoformat(),
        "seed": SEED,
        "monte_carlo_samples": SAMPLES,
        "truths": [_plain(asdict(by_id[name])) for name in order],
        "other_objectives": [_plain(asdict(one)) for one in other_objectives()],
        "other_resources": [_plain(asdict(one)) for one in other_resources()],
    }


def _plain(value: object) -> object:
    """Round numbers to ten significant digits and turn dates into text."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return float(f"{value:.10g}")
    return value


def table(content: dict[str, Any]) -> str:
    """Return the truths as a Markdown table: the first figures of each, those with a figure of the design first."""
    lines = ["| Truth | What is true | Computed (design) | Stage | Status | Not yet |", "|---|---|---|---|---|---|"]
    for truth in content["truths"]:
        figures = sorted(truth["expected"], key=lambda one: one["design"] is None)[:4]
        shown = "; ".join(
            f"{one['name'].replace('_', ' ')} {_short(one['value'])}"
            + ("" if one["design"] is None else f" ({_short(one['design'])})")
            for one in figures
        )
        found = sum(one["testable"] for one in truth["expected"])
        status = f"{truth['status']} ({found} of {len(truth['expected'])} figures)"
        cells = (truth["id"], truth["statement"], shown, truth["stage"], status, truth["not_yet"] or "–")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _short(value: object) -> str:
    """Return a number with four significant digits (five above 0.99, where the nines count)."""
    if isinstance(value, float):
        return f"{value:.5f}" if 0.99 < value < 1 else f"{value:.4g}"
    return str(value)


def differences(committed: Any, computed: Any, where: str = "") -> list[str]:
    """Return where two files differ: simulated numbers by half their Monte Carlo error, others by one in a million."""
    if isinstance(committed, dict) and isinstance(computed, dict):
        found = []
        slack = 0.5 * (committed.get("mc_error") or 0.0)
        for key in sorted(set(committed) | set(computed)):
            old: Any = committed.get(key)
            new: Any = computed.get(key)
            simulated = key in ("value", "mc_error") and isinstance(old, (int, float)) and isinstance(new, (int, float))
            if not (simulated and abs(float(old) - float(new)) <= slack):
                found += differences(old, new, f"{where}/{key}")
        return found
    if isinstance(committed, list) and isinstance(computed, list) and len(committed) == len(computed):
        pairs = enumerate(zip(committed, computed, strict=True))
        return [line for i, (old, new) in pairs for line in differences(old, new, f"{where}/{i}")]
    if isinstance(committed, (int, float)) and isinstance(computed, (int, float)):
        same = math.isclose(committed, computed, rel_tol=1e-6, abs_tol=1e-12)
    else:
        same = committed == computed
    return [] if same else [f"{where}: file {committed!r}, computed {computed!r}"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write or check the expected truths of the demo organisation.")
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    parser.add_argument("--table", action="store_true", help="print the committed file as a Markdown table")
    options = parser.parse_args(arguments)
    if options.table:
        print(table(json.loads(FILE.read_text(encoding="utf-8"))), end="")
        return 0
    computed = compute()
    if not options.check:
        FILE.write_text(json.dumps(computed, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        print(f"{FILE.name}: {len(computed['truths'])} truths")
        return 0
    found = differences(json.loads(FILE.read_text(encoding="utf-8")), computed)
    for line in found:
        print(line)
    print("the file is up to date" if not found else f"{len(found)} differences; run truths.py to rewrite the file")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
