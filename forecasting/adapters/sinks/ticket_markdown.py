"""Proposals as the bodies of tickets: one Markdown file each, in which nobody's text can become markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from forecasting.adapters._atomic import write_atomic
from forecasting.reports.markdown import escape
from forecasting.terms.proposal import Option
from forecasting.terms.register import RegisterEntry

_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_BARE_LINK = re.compile(r"\bwww\.", re.IGNORECASE)


class TicketFolder:
    """Writes each proposal as ``<id>.md`` in a folder.

    Parameters
    ----------
    root : Path
        Folder that nothing is written outside of.
    folder : str
        A folder below it; empty for `root` itself.

    Examples
    --------
    >>> TicketFolder(Path("out")).folder
    ''
    """

    def __init__(self, root: Path, *, folder: str = "") -> None:
        self.root, self.folder = root, folder

    def write(self, entries: Sequence[RegisterEntry]) -> tuple[Path, ...]:
        """Write the files, each whole or not at all, and return where they are.

        Raises
        ------
        InputError, StoreError
            Where a file would lie outside of the folder or cannot be written.
        """
        return tuple(write_atomic(self.root, f"{e.id}.md", ticket_body(e), folder=self.folder) for e in entries)


def ticket_body(entry: RegisterEntry) -> str:
    """Return a proposal as Markdown for a ticket: problem, options, recommendation, decision, outcome.

    Text of others is on one line, escaped, and mentions nobody.
    """
    p = entry.proposal
    lines = [f"# {inline(p.title)}", ""]
    facts = [
        ("Proposal", f"{p.id}, {entry.state.value.replace('_', ' ')}" + (f", round {entry.round}" * (entry.round > 1))),
        ("Problem", p.problem),
        ("Service", p.service),
        ("Agreement", p.agreement or ""),
        ("Objective", p.objective or ""),
        ("Resource", p.resource or ""),
        ("Window", p.period.label if p.period else ""),
        ("P(miss) of doing nothing", f"{_percent(p.probability_now)} ({_percent(p.probability_low)} to "
                                     f"{_percent(p.probability_high)})"),
        ("Recommended", p.recommendation.label),
        ("Decide by", p.decide_by.isoformat() if p.decide_by else ""),
        ("Not deciding costs", f"{p.loss_if_not_decided:,.0f} {p.currency} expected over the horizon"),
        ("Owner", p.owner),
        ("Due", p.due.isoformat() if p.due else ""),
        ("Success measure", p.success_measure),
        ("Data up to", f"{p.data_cut_off:%Y-%m-%d %H:%MZ}" if p.data_cut_off else ""),
    ]  # fmt: skip
    lines += [f"- **{name}:** {inline(text)}" for name, text in facts if text]
    lines += ["", "## Options", "", "| # | Option | P(miss) | Cost | Net benefit | Lead time | Why not |"]
    lines += ["|---:|---|---:|---:|---:|---:|---|", *(_row(n, o) for n, o in enumerate(p.options, 1)), ""]
    lines += [f"Money in {inline(p.currency)} over the horizon.", ""]
    for title, texts in (
        ("Evidence", p.evidence),
        ("Counter-evidence", p.counter_evidence),
        ("Assumptions", p.assumptions),
        ("What would change the recommendation", tuple(s.sentence for s in p.sensitivities)),
        ("Milestones", tuple(f"{m.due.isoformat()} {m.name}" for m in p.milestones)),
        ("Does not apply", tuple(f"{kind}: {excuse.reason}" for kind, excuse in p.declined)),
    ):
        if texts:
            lines += [f"## {title}", "", *(f"- {inline(text)}" for text in texts), ""]
    lines += [*_decision(entry), *_outcome(entry)]
    return "\n".join(lines).rstrip("\n") + "\n"


def inline(text: str) -> str:
    r"""Return text for one line of Markdown: no markup, no link, no mention, no control character.

    Examples
    --------
    >>> print(inline("late\n# <b>now</b> [x](http://a.b)"))
    late \# &lt;b&gt;now&lt;/b&gt; \[x\](http:&#47;&#47;a.b)
    """
    whole = " ".join(text.split())
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in whole)
    # A word joiner after the sign: the name is readable and nobody is called.
    quiet = _MENTION.sub("@\u2060", escape(shown))
    return _BARE_LINK.sub(lambda found: found.group()[:3] + "&#46;", quiet)


def _row(number: int, o: Option) -> str:
    """Return one option as a row of the table."""
    cells = (
        str(number),
        inline(o.label),
        f"{_percent(o.probability_before)} → {_percent(o.probability_after)}",
        f"{o.cost_over_horizon:,.0f}",
        f"{o.net_benefit:,.0f}",
        f"{o.lead_time_days} d",
        inline(o.rejected_because or "**recommended**").replace(r"\*\*recommended\*\*", "**recommended**"),
    )
    return f"| {' | '.join(cells)} |"


def _decision(entry: RegisterEntry) -> list[str]:
    d = entry.proposal.decision
    if d is None:
        return []
    lines = ["## Decision", "", f"- **{d.state.value.capitalize()}** by {inline(d.by)} on {d.at:%Y-%m-%d}"]
    lines += [f"- **Why:** {inline(d.why)}"]
    lines += [f"- **Option:** {inline(d.option)}"] if d.option else []
    for name, day in (("Started", entry.started_on), ("In effect since", entry.implemented_on)):
        lines += [f"- **{name}:** {day.isoformat()}"] if day else []
    return [*lines, ""]


def _outcome(entry: RegisterEntry) -> list[str]:
    o = entry.proposal.outcome
    if o is None:
        return []
    currency = inline(entry.proposal.currency)
    lines = [
        "## Outcome",
        "",
        f"- **Measured:** {o.measured_from} to {o.measured_to}, {o.windows} judged, {o.missed} missed",
    ]
    for name, amount in (
        ("Cost in fact", o.actual_cost),
        ("Credits and losses", o.credits_and_losses),
        ("Benefit realised", o.benefit_realised),
        ("Regret in hindsight", o.regret),
    ):
        lines += [f"- **{name}:** {amount:,.0f} {currency}"] if amount is not None else []
    return [*lines, *([f"- **Note:** {inline(o.note)}"] if o.note else []), ""]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
