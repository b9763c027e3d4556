"""The portfolio: what to fund of the proposals under a budget, and why the rest is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    from forecasting.workflows.funding import Funding

_SHOWN_STAGES = 6


def portfolio(
    workspace: WorkspaceOption = Path("."),
    budget: Annotated[float | None, typer.Option("--budget", help="Most that may be spent over the horizon.")] = None,
    budget_per_month: Annotated[
        float | None, typer.Option("--budget-per-month", help="Most that may be spent in a calendar month.")
    ] = None,
    carbon: Annotated[float | None, typer.Option("--carbon", help="Most kg of CO2 that may be added.")] = None,
    contract_changes: Annotated[
        int | None, typer.Option("--contract-changes", min=0, help="Most contract changes in a month.")
    ] = None,
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose what to fund of the proposals under a budget, and say what binds where something is refused.

    Resources that run out are funded first, as no loss is known for them; of the rest what avoids most credits and
    losses for its cost. Nothing is written.
    """
    from forecasting.workspace.funding import fund_proposals

    space = open_workspace(workspace, seed=seed, paths=paths, jobs=jobs)
    with stages(_SHOWN_STAGES) as advance, _solver_to_stderr():
        found = fund_proposals(
            space, budget_total=budget, budget_month=budget_per_month, carbon_cap_kg=carbon,
            contract_changes=contract_changes, as_of=as_of, progress=advance,
        )  # fmt: skip
    if as_json:
        print_json("portfolio", _plain(found))
    else:
        _show(found)


@contextmanager
def _solver_to_stderr() -> Iterator[None]:
    """Send what the solver's library prints by itself to standard error: standard output is the answer's alone."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # no standard output at all: nothing can be printed to it
        yield
        return
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _plain(found: Funding) -> dict[str, object]:
    from forecasting.adapters._plain import plain

    return {
        "currency": found.currency,
        "months": plain(found.months),
        "budget": plain(found.budget),
        "budget_total": found.budget_total,
        "spent": plain(found.spent),
        "proposals": [
            {
                "proposal": f.proposal.id, "service": f.proposal.service, "title": f.proposal.title, "rank": f.rank,
                "first": f.first, "option": plain(f.option), "because": f.because,
            }
            for f in found.funded
        ],
        "choice": plain(found.choice),
        "notes": plain(found.notes),
    }  # fmt: skip


def _show(found: Funding) -> None:
    """Print what is funded in order, then what is not and why."""
    import pandas as pd

    money = f"{found.budget_total:,.0f} {found.currency}" if found.budget_total is not None else "no limit"
    each = f", {found.budget[0]:,.0f} in a month" if found.budget else ""
    say(f"{sum(found.spent):,.0f} {found.currency} to be spent; budget {money}{each}")
    rows = [
        {
            "rank": f.rank,
            "proposal": f.proposal.id,
            "what": f.option.label,
            "P before → after": f"{f.option.probability_before:.0%} → {f.option.probability_after:.0%}",
            "cost": f.option.cost_over_horizon,
            "benefit": f.option.benefit_mean,
        }
        for f in found.funded
        if f.rank is not None
    ]
    if rows:
        kinds = {"rank": "int", "proposal": "key", "what": "text", "P before → after": "key"}
        show_table(f"Funded, {found.currency}", pd.DataFrame(rows), kinds | {"cost": "money", "benefit": "money"})
    else:
        say("nothing is funded")
    for f in found.funded:
        if f.because:
            asked = f.proposal.options[f.proposal.recommended].label
            instead = "" if f.rank is None else f", instead: {f.option.label}"
            say(f"not funded: {f.proposal.id} {asked} – {f.because}{instead}")
    left = [f for f in found.funded if f.rank is None and not f.because]
    if left:
        say(f"{len(left)} proposals are to do nothing: no option of theirs is worth its cost")
    if found.choice is not None:
        say(
            f"chosen by {found.choice.method}, at most {100 * found.choice.gap:.3g} % from the best; one more of the "
            f"budget over all would save {found.choice.shadow_price_total:.2f}"
        )
    for note in found.notes:
        say(f"note: {note}")
