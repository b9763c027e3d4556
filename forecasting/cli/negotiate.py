"""The negotiation desk: what can be promised, at which confidence, and what it costs where it is missed."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
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
from forecasting.cli._output import interval, percent, print_json, say, show_table, stages

if TYPE_CHECKING:
    from forecasting.terms.negotiation import TermSheet

_SHOWN_STAGES = 4


def negotiate(
    service: Annotated[str, typer.Argument(help="Service whose promise is negotiated.")],
    workspace: WorkspaceOption = Path("."),
    objective: Annotated[str | None, typer.Option("--objective", help="Where several are agreed.")] = None,
    target: Annotated[
        str | None, typer.Option("--target", help="Target asked for, in per cent, such as 99.95. Default: today's.")
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option("--also", help="Another target for the curve, in per cent; may be repeated.")
    ] = None,
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a target would mean: P(met), exposure, the strictest safe target, counter-offers, what suppliers hold.

    Exit code 3 where nothing can be said of the promise.
    """
    from forecasting.terms.errors import Excuse
    from forecasting.workspace.negotiating import negotiate as term_sheet_of

    asked = None if target is None else _share("--target", target)
    others = [_share("--also", t) for t in also or ()]
    space = open_workspace(workspace, seed=seed, paths=paths, jobs=jobs)
    with stages(_SHOWN_STAGES) as advance:
        sheet = term_sheet_of(
            space, service, objective=objective, asked=asked, targets=others, as_of=as_of, progress=advance
        )
    if as_json:
        from forecasting.adapters._plain import plain

        said = {"excuse": plain(sheet)} if isinstance(sheet, Excuse) else {"sheet": plain(sheet)}
        print_json("negotiate", said)
    elif isinstance(sheet, Excuse):
        say(f"no statement: {sheet.reason}; what would help: {sheet.what_would_help}")
    else:
        _show(sheet)
    if isinstance(sheet, Excuse):
        raise typer.Exit(3)


def _share(option: str, text: str) -> Decimal:
    """Return a percentage as a share."""
    from forecasting.terms.errors import InputError

    try:
        number = Decimal(text.strip().removesuffix("%").strip())
    except InvalidOperation:
        number = Decimal("nan")
    if not (number.is_finite() and 0 < number < 100):
        raise InputError(argument=option, came=text, allowed="a percentage above 0 and below 100", try_instead="99.9")
    return number / 100


def _show(sheet: TermSheet) -> None:
    """Print the sheet: the answer first, then the curve, the safe targets, the offers and the supply."""
    import pandas as pd

    point = sheet.at(sheet.asked)
    assert point is not None, "the curve holds the target that was asked about"
    say(
        f"{sheet.service} · {sheet.objective} · {sheet.agreement}"
        + (f" · {sheet.customer}" if sheet.customer else "")
        + f" · data until {sheet.as_of:%Y-%m-%d %H:%M}Z"
    )
    say(
        f"{percent(sheet.asked)} would be met in a coming window with "
        f"{interval(point.probability_met, point.probability_low, point.probability_high)}, in all of "
        f"{len(sheet.windows)} ({sheet.windows[0]} to {sheet.windows[-1]}) with {100 * point.probability_all:.0f} %; "
        f"exposure {point.exposure_mean:,.0f} {sheet.currency} a window, 95 %: {point.exposure_p95:,.0f} "
        f"(today {percent(sheet.today)})"
    )
    _supply(sheet)
    curve = pd.DataFrame(
        [
            {
                "target": percent(p.target) + (" ←" if p.target == sheet.asked else ""),
                "P(met)": interval(p.probability_met, p.probability_low, p.probability_high),
                "P(all)": p.probability_all,
                "credit": p.credit_mean,
                "credit 95 %": p.credit_p95,
                "exposure": p.exposure_mean,
                "exposure 95 %": p.exposure_p95,
                "beyond supply": "yes" if p.beyond_supply else None,
            }
            for p in sheet.curve
        ]
    )
    columns = {"target": "key", "P(met)": "key", "P(all)": "%", "credit": "money", "credit 95 %": "money"}
    columns |= {"exposure": "money", "exposure 95 %": "money"}
    if curve["beyond supply"].notna().any():
        columns |= {"beyond supply": "key"}
    show_table(f"Targets, per window, {sheet.currency}", curve, columns)
    safe = pd.DataFrame(
        [
            {"confidence": s.confidence, "strictest target": "–" if s.target is None else percent(s.target)}
            for s in sheet.safe
        ]
    )
    show_table("Safe to offer", safe, {"confidence": "%", "strictest target": "key"})
    if sheet.offers:
        offers = pd.DataFrame(
            [
                {
                    "counter-offer": o.label,
                    "P(met)": interval(o.probability_met, o.probability_low, o.probability_high),
                    "exposure": o.exposure_mean,
                    "note": o.note,
                }
                for o in sheet.offers
            ]
        )
        show_table(
            f"Counter-offers at {percent(sheet.asked)}",
            offers,
            {"counter-offer": "text", "P(met)": "key", "exposure": "money", "note": "text"},
        )
    for kind, excuse in sheet.declined:
        say(f"no offer of kind {kind}: {excuse.reason}; what would help: {excuse.what_would_help}")
    say(f"basis: {sheet.basis}")


def _supply(sheet: TermSheet) -> None:
    """Say what the agreements it relies on allow."""
    if sheet.supply_ceiling is None:
        say("it relies on no agreement of its kind: nothing is promised to us that would underpin it")
        return
    kind = "independent failures multiplied" if sheet.supply_independent else "however failures fall together"
    enough = "allow it" if sheet.supply_ceiling >= sheet.asked else "do NOT allow it, however well they are kept"
    topology = ""
    if sheet.supply_as_one is not None and sheet.supply_as_one < sheet.supply_ceiling:
        topology = f"; {percent(sheet.supply_as_one)} if redundant parts counted as one"
    say(f"the agreements it relies on hold {percent(sheet.supply_ceiling)} ({kind}{topology}) and {enough}")
    if sheet.supply_ceiling < sheet.asked:
        for link in sheet.supply:
            names = ", ".join(link.agreements)
            if link.needed is not None and link.needed > link.promised:
                say(f"  {names}: promises {percent(link.promised)}, {percent(link.needed)} alone would do")
        if all(link.needed is None or link.needed <= link.promised for link in sheet.supply):
            say("  no single one of them could be raised enough; several have to be")
