"""Commands on what was promised and delivered: error budgets with burn rates, and service credits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecasting.cli._options import AsOfOption, FailOption, JsonOption, RowsOption, WorkspaceOption, open_workspace
from forecasting.cli._output import WIDE, console_width, exit_if, print_json, say, show_table, stages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecasting.terms.budget import ErrorBudget
    from forecasting.terms.credit import CreditLine


def budget(
    service: Annotated[str | None, typer.Argument(help="Only this service.")] = None,
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    rows: RowsOption = 60,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the error budget of every running window: allowed, left, spent, how fast it burns, alerts that hold."""
    from forecasting.adapters._plain import plain

    space = open_workspace(workspace)
    with stages(2) as advance:
        found = space.budgets(as_of, service=service, progress=advance)
    if as_json:
        print_json("budget", [{**_fields(plain(b)), "left": plain(b.left)} for b in found])
    elif not found:
        say("no window is running of which anything is known")
    else:
        _show_budgets(found, rows=rows)
    exit_if(fail and any(b.alerts or (b.spent_share or 0) > 1 for b in found))


def _show_budgets(found: Sequence[ErrorBudget], *, rows: int) -> None:
    """Show the budgets, the most spent first."""
    from forecasting.terms.frames import budget_frame, by_share

    ordered = by_share(found)
    narrow = console_width() < WIDE
    frame = budget_frame(found).rename(
        columns={"spent_share": "spent", "spent": "bad", "burn_1h": "1 h", "burn_6h": "6 h", "burn_1d": "1 d",
                 "burn_3d": "3 d"}
    )  # fmt: skip
    frame["target"] = [f"{(b.attainment.target * 100).normalize():f} %" for b in ordered]
    amounts = [_amounts(b) for b in ordered]
    frame["allowed"], frame["left"] = [a for a, _ in amounts], [b for _, b in amounts]
    columns = {"objective": "name", "period": "text" if narrow else "key", "target": "key", "allowed": "text",
               "left": "text", "spent": "%"}  # fmt: skip
    columns |= dict.fromkeys(("1 h", "3 d") if narrow else ("1 h", "6 h", "1 d", "3 d"), "ratio")
    if frame["alerts"].notna().any():
        columns["alerts"] = "text"
    show_table("Error budgets of the running windows, and burn rates", frame, columns, rows=rows)
    say("burn rates over 1 h to 3 d: 1 spends the budget exactly within the window; –: nothing counted")
    if any(b.allowed is None for b in ordered[:rows]):
        say("*: of what was counted so far; more to count allows more")


def _amounts(b: ErrorBudget) -> tuple[str | None, str | None]:
    """Return what may be bad and what of it is left, as text; None where nothing is known of the window."""
    from forecasting.terms.frames import amount_text

    if not b.attainment.known_slices:
        return None, None
    bound = b.allowed_so_far if b.allowed is None else b.allowed
    texts = [amount_text(x, b.attainment.unit).removesuffix(" events") for x in (bound, bound - b.spent)]
    return texts[0] + ("*" if b.allowed is None else ""), texts[1]


def credits_(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    receivable: Annotated[bool, typer.Option("--receivable", help="Only what suppliers owe us.")] = False,
    rows: RowsOption = 60,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the service credits of closed windows to the cent: what we owe, what we may claim and until when.

    With --fail-on-findings exit code 1 where a supplier's credit must be claimed and still can be.
    """
    from forecasting.adapters._plain import plain
    from forecasting.service_levels.credit_statement import credit_totals, receivables

    space = open_workspace(workspace)
    with stages(2) as advance:
        lines, instant = space.credits(as_of, progress=advance)
    chosen = receivables(lines, instant) if receivable else tuple(x for x in lines if x.due or x.high)
    totals = credit_totals(lines)
    if as_json:
        print_json("credits", {"lines": [plain(x) for x in chosen], "totals": [plain(t) for t in totals]})
    else:
        if chosen:
            _show_credits(chosen, rows=rows)
        else:
            say("no credit of a supplier can be claimed" if receivable else "no closed window makes a credit due")
        for t in totals:
            owed = [x for x in lines if x.currency == t.currency and x.due]
            say(
                f"{t.currency}: {t.due:,f} due for {len(owed)} of {t.lines} closed windows; we owe {t.payable:,f}, "
                f"suppliers owe us {t.receivable:,f}, {t.lapsed:,f} of all lapsed"
            )
    exit_if(fail and any(x.claim_by is not None for x in receivables(lines, instant)))


def _show_credits(chosen: Sequence[CreditLine], *, rows: int) -> None:
    """Show credits as a table, and below it how each was worked out."""
    import pandas as pd

    frame = pd.DataFrame(
        [(x.agreement, x.objective, x.period.label, x.attainment, _amount(x), x.claim.value,
          None if x.claim_by is None else x.claim_by.isoformat()) for x in chosen],
        columns=["agreement", "objective", "period", "attainment", "due", "standing", "claim_by"],
    )  # fmt: skip
    columns = dict.fromkeys(frame.columns, "key") | {"agreement": "name", "objective": "name", "attainment": "share"}
    show_table("Credits", frame, columns, rows=rows)
    say("How each was worked out")
    for x in chosen[:rows]:
        say(f"  {x.agreement} {x.objective} {x.period.label}: {x.explanation}")


def _amount(line: CreditLine) -> str:
    """Return what is due; where missing data leave it open, between which amounts."""
    if line.low == line.high:
        return f"{line.currency} {line.due:,f}"
    return f"{line.currency} {line.low:,f} to {line.high:,f}"


def _fields(found: object) -> dict[str, object]:
    assert isinstance(found, dict), "a dataclass becomes a mapping"
    return found
