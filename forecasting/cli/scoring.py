"""How often were we right: the replayed past, scored beside simple rules, and an alarm policy tried on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecasting.cli._options import AsOfOption, JsonOption, RowsOption, SeedOption, WorkspaceOption, open_workspace
from forecasting.cli._output import WIDE, console_width, exit_if, print_json, say, show_table, stages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecasting.terms.breach import AlarmScore, Estimate, RiskScore
    from forecasting.terms.track_record import PolicyReplay
    from forecasting.workflows.replay import Record

_PICTURES = {".png": "png", ".svg": "svg"}
_SHOWN_STAGES = 150


def score_risk(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    service: Annotated[list[str] | None, typer.Option("--service", help="Only this service; may be repeated.")] = None,
    elapsed: Annotated[
        list[float] | None,
        typer.Option("--elapsed", min=0.0, max=0.99, help="Elapsed share of a window to ask at; may be repeated."),
    ] = None,
    ahead: Annotated[int, typer.Option("--ahead", min=0, max=12, help="Windows ahead to ask about.")] = 4,
    paths: Annotated[
        int | None, typer.Option("--paths", min=200, max=100_000, help="Sample paths of each statement.")
    ] = None,
    seed: SeedOption = None,
    rows: RowsOption = 60,
    out: Annotated[Path | None, typer.Option("--out", help="Write every statement to this CSV file.")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Write the reliability diagram to this .png or .svg file.")
    ] = None,
    fail_below: Annotated[
        float | None, typer.Option("--fail-below", help="Exit with 1 where the Brier skill is below this.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show how often statements on breaches were right: past windows stated again, beside simple rules.

    Every closed window is stated again with the data before each decision time only. Exit code 1 where the skill is
    below --fail-below, 3 where the history is too short to score anything.
    """
    from dataclasses import replace

    from forecasting.terms.errors import Excuse
    from forecasting.workspace import scoring

    form = _picture(plot)
    _refuse_no_folder("--out", out)
    _refuse_no_folder("--plot", plot)
    space = open_workspace(workspace, seed=seed)
    if paths is not None:
        space.settings = replace(space.settings, replay_paths=paths)
    with stages(_SHOWN_STAGES) as advance:
        record = scoring.score_risk(
            space, as_of, services=service or None, elapsed=elapsed or None, ahead=ahead, progress=advance
        )
        score = record.score
        if out is not None:
            out.write_text(scoring.statement_frame(record.statements).to_csv(index=False), encoding="utf-8")
        if plot is not None and form is not None and not isinstance(score, Excuse):
            from forecasting.reports.charts_reliability import reliability_file

            last = f"{score.first:%Y-%m-%d} to {score.last:%Y-%m-%d}"
            plot.write_bytes(reliability_file(score, form, note=f"decision times {last}"))
    if as_json:
        print_json("score-risk", _document(record))
    elif isinstance(score, Excuse):
        say(f"no score: {score.reason}; what would help: {score.what_would_help}")
    else:
        _show(score, record.alarms, rows=rows)
    if isinstance(score, Excuse):
        raise typer.Exit(3)
    exit_if(fail_below is not None and not score.skill >= fail_below)


def _picture(plot: Path | None) -> Any:
    """Return the form of a picture by its name."""
    from forecasting.terms.errors import InputError

    if plot is None:
        return None
    if plot.suffix.lower() not in _PICTURES:
        raise InputError(
            argument="--plot", came=str(plot), allowed="a file that ends in .png or .svg", try_instead="reliability.png"
        )
    return _PICTURES[plot.suffix.lower()]


def _refuse_no_folder(option: str, path: Path | None) -> None:
    """Refuse a file in a folder that does not exist before the long part."""
    from forecasting.terms.errors import InputError

    if path is not None and not path.parent.is_dir():
        raise InputError(
            argument=option,
            came=str(path),
            allowed="a file in a folder that exists",
            try_instead=f"mkdir {path.parent}",
        )


def _document(record: Record) -> dict[str, object]:
    """Return the score as plain values; what is not defined is null."""
    from forecasting.adapters._plain import plain
    from forecasting.terms.errors import Excuse

    score = record.score
    head: dict[str, object] = {"statements": len(record.statements)}
    if isinstance(score, Excuse):
        return head | {"score": None, "excuse": plain(score), "alarms": None}
    return head | {"score": plain(score), "excuse": None, "alarms": plain(record.alarms)}


def _show(score: RiskScore, alarms: AlarmScore | None, *, rows: int) -> None:
    """Print the models beside each other, the horizons, the reliability and the alarms."""
    import pandas as pd

    say(f"{score.protocol.rstrip('.')}.")
    say(
        f"{score.decisions:,} open statements ({score.breaches:,} missed) on {score.windows} windows of "
        f"{score.services} services, {score.first:%Y-%m-%d} to {score.last:%Y-%m-%d}; {score.decided:,} decided and "
        f"{score.treated:,} acted upon left out"
    )
    wide = console_width() >= WIDE
    table = pd.DataFrame(
        [
            {
                "stated by": m.name + (" *" if m.name == score.best_baseline else ""),
                "Brier": f"{m.brier:.4f}",
                "skill": _interval(m.skill),
                "− best rule": _interval(m.to_best, 4),
                "log loss": f"{m.log_loss:.3f}",
                "ECE": f"{m.ece:.3f}",
                "PR-AUC": None if m.pr_auc is None else f"{m.pr_auc:.3f}",
            }
            for m in score.models
        ]
    )
    columns = {"stated by": "key", "Brier": "key", "skill": "key", "− best rule": "key", "ECE": "key"}
    columns |= {"log loss": "key", "PR-AUC": "key"} if wide else {}
    show_table("How often were we right (* the best simple rule; 95 % intervals)", table, columns, rows=rows)
    parts = pd.DataFrame(
        [
            {
                "by": s.by,
                "part": s.part,
                "statements": f"{s.statements:,}",
                "missed": s.breaches / s.statements,
                "Brier": f"{s.models[0].brier:.4f}",
                "skill": _interval(s.models[0].skill),
                "− best rule": _interval(s.models[0].to_best, 4),
                "ECE": f"{s.models[0].ece:.3f}",
            }
            for s in score.strata
        ]
    )
    if len(parts):
        kept = {"by": "key", "part": "key", "statements": "key", "missed": "%", "Brier": "key", "skill": "key",
                "− best rule": "key"}  # fmt: skip
        show_table("By horizon, tier and what was left out", parts, kept | ({"ECE": "key"} if wide else {}), rows=rows)
    bins = pd.DataFrame(
        [
            {"stated": _percent(b.predicted), "happened": _percent(b.observed), "statements": f"{b.count:,}",
             "90 % interval": None if b.low is None or b.high is None else f"{100 * b.low:.0f}–{100 * b.high:.0f} %"}
            for b in score.bins
        ]
    )  # fmt: skip
    show_table(
        "Reliability of the statements",
        bins,
        {"stated": "key", "happened": "key", "90 % interval": "key", "statements": "key"},
        rows=rows,
    )
    if alarms is not None:
        show_alarms("Early warnings on the same statements", [alarms])


def _percent(share: float) -> str:
    """Return a probability in percent, small ones with a decimal."""
    return f"{100 * share:.{0 if share >= 0.0995 or share == 0 else 1}f} %"


def _interval(e: Estimate, digits: int = 2) -> str | None:
    """Return a number with its interval; None where it is not defined."""
    if e.value != e.value:
        return None
    value, low, high = (f"{x if abs(x) >= 0.5 * 10**-digits else 0.0:.{digits}f}" for x in (e.value, e.low, e.high))
    return f"{value} ({low} to {high})"


def show_alarms(title: str, scores: Iterable[AlarmScore], *, marked: float | None = None, rows: int = 60) -> None:
    """Print how warnings at one or several levels would have done; `marked` is the level that costs recommend."""
    import pandas as pd

    frame = pd.DataFrame(
        [
            {
                "at P": f"{s.threshold:.2f}" + (" *" if marked is not None and s.threshold == marked else ""),
                "warned": f"{s.warned:,}",
                "precision": s.precision,
                "recall": s.recall,
                "surprises": s.surprise_rate,
                "false/100": s.false_per_100_service_months,
                "warnings": s.warnings_per_service_month,
                "lead": s.median_lead_days,
                "lead P10": s.lead_p10_days,
            }
            for s in scores
        ]
    )
    show_table(
        title,
        frame,
        {"at P": "key", "warned": "key", "precision": "%", "recall": "%", "surprises": "%", "false/100": "num",
         "warnings": "ratio", "lead": "num", "lead P10": "num"},
        rows=rows,
    )  # fmt: skip
    say("false/100: false warnings in 100 months of a service; warnings: of a service and month; lead: days")


def show_policy_replay(found: PolicyReplay, *, rows: int) -> None:
    """Print what an alarm policy would have done: its score, the same at other levels, and its warnings."""
    import pandas as pd

    s = found.score
    say(f"{found.protocol.rstrip('.')}." if found.protocol else "Replayed past.")
    treated = f"; {s.treated} more, {s.treated_breaches} of them missed, were acted upon" if s.treated else ""
    say(
        f"{s.windows} closed windows with {s.breaches} misses, decision times {found.first:%Y-%m-%d} to "
        f"{found.last:%Y-%m-%d}; a warning is needed {s.required_lead_days:g} days before the window's end{treated}"
    )
    show_alarms("This policy", [s], rows=rows)
    marks = "" if found.recommended is None else " (* recommended by the costs)"
    show_alarms(f"The same policy at other levels{marks}", found.sweep, marked=found.recommended, rows=rows)
    warnings = pd.DataFrame(
        [
            {
                "service": w.service,
                "objective": w.objective,
                "window": w.period.label,
                "raised": f"{w.raised_at:%Y-%m-%d}",
                "P(miss)": w.probability,
                "days ahead": w.lead_days,
                "came of it": _came(w.breached, w.in_time, w.treated),
            }
            for w in found.warnings
        ]
    )
    if len(warnings):
        kept = {"service": "name", "objective": "name", "window": "key", "raised": "key", "P(miss)": "%",
                "days ahead": "num", "came of it": "text"}  # fmt: skip
        show_table("First warning of each window", warnings, kept, rows=rows)


def _came(breached: bool, in_time: bool, treated: bool) -> str:
    """Say what came of a warning."""
    verdict = ("missed" if in_time else "missed, warned too late") if breached else "met: false warning"
    return f"{verdict}; acted upon" if treated else verdict


def policy_replay_document(found: PolicyReplay) -> dict[str, object]:
    """Return a replayed policy as plain values, for ``--json``."""
    from forecasting.adapters._plain import plain

    document = plain(found)
    assert isinstance(document, dict), "a dataclass becomes a mapping"
    return document
