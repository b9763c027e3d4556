"""Write the catalogue of the airports example from metrics.parquet.

Usage::

    python examples/airports/make_catalogue.py             # write catalogue/*.yaml
    python examples/airports/make_catalogue.py --check     # exit 1 where a committed file differs
    python examples/airports/make_catalogue.py --table     # attainment by service and month, as Markdown

The flights are real. The agreements, prices and capacities are not: they are made up for the example by the rules
below, which see January to August 2013 only, so that September to December can judge the forecasts fairly.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass
from decimal import ROUND_HALF_DOWN, Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
ZONE = "America/New_York"
LAST_MONTH_SEEN = 8
"""Targets, fees and workload limits are set from months 1 to 8; months 9 to 12 are never looked at."""

AIRPORTS = {
    "ewr": "Newark Liberty International Airport",
    "jfk": "John F. Kennedy International Airport",
    "lga": "LaGuardia Airport",
}
SHORT = {"ewr": "Newark", "jfk": "JFK", "lga": "LaGuardia"}
CARRIERS = {
    "9e": "Endeavor Air",
    "aa": "American Airlines",
    "b6": "JetBlue Airways",
    "dl": "Delta Air Lines",
    "ev": "ExpressJet Airlines",
    "fl": "AirTran Airways",
    "mq": "Envoy Air",
    "ua": "United Air Lines",
    "us": "US Airways",
    "vx": "Virgin America",
    "wn": "Southwest Airlines",
}
REGIONAL = ("9e", "ev", "mq")
"""Carriers that fly mostly small regional jets, so a late departure harms fewer passengers."""

WEATHER = {
    "temperature_c": "Temperature",
    "wind_speed_kmh": "Wind",
    "precipitation_mm": "Precipitation",
    "visibility_km": "Visibility",
}

HALF_PERCENT = Fraction(1, 200)
STRICTER = {"on-time": Decimal("2.0"), "completion": Decimal("0.5")}
"""Percentage points by which the internal SLO is stricter than the SLA: the room to act."""
STRICTEST_SLO = Decimal("99.5")
COMPLETION_CARRIERS = 4
"""So many of the largest carrier services also promise completion; the three airports all do."""
FEE_PER_FLIGHT = {"on-time": 30, "completion": 10}
LADDER = {
    "on-time": ((Decimal(0), 5), (Decimal(5), 10), (Decimal(10), 15)),
    "completion": ((Decimal(0), 5), (Decimal(1), 10), (Decimal(2), 20)),
}
"""Credit steps: percentage points below the target, credit in percent of the month's fee."""
CAP_PERCENT = {"on-time": 15, "completion": 20}
LOSS_PER_LATE = {"airport": 350, "mainline": 450, "regional": 200}
LOSS_PER_CANCELLED = {"airport": 2000, "mainline": 2500, "regional": 1200}

SEEN = "January to August 2013"
WORKLOAD_MARGIN = Fraction(105, 100)
"""The workload limit of an airport, as a factor on its busiest hour so far."""
GENERATED = "# Written by make_catalogue.py: change the rule there and run it again, not this file.\n"
ILLUSTRATIVE = """\
# The agreements are fictional. Fees, credits and losses are illustrative assumptions in USD of 2013, not facts about
# any airport or airline named here.
"""


@dataclass(frozen=True, kw_only=True)
class Month:
    """What happened at one service in one local calendar month."""

    scheduled: int
    on_time: int
    cancelled: int
    busiest_hour: int

    def share(self, what: str) -> Fraction:
        """Return the exact share on time, or not cancelled, of all scheduled departures."""
        good = self.on_time if what == "on-time" else self.scheduled - self.cancelled
        return Fraction(good, self.scheduled)


@cache
def history() -> dict[str, dict[int, Month]]:
    """Return the monthly counts by service and local month, from metrics.parquet beside this script."""
    import pandas as pd

    rows = pd.read_parquet(HERE / "metrics.parquet")
    rows["month"] = rows["at"].dt.tz_localize("UTC").dt.tz_convert(ZONE).dt.month
    return {
        str(service): {
            number: Month(
                scheduled=int(part["scheduled_departures"].sum()),
                on_time=int(part["departed_within_15_min"].sum()),
                cancelled=int(part["cancelled"].sum()),
                busiest_hour=int(part["scheduled_departures"].max()),
            )
            for number in range(1, 13)
            for part in [of_service[of_service["month"] == number]]
        }
        for service, of_service in rows.groupby("service", sort=True)
    }


def seen(service: str) -> list[Month]:
    """Return the months that the rules may look at."""
    return [month for number, month in history()[service].items() if number <= LAST_MONTH_SEEN]


def splitting_percent(service: str, what: str) -> Decimal:
    """Return the multiple of half a percent nearest to the median month of January to August (a tie goes down).

    About half of those months are then met and half missed, so there is something to predict.
    """
    shares = sorted(month.share(what) for month in seen(service))
    middle = (shares[len(shares) // 2 - 1] + shares[len(shares) // 2]) / 2
    halves = middle / HALF_PERCENT
    whole = Decimal(halves.numerator) / Decimal(halves.denominator)
    return whole.quantize(Decimal(1), rounding=ROUND_HALF_DOWN) / 2


def largest_carriers(count: int) -> list[str]:
    """Return the carrier services with the most flights in January to August, largest first."""
    carriers = [service for service in history() if "-" in service]
    return sorted(carriers, key=lambda service: (-flights(service), service))[:count]


def flights(service: str) -> int:
    """Return the scheduled departures of January to August."""
    return sum(month.scheduled for month in seen(service))


def promises_completion(service: str) -> bool:
    """Tell whether the service has an SLA on completion besides the one on time."""
    return service in AIRPORTS or service in largest_carriers(COMPLETION_CARRIERS)


def sla_percent(service: str, what: str) -> Decimal:
    """Return the target of the SLA in percent."""
    return min(splitting_percent(service, what), STRICTEST_SLO - STRICTER[what])


def slo_percent(service: str, what: str) -> Decimal:
    """Return the target of the internal SLO in percent: the SLA's plus the margin; the rule's figure without SLA."""
    if what == "completion" and not promises_completion(service):
        return min(splitting_percent(service, what), STRICTEST_SLO)
    return sla_percent(service, what) + STRICTER[what]


def size_class(service: str) -> str:
    """Return ``airport``, ``mainline`` or ``regional``."""
    if service in AIRPORTS:
        return "airport"
    return "regional" if service.split("-")[1] in REGIONAL else "mainline"


def display_name(service: str) -> str:
    """Return the service's name for people."""
    airport, _, carrier = service.partition("-")
    return f"{CARRIERS[carrier]} at {SHORT[airport]}" if carrier else AIRPORTS[airport]


def provider(service: str) -> str:
    """Return who makes the promise."""
    airport, _, carrier = service.partition("-")
    return (CARRIERS[carrier] if carrier else f"{SHORT[airport]} airport operations").lower().replace(" ", "-")


def percent(value: Decimal) -> str:
    """Write a figure without needless zeros."""
    return f"{value.normalize():f}"


def customers() -> str:
    """Return customers.yaml."""
    return (
        GENERATED
        + ILLUSTRATIVE
        + """\
apiVersion: forecasting/v1
kind: Customer
metadata: {name: port-authority}
spec: {displayName: Port Authority (fictional customer of the carriers)}
---
apiVersion: forecasting/v1
kind: Customer
metadata: {name: airline-council}
spec: {displayName: Airline users' council (fictional customer of the airports)}
"""
    )


def services() -> str:
    """Return services.yaml."""
    documents = []
    for service in history():
        airport, _, carrier = service.partition("-")
        tier = "carrier" if carrier else "airport"
        owner = f"{CARRIERS[carrier]} network planning" if carrier else f"{SHORT[airport]} airport operations"
        depends = f"    forecasting/depends-on: {airport}\n" if carrier else ""
        what = (
            f"Departures of {CARRIERS[carrier]} ({carrier.upper()}) from {airport.upper()}."
            if carrier
            else f"All departures of reporting US carriers from {airport.upper()}."
        )
        documents.append(f"""\
apiVersion: openslo/v1
kind: Service
metadata:
  name: {service}
  displayName: {display_name(service)}
  annotations:
    forecasting/tier: {tier}
    forecasting/zone: {ZONE}
    forecasting/country: US
    forecasting/owner: {owner}
{depends}spec:
  description: {what}
""")
    return GENERATED + "---\n".join(documents)


def objectives() -> str:
    """Return objectives.yaml: two SLOs for every service."""
    documents = []
    for service in history():
        for what, title, text, part in (
            (
                "on-time",
                "On time",
                "Share of scheduled departures that left within 15 minutes; a cancelled flight is not on time.",
                "good: {metricSource: {type: forecasting, spec: {metric: departed_within_15_min}}}",
            ),
            (
                "completion",
                "Completion",
                "Share of scheduled departures that were not cancelled.",
                "bad: {metricSource: {type: forecasting, spec: {metric: cancelled}}}",
            ),
        ):
            documents.append(f"""\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {service}-{what}, displayName: "{title}: {display_name(service)}"}}
spec:
  service: {service}
  description: {text}
  indicator:
    metadata: {{name: {service}-{what}-ratio}}
    spec:
      ratioMetric:
        counter: true
        {part}
        total: {{metricSource: {{type: forecasting, spec: {{metric: scheduled_departures}}}}}}
  timeWindow:
    - duration: 1M
      isRolling: false
      calendar: {{startTime: "2013-01-01 00:00:00", timeZone: {ZONE}}}
  budgetingMethod: Occurrences
  objectives:
    - {{displayName: {title}, targetPercent: {percent(slo_percent(service, what))}}}
""")
    rule = f"""\
# Internal objectives, stricter than the SLAs by {percent(STRICTER["on-time"])} points (on time) and {percent(STRICTER["completion"])} points (completion).
# A completion objective without an SLA is the half percent nearest to the median month of {SEEN}.
# None is above {STRICTEST_SLO} %.
"""  # noqa: E501
    return GENERATED + rule + "---\n".join(documents)


def agreements() -> str:
    """Return agreements.yaml: an on-time SLA for every service and a completion SLA for the largest."""
    limits = workload_limits()
    documents = []
    for service in history():
        documents.append(_agreement(service, "on-time", LOSS_PER_LATE, limits.get(service)))
        if promises_completion(service):
            documents.append(_agreement(service, "completion", LOSS_PER_CANCELLED, None))
    rule = f"""\
#
# Targets: the multiple of 0.5 % nearest to the median monthly attainment of {SEEN} (a tie goes
# down), never above {STRICTEST_SLO} % minus the SLO's margin. Months 9 to 12 are never used: they judge the forecasts.
# Completion is promised by the three airports and the {COMPLETION_CARRIERS} largest carrier services. It is an agreement
# of its own because its ladder of credits is its own.
# Fee of a month: USD {FEE_PER_FLIGHT["on-time"]} (on time) or {FEE_PER_FLIGHT["completion"]} (completion) per flight of the mean month of {SEEN},
# to the thousand.
# lossPerBadEvent: the idea is the passengers' time (passengers aboard x expected delay x value of an hour, as in the
# NEXTOR Total Delay Impact Study of 2010 for the FAA); the figures are assumptions: USD {LOSS_PER_LATE["mainline"]} per late
# departure of a mainline carrier, {LOSS_PER_LATE["regional"]} of a regional one, {LOSS_PER_LATE["airport"]} on an airport's mix. Per cancelled departure it is
# the loss on top of that of a late one, which a cancelled flight is too.
# workloadLimit, on the airports: {float(WORKLOAD_MARGIN):.0%} of the busiest hour of {SEEN}, rounded up.
"""  # noqa: E501
    return GENERATED + ILLUSTRATIVE + rule + "---\n".join(documents)


def workload_limits() -> dict[str, int]:
    """Return the largest hourly schedule at which an airport's on-time promise holds."""
    busiest = {airport: max(month.busiest_hour for month in seen(airport)) for airport in AIRPORTS}
    return {airport: math.ceil(hour * WORKLOAD_MARGIN) for airport, hour in busiest.items()}


def _agreement(service: str, what: str, losses: dict[str, int], limit: int | None) -> str:
    """Return one SLA document."""
    target = sla_percent(service, what)
    title, suffix, promise = {
        "on-time": ("On time", "", "leave within 15 minutes of schedule"),
        "completion": ("Completion", "-completion", "are not cancelled"),
    }[what]
    fee = round(Fraction(flights(service), LAST_MONTH_SEEN) * FEE_PER_FLIGHT[what] / 1000) * 1000
    tiers = "\n".join(
        f"      - {{belowPercent: {percent(target - below)}, creditPercent: {credit}}}"
        for below, credit in LADDER[what]
    )
    workload = (
        f"  workloadLimit: {{metric: scheduled_departures, perSlice: {limit}, effect: target suspended}}\n"
        if limit
        else ""
    )
    return f"""\
apiVersion: forecasting/v1
kind: Agreement
metadata: {{name: sla-{service}{suffix}}}
spec:
  kind: SLA
  version: "1"
  service: {service}
  customer: {"airline-council" if service in AIRPORTS else "port-authority"}
  provider: {provider(service)}
  promise: At least {percent(target)} % of the scheduled departures {promise}, each calendar month.
  validFrom: 2013-01-01
  currency: USD
  priceDate: 2013-01-01
  objectives:
    - name: {service}-{what}-sla
      displayName: {title}
      slo: {service}-{what}
      targetPercent: {percent(target)}
      window: {{calendar: month, zone: {ZONE}}}
      minimumEvents: {1000 if service in AIRPORTS else 100}
  credits:
    feePerPeriod: {fee}
    capPercent: {CAP_PERCENT[what]}
    tiers:
{tiers}
  lossPerBadEvent: {losses[size_class(service)]}
{workload}  owner: {provider(service)}
"""


def resources() -> str:
    """Return resources.yaml: departure capacity of the airports and turnaround crews of the two largest carriers."""
    rule = """\
# Capacities are departures per hour.
#
# Airports: in 2013 the FAA limited scheduled operations (arrivals and departures) by orders published in the Federal
# Register: LaGuardia 71 an hour (docket FAA-2006-25755, order of 27 December 2006 as amended), Kennedy 81 an hour
# (docket FAA-2007-29320, order of 18 January 2008 as amended) and Newark 81 an hour (docket FAA-2008-0221, order of
# 21 May 2008 as amended). About half of the operations are departures, hence 36, 40 and 40.
# The data hold the US carriers that report to the Bureau of Transportation Statistics only: foreign and small carriers
# use the same slots unseen, so the true load is higher. usablePercent leaves them a share; that share is an assumption.
#
# Costs, lead times, steps and maxima are illustrative assumptions; so are the crews of the carriers.
"""
    documents = []
    for airport, units, usable, most in (("ewr", 40, 95, 46), ("jfk", 40, 90, 46), ("lga", 36, 95, 40)):
        carriers = ", ".join(service for service in history() if service.startswith(airport))
        documents.append(
            _resource(
                name=f"{airport}-departure-capacity",
                title=f"Departure capacity at {SHORT[airport]}",
                text="Departures per hour that runways, taxiways and slots allow.",
                service=airport,
                services=carriers,
                units=units,
                usable=usable,
                step=2,
                most=most,
                capex=200000,
                monthly=60000,
                lead="90d",
            )
        )
    for service, units, most in zip(largest_carriers(2), (16, 19), (20, 24), strict=True):
        documents.append(
            _resource(
                name=f"{service}-turnaround-crews",
                title=f"Turnaround crews of {display_name(service)}",
                text="Departures per hour that gates and turnaround crews can make ready.",
                service=service,
                services=service,
                units=units,
                usable=100,
                step=1,
                most=most,
                capex=0,
                monthly=18000,
                lead="42d",
            )
        )
    return GENERATED + rule + "---\n".join(documents)


def _resource(
    *,
    name: str,
    title: str,
    text: str,
    service: str,
    services: str,
    units: int,
    usable: int,
    step: int,
    most: int,
    capex: int,
    monthly: int,
    lead: str,
) -> str:
    """Return one Resource document."""
    return f"""\
apiVersion: forecasting/v1
kind: Resource
metadata: {{name: {name}, displayName: {title}}}
spec:
  description: {text}
  services: [{services}]
  use: {{service: {service}, metric: scheduled_departures}}
  unit: departures per hour
  unitsNow: {units}
  perUnit: 1
  usablePercent: {usable}
  stepUnits: {step}
  maxUnits: {most}
  model: {{kind: response_curve, good: departed_within_15_min, total: scheduled_departures}}
  capexPerUnit: {capex}
  costPerUnitMonth: {monthly}
  currency: USD
  priceDate: 2013-01-01
  leadTime: {lead}
"""


def drivers() -> str:
    """Return drivers.yaml."""
    documents = [
        f"""\
apiVersion: forecasting/v1
kind: DemandDriver
metadata: {{name: {service}-departures}}
spec:
  service: {service}
  metric: scheduled_departures
  description: Departures in the schedule of {display_name(service)}.
"""
        for service in history()
    ]
    return GENERATED + "---\n".join(documents)


def covariates() -> str:
    """Return covariates.yaml: the observed weather of each airport, which acts on its carriers too."""
    documents = [
        f"""\
apiVersion: forecasting/v1
kind: Covariate
metadata: {{name: {airport}-{what.lower()}}}
spec:
  service: {airport}
  metric: {metric}
  knownAhead: false
  description: {what} at {SHORT[airport]}
"""
        for airport in AIRPORTS
        for metric, what in WEATHER.items()
    ]
    rule = """\
# Observed weather is known for the past only (knownAhead: false): it says what bad days had in common, not what comes.
# It acts on the airport and, through depends-on, on every carrier there.
"""
    return GENERATED + rule + "---\n".join(documents)


def attainment_table() -> str:
    """Return the monthly on-time attainment as Markdown; a missed month is marked with ``*``."""
    lines = [
        "| service | target | " + " | ".join(str(month) for month in range(1, 13)) + " | missed 1-8 | missed 9-12 |",
        "|---|" + "---:|" * 15,
    ]
    for what in ("on-time", "completion"):
        for service in history():
            if what == "completion" and not promises_completion(service):
                continue
            target = sla_percent(service, what)
            cells, missed = [], []
            for number, month in history()[service].items():
                share = month.share(what)
                if share * 100 < Fraction(target):
                    missed.append(number)
                cells.append(f"{float(share * 100):.1f}{'*' if number in missed else ''}")
            early = sum(number <= LAST_MONTH_SEEN for number in missed)
            name = service if what == "on-time" else f"{service} (completion)"
            lines.append(f"| {name} | {percent(target)} | {' | '.join(cells)} | {early} | {len(missed) - early} |")
    return "\n".join(lines)


FILES = {
    "customers.yaml": customers,
    "services.yaml": services,
    "objectives.yaml": objectives,
    "agreements.yaml": agreements,
    "resources.yaml": resources,
    "drivers.yaml": drivers,
    "covariates.yaml": covariates,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 = written or equal, 1 = different."""
    parser = argparse.ArgumentParser(description="Write the catalogue of the airports example.")
    parser.add_argument("--out", type=Path, default=HERE / "catalogue", help="folder to write to (default: catalogue)")
    parser.add_argument("--check", action="store_true", help="compare the files in --out; write nothing")
    parser.add_argument("--table", action="store_true", help="print attainment by service and month; write nothing")
    options = parser.parse_args(arguments)
    if options.table:
        print(attainment_table())
        return 0
    different = 0
    for name, build in FILES.items():
        path = options.out / name
        if options.check:
            equal = path.is_file() and path.read_text(encoding="utf-8") == build()
            different += not equal
            print(f"{name}: {'equal' if equal else 'DIFFERENT'}")
            continue
        options.out.mkdir(parents=True, exist_ok=True)
        path.write_text(build(), encoding="utf-8", newline="\n")
        print(f"{name}: written")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
