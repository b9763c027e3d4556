"""What `watch` shows beside the notices: the early-warning page, a file of metrics, and both over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from forecasting.adapters._atomic import write_atomic
from forecasting.ports import Ledger

if TYPE_CHECKING:
    from forecasting.adapters.exposition import CycleStatus, MetricsServer
    from forecasting.terms.plan import Plan
    from forecasting.workspace.cycle import Cycle
    from forecasting.workspace.workspace import Workspace

PAGE = "early-warnings.html"
"""Name of the page in the workspace's folder of reports."""

Course = list[tuple[datetime, float]]
"""P(miss) of a warning at each evaluation, oldest first."""
MOST_POINTS = 120
"""Evaluations of a warning that are drawn one by one."""


class Pages:
    """Draws the early-warning page of a cycle, once, whoever asks for it."""

    def __init__(self) -> None:
        self._courses: dict[str, Course] = {}
        self._drawn: tuple[Plan, str] | None = None

    def page_of(self, space: Workspace, cycle: Cycle) -> str:
        """Return the page with the states, the courses and the first dates that the ledger knows."""
        from forecasting.reports.early_warning_page import render_early_warning_page

        if self._drawn is None or self._drawn[0] is not cycle.plan:
            page = render_early_warning_page(
                cycle.plan,
                states={key: state.stage.value for key, state in cycle.states.items()},
                histories=self._histories(space.ledger, cycle),
                raised={key: s.raised_at for key, s in cycle.states.items() if s.raised_at is not None},
                customers=space.catalogue.customers,
                made_at=cycle.at if cycle.live else None,
            )
            self._drawn = cycle.plan, page
        return self._drawn[1]

    def _histories(self, ledger: Ledger, cycle: Cycle) -> dict[str, Course]:
        """Return the course of each warning: read from the ledger once, then gone on with what each cycle says."""
        known, self._courses = self._courses, {}
        for warning in cycle.warnings:
            course = known.get(warning.id)
            if course is None:
                course = course_of(ledger, warning.id)
            course = [point for point in course if point[0] < cycle.as_of]
            self._courses[warning.id] = thinned([*course, (cycle.as_of, warning.probability)])
        return self._courses


def thinned(course: Course) -> Course:
    """Return a course that can be drawn: of a long one, the last point of each day, and all of the last two days.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> hours = [(datetime(2027, 3, 1, tzinfo=UTC) + timedelta(hours=n), 0.5) for n in range(240)]
    >>> len(thinned(hours[:100])), len(thinned(hours))
    (100, 57)
    """
    if len(course) <= MOST_POINTS:
        return course
    recent = course[-1][0] - timedelta(days=2)
    daily = {at.date(): (at, p) for at, p in course if at < recent}
    return [*daily.values(), *((at, p) for at, p in course if at >= recent)]


def course_of(ledger: Ledger, key: str) -> Course:
    """Return P(miss) of an alarm at each evaluation that the ledger has, oldest first; of one cut-off the last."""
    found: dict[datetime, float] = {}
    for entry in ledger.entries("alarm", key=key):
        at, probability = entry.payload.get("at"), entry.payload.get("probability")
        if isinstance(at, str) and isinstance(probability, float | int):
            found[datetime.fromisoformat(at)] = float(probability)
    return sorted(found.items())


class PageFile:
    """Writes the page into the workspace's folder of reports, as a whole.

    Parameters
    ----------
    pages : Pages or None
        What draws it; None = one of its own.
    """

    def __init__(self, pages: Pages | None = None) -> None:
        self._pages = pages or Pages()

    def finished(self, space: Workspace, cycle: Cycle) -> Sequence[str]:
        """Write it."""
        from forecasting.workspace.workspace import REPORT_FOLDER

        page = self._pages.page_of(space, cycle)
        return (str(write_atomic(space.root / REPORT_FOLDER, PAGE, page)),)

    def failed(self, trouble: str, *, at: datetime, duration_s: float) -> None:
        """Leave the last page as it is: it says how old its data are."""


class TextFile:
    """Writes the metrics for the textfile collector of node_exporter.

    Parameters
    ----------
    path : Path
        Its name ends in ``.prom``; where a cycle fails before any was finished, what the file says of the plan stays.

    Raises
    ------
    InputError
        For a name that the collector would not read.
    """

    def __init__(self, path: Path) -> None:
        from forecasting.adapters.exposition import check_textfile

        check_textfile(path)
        self._path, self._said = path, ""

    def finished(self, space: Workspace, cycle: Cycle) -> Sequence[str]:
        """Write what the plan and the cycle say."""
        from forecasting.adapters.exposition import metrics_text, write_textfile

        self._said = metrics_text(cycle.plan, cycle=_status(cycle))
        return (str(write_textfile(self._path, self._said)),)

    def failed(self, trouble: str, *, at: datetime, duration_s: float) -> None:
        """Write that the cycle failed, beside what the last one that was finished said."""
        from forecasting.adapters.exposition import write_textfile

        before = self._said
        if not before and self._path.exists():
            before = self._path.read_text(encoding="utf-8", errors="replace")
        self._said = _failed_text(before, at, duration_s)
        write_textfile(self._path, self._said)


class Served:
    """Hands out page, metrics and health by a server; called after the other hooks, so that it tells of their trouble.

    Parameters
    ----------
    server : MetricsServer
        It answers already.
    pages : Pages or None
        What draws the page; None = one of its own.
    """

    def __init__(self, server: MetricsServer, pages: Pages | None = None) -> None:
        self._server, self._pages = server, pages or Pages()
        self._metrics = self._page = ""

    def finished(self, space: Workspace, cycle: Cycle) -> Sequence[str]:
        """Hand out what the cycle says from now on."""
        from forecasting.adapters.exposition import metrics_text

        self._metrics = metrics_text(cycle.plan, cycle=_status(cycle))
        self._page = self._pages.page_of(space, cycle)
        self._server.publish(metrics=self._metrics, page=self._page, trouble=cycle.trouble)
        return ()

    def failed(self, trouble: str, *, at: datetime, duration_s: float) -> None:
        """Hand out the last page and metrics, and that the cycle failed."""
        self._metrics = _failed_text(self._metrics, at, duration_s)
        self._server.publish(metrics=self._metrics, page=self._page or _no_page(trouble), trouble=trouble)


def _status(cycle: Cycle) -> CycleStatus:
    """Return how a cycle went, as the metrics tell it."""
    from forecasting.adapters.exposition import CycleStatus, ReceiverStatus

    return CycleStatus(
        finished_at=cycle.at,
        duration_s=cycle.duration_s,
        failed=bool(cycle.trouble),
        receivers=tuple(ReceiverStatus(name=r.name, failures=r.failures, waiting=r.waiting) for r in cycle.receivers),
    )


def _failed_text(before: str, at: datetime, duration_s: float) -> str:
    """Return the metrics after a cycle that failed."""
    from forecasting.adapters.exposition import CycleStatus, metrics_text

    return metrics_text(None, cycle=CycleStatus(finished_at=at, duration_s=duration_s, failed=True), before=before)


def _no_page(trouble: str) -> str:
    """Return what is seen before any cycle was finished."""
    policy = "default-src 'none'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>No early-warning page yet</title></head>'
        "<body><h1>No early-warning page yet</h1>"
        f"<p>No cycle has been finished since this watch began: {escape(trouble)}</p></body></html>\n"
    )
