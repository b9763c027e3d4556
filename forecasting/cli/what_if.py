"""What-if: a scenario beside the base case, across every service, resource and limit."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecasting.cli._options import (
    AsOfOption,
    JobsOption,
    JsonOption,
    PathsOption,
    SeedOption,
    WorkspaceOption,
    open_workspace,
)
from forecasting.cli._output import print_json, say, show_table, stages

if TYPE_CHECKING:
    from forecasting.terms.catalogue import Catalogue
    from forecasting.terms.scenario import DriverEffect, ResourceEffect
    from forecasting.terms.what_if import WhatIf

_SHOWN_STAGES = 5
_WHEN = r"@(?P<start>\d{4}-\d\d-\d\d)(?:\.\.(?P<end>\d{4}-\d\d-\d\d))?"
_DEMAND = re.compile(r"(?P<service>[^/=@]+)(?:/(?P<metric>[^=@]+))?=(?P<size>[^@]+)" + _WHEN)
_SUPPLY = re.compile(r"(?P<resource>[^/=@]+)(?:=(?P<size>[^@]+))?" + _WHEN)


def what_if(
    workspace: WorkspaceOption = Path("."),
    scenario: Annotated[str | None, typer.Option("--scenario", help="A scenario of the catalogue.")] = None,
    driver: Annotated[
        list[str] | None, typer.Option("--driver", help="A driver of the register that happens; may be repeated.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", help="A driver of the base case that does not happen.")
    ] = None,
    move: Annotated[
        list[str] | None, typer.Option("--move", help="A driver that begins on another day: ID=2027-04-01.")
    ] = None,
    multiply: Annotated[
        list[str] | None,
        typer.Option(
            "--multiply",
            help="Demand times a factor: SERVICE=2@2027-03-01..2027-03-07, or SERVICE/METRIC=2@2027-03-01.",
        ),
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", help="Demand or use plus an amount: SERVICE/METRIC=90@2027-01-01."),
    ] = None,
    lose: Annotated[
        list[str] | None,
        typer.Option(
            "--lose", help="Units that are lost: RESOURCE@2027-03-01 all of them, RESOURCE=0.5@2027-03-01 half."
        ),
    ] = None,
    price: Annotated[
        list[str] | None, typer.Option("--price", help="Price of a resource times a factor: RESOURCE=1.6@2027-04-01.")
    ] = None,
    tornado: Annotated[bool, typer.Option(help="Look at each driver alone, too.")] = True,
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a scenario changes: run-out and order-by dates, units and their cost, limits, P(miss), money.

    The base case holds the drivers of the register that are planned for. Nothing is written. Exit code 2 for a service,
    metric, resource or driver that is not in the catalogue.
    """
    from dataclasses import replace

    from forecasting.terms.errors import InputError
    from forecasting.terms.scenario import Scenario
    from forecasting.workspace.supposing import named_scenario, suppose

    space = open_workspace(workspace, seed=seed, paths=paths, jobs=jobs)
    catalogue = space.catalogue
    chosen = Scenario(name="what if", effects=()) if scenario is None else named_scenario(catalogue, scenario)
    chosen = replace(
        chosen,
        drivers=(*chosen.drivers, *(driver or ())),
        without=(*chosen.without, *(without or ())),
        effects=(
            *chosen.effects,
            *(_demand("--multiply", text, "multiplier", catalogue) for text in multiply or ()),
            *(_demand("--add", text, "step", catalogue) for text in add or ()),
        ),
        resource_effects=(
            *chosen.resource_effects,
            *(_supply("--lose", text) for text in lose or ()),
            *(_supply("--price", text) for text in price or ()),
        ),
    )
    if not (chosen.effects or chosen.resource_effects or chosen.drivers or chosen.without or move):
        raise InputError(
            argument="scenario", came="nothing that would be different", allowed="at least one change",
            try_instead="--scenario NAME, --driver ID, --without ID, --move ID=DATE, --multiply SERVICE=2@2027-03-01",
        )  # fmt: skip
    moved = tuple(_move(text) for text in move or ())
    with stages(_SHOWN_STAGES) as advance:
        found = suppose(space, chosen, moved=moved, as_of=as_of, tornado=tornado, progress=advance)
    if as_json:
        from forecasting.adapters._plain import plain

        print_json("what-if", plain(found))
    else:
        _show(found)


def _demand(option: str, text: str, kind: str, catalogue: Catalogue) -> DriverEffect:
    """Return the effect on demand that was asked for; without a metric it is the service's demand driver."""
    from forecasting.terms.errors import InputError
    from forecasting.terms.scenario import DriverEffect

    example = "web-shop=2@2027-03-01..2027-03-07" if kind == "multiplier" else "storage/used_tb=90@2027-01-01"
    match = _DEMAND.fullmatch(text.strip())
    if match is None:
        raise InputError(argument=option, came=text, allowed="SERVICE[/METRIC]=SIZE@DATE[..DATE]", try_instead=example)
    service, metric = match["service"].strip(), match["metric"]
    if metric is None:
        known = catalogue.drivers.get(service)
        if known is None:
            raise InputError(
                argument=option, came=text, allowed="SERVICE/METRIC where the service has no demand driver",
                try_instead=example,
            )  # fmt: skip
        metric = known.metric
    size = _number(option, match["size"])
    start, end = _days(option, match)
    return DriverEffect(
        driver=f"{service} {metric} {kind}", service=service, metric=metric.strip(),
        kind="multiplier" if kind == "multiplier" else "step", start=start, end=end, low=size, mode=size, high=size,
    )  # fmt: skip


def _supply(option: str, text: str) -> ResourceEffect:
    """Return the effect on a resource that was asked for."""
    from forecasting.terms.errors import InputError
    from forecasting.terms.scenario import ResourceEffect

    match = _SUPPLY.fullmatch(text.strip())
    if match is None or (option == "--price" and match["size"] is None):
        example = "cdn-commit@2027-03-01" if option == "--lose" else "hosts=1.6@2027-04-01"
        raise InputError(argument=option, came=text, allowed="RESOURCE[=SIZE]@DATE[..DATE]", try_instead=example)
    size = 1.0 if match["size"] is None else _number(option, match["size"])
    if option == "--lose":
        if not 0 < size <= 1:
            raise InputError(argument=option, came=text, allowed="a share above 0, at most 1", try_instead="0.5")
        size = 1.0 - size
    start, end = _days(option, match)
    return ResourceEffect(
        driver=f"{match['resource']} {option[2:]}", resource=match["resource"].strip(),
        kind="units_multiplier" if option == "--lose" else "price_multiplier",
        start=start, end=end, low=size, mode=size, high=size,
    )  # fmt: skip


def _move(text: str) -> tuple[str, date]:
    from forecasting.terms.errors import InputError

    name, _, day = text.partition("=")
    if not name or not day:
        raise InputError(argument="--move", came=text, allowed="ID=DATE", try_instead="campaign=2027-04-01")
    return name.strip(), _date("--move", day)


def _number(option: str, text: str) -> float:
    import math

    from forecasting.terms.errors import InputError

    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not math.isfinite(size) or size < 0:
        raise InputError(argument=option, came=text, allowed="a number of 0 or more", try_instead="2")
    return size


def _days(option: str, match: re.Match[str]) -> tuple[date, date | None]:
    """Return the first day and the day after the last."""
    from datetime import timedelta

    start = _date(option, match["start"])
    return start, None if match["end"] is None else _date(option, match["end"]) + timedelta(days=1)


def _date(option: str, text: str) -> date:
    from forecasting.terms.errors import InputError

    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InputError(argument=option, came=text, allowed="a day", try_instead="2027-03-01") from None


def _show(found: WhatIf) -> None:
    """Print what changes; what stays as it is is only counted."""
    import pandas as pd

    say(f"{found.name} · data until {found.as_of:%Y-%m-%d %H:%M}Z · horizon to {found.horizon_end:%Y-%m-%d}")
    for line in found.statements:
        say(f"  {line}")
    if found.base_drivers:
        say(f"in the base case: {', '.join(found.base_drivers)}")
    for name, why in found.left_out:
        say(f"not in force: {name} ({why})")
    moved = [r for r in found.resources if r.moved]
    rows = [
        {
            "resource": r.resource,
            "P(exhausted)": f"{r.before.probability_exhausted:.0%} → {r.after.probability_exhausted:.0%}",
            "runs out (median)": f"{r.before.exhaustion_p50 or '–'} → {r.after.exhaustion_p50 or '–'}",
            "order by": f"{r.before.order_by or '–'} → {r.after.order_by or '–'}",
            "use 90 %": f"{r.before.use_p90:.4g} → {r.after.use_p90:.4g} {r.unit}",
            "in place needed": f"{r.before.required_p90:.4g} → {r.after.required_p90:.4g} (has {r.units_now:.4g})",
            "cost of more": f"{r.before.cost_of_added:,.0f} → {r.after.cost_of_added:,.0f} {r.currency}",
        }
        for r in moved
    ]
    if rows:
        kinds = dict.fromkeys(rows[0], "text") | {"resource": "key"}
        show_table("Resources that change", pd.DataFrame(rows), kinds)
    say(f"{len(found.resources) - len(moved)} resources stay as they are")
    limits = [
        {
            "service": x.service,
            "limit": f"{x.limit:,.0f} {x.metric}",
            "P(passed)": f"{x.probability_before:.0%} → {x.probability_after:.0%}",
            "peak 90 %": f"{x.peak_p90_before:,.0f} → {x.peak_p90_after:,.0f}",
        }
        for x in found.limits
    ]
    if limits:
        show_table("Workload limits", pd.DataFrame(limits), dict.fromkeys(limits[0], "text") | {"service": "key"})
    shifts = [p for p in found.promises if abs(p.probability_after - p.probability_before) >= 0.005]
    promises = [
        {
            "service": p.service,
            "objective": p.objective,
            "window": p.period,
            "P(miss)": f"{p.probability_before:.1%} → {p.probability_after:.1%}",
            "credits and loss": f"{p.expected_cost_before:,.0f} → {p.expected_cost_after:,.0f} {found.currency}",
        }
        for p in shifts
    ]
    if promises:
        kinds = dict.fromkeys(promises[0], "text") | {"service": "key"}
        show_table("Promises that change", pd.DataFrame(promises), kinds)
    say(f"{len(found.promises) - len(shifts)} promises stay within half a point")
    say(
        f"expected credits and losses of all agreements: {found.expected_cost_before:,.0f} → "
        f"{found.expected_cost_after:,.0f} {found.currency}"
    )
    if found.tornado:
        bars = [
            {
                "driver": t.driver,
                "resource": t.resource,
                "needed without → with": f"{t.required_without:.4g} → {t.required_with:.4g} {t.unit}",
                "runs out without → with": f"{t.exhaustion_without or '–'} → {t.exhaustion_with or '–'}",
                "sooner by": None if t.days_sooner is None else f"{t.days_sooner} days",
            }
            for t in found.tornado
        ]
        kinds = dict.fromkeys(bars[0], "text") | {"driver": "key"}
        show_table("Drivers, one at a time", pd.DataFrame(bars), kinds)
    for driver, what, state in found.signposts:
        say(f"signpost of {driver}: {what} – {state}")
    for name, why in found.excuses:
        say(f"no statement on {name}: {why}")
