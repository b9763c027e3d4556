"""One cycle of `watch`: what it came to, and what is told of it beside the receivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from forecasting.ports import IngestReport
from forecasting.terms.alarm import AlarmState
from forecasting.terms.notice import Notice
from forecasting.terms.warning import EarlyWarning
from forecasting.workspace.courier import ReceiverStatus

if TYPE_CHECKING:
    from forecasting.terms.plan import Plan
    from forecasting.workspace.workspace import Workspace


@dataclass(frozen=True, kw_only=True, eq=False)
class Cycle:
    """What one cycle of `watch` came to."""

    at: datetime
    """When it ended, by the clock (UTC)."""
    as_of: datetime
    """Cut-off of what was evaluated."""
    plan: Plan
    """Its `warnings` are those that stand."""
    states: Mapping[str, AlarmState]
    warnings: tuple[EarlyWarning, ...]
    """Those that stand and the settled misses of running windows, the most urgent first."""
    notices: tuple[Notice, ...]
    """What this cycle put into the outbox."""
    taken: int
    """Notices that receivers took in this cycle."""
    receivers: tuple[ReceiverStatus, ...]
    sources: tuple[IngestReport, ...]
    """Empty where nothing was ingested."""
    files: tuple[str, ...] = ()
    """What the hooks wrote."""
    problems: tuple[str, ...] = ()
    """What did not work, in words, receivers and sources apart; the cycle was finished all the same."""
    computed: bool = True
    """False where nothing was new since the last cycle, so that nothing was computed."""
    live: bool = True
    """Whether the cut-off is the end of the data; False is a look back."""
    duration_s: float = 0.0
    """How long it took."""

    @property
    def trouble(self) -> str:
        """What is wrong with what this cycle says: sources left out, and `problems`; empty where nothing is."""
        left_out = [f"{report.source} was left out: {report.failure}" for report in self.sources if report.failure]
        return "; ".join((*left_out, *self.problems))

    @property
    def complete(self) -> bool:
        """Whether every source was read, every hook worked and every receiver has taken everything."""
        return not (self.trouble or any(r.waiting or r.problem for r in self.receivers))


class Hook(Protocol):
    """Tells of each cycle in a way of its own, such as a page or metrics."""

    def finished(self, space: Workspace, cycle: Cycle) -> Sequence[str]:
        """Take note of a cycle that was finished; return the paths of what was written.

        Its `problems` are those up to here, of the hooks before this one too. Where that fails (`ForecastingError`,
        OSError) the other hooks are called all the same.
        """
        ...

    def failed(self, trouble: str, *, at: datetime, duration_s: float) -> None:
        """Take note of a cycle that ended with an error at an instant (UTC)."""
        ...
