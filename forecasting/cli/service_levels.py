"""Commands on what was promised and delivered: error budgets with burn rates, and service credits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecasting.cli._options import AsOfOption, FailOption, JsonOption, RowsOption, WorkspaceOption, open_workspace
from forecasting.cli._output import exit_if, print_json, say, show_table, stages


def budget(
    service: Annotated[str | None, typer.Argument(help="Only this service.")] = None,
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    rows: RowsOption = 60,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the error budget of every running window: allowed, spent, left, how fast it burns, alerts that hold."""
    from forecasting.adapters._plain import plain
    from forecasting.terms.frames import budget_frame, by_share

    space = open_workspace(workspace)
    with stages(2) as advance:
        found = space.budgets(as_of, service=service, progress=advance)
    if as_json:
        print_json("budget", [plain(b) for b in found])
    else:
        frame = budget_frame(found).rename(
            columns={"spent_share": "spent %", "burn_1h": "1 h", "burn_6h": "6 h", "burn_1d": "1 d", "burn_3d": "3 d"}
        )
        columns = {"objective": "text", "period": "key", "target": "key", "allowed": "text", "spent": "text",
                   "spent %": "%", "1 h": "ratio", "6 h": "ratio", "1 d": "ratio", "3 d": "ratio"}  # fmt: skip
        frame["target"] = [f"{(b.attainment.target * 100).normalize():f} %" for b in by_share(found)]
        if frame["alerts"].notna().any():
            columns["alerts"] = "text"
        show_table(
            "Error budgets of the running windows; burn rates over 1 h to 3 d (1 = lasts exactly the window)",
            frame,
            columns,
            rows=rows,
        )
    exit_if(fail and any(b.alerts or (b.spent_share or 0) > 1 for b in found))


def credits_(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    receivable: Annotated[bool, typer.Option("--receivable", help="Only what suppliers owe us.")] = False,
    rows: RowsOption = 60,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the service credits of closed windows to the cent: what we owe, what we may claim and until when."""
    import pandas as pd

    from forecasting.adapters._plain import plain
    from forecasting.service_levels.credit_statement import credit_totals, receivables
    from forecasting.terms.credit import ClaimStatus

    space = open_workspace(workspace)
    with stages(2) as advance:
        lines, instant = space.credits(as_of, progress=advance)
    chosen = receivables(lines, instant) if receivable else tuple(x for x in lines if x.due or x.high)
    totals = credit_totals(lines)
    if as_json:
        print_json("credits", {"lines": [plain(x) for x in chosen], "totals": [plain(t) for t in totals]})
    else:
        frame = pd.DataFrame(
            [(x.agreement, x.objective, x.period.label, x.attainment, f"{x.currency} {x.due:,f}", x.claim.value,
              None if x.claim_by is None else x.claim_by.isoformat(), x.explanation) for x in chosen],
            columns=["agreement", "objective", "period", "attainment", "due", "standing", "claim_by", "arithmetic"],
        )  # fmt: skip
        columns = dict.fromkeys(frame.columns, "text") | {
            "period": "key", "attainment": "share", "due": "key", "standing": "key", "claim_by": "key",
        }  # fmt: skip
        show_table("Credits", frame, columns, rows=rows)
        for t in totals:
            say(
                f"{t.currency}: {t.due:,f} due in {t.lines} closed windows; we owe {t.payable:,f}, "
                f"suppliers owe us {t.receivable:,f} ({t.lapsed:,f} lapsed)"
            )
    exit_if(fail and any(x.claim is ClaimStatus.CLAIMABLE and x.receivable for x in chosen))
