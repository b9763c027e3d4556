"""`watch`: ingest, compute, decide whom to tell, tell them; again and again, through crashes and refusals.

What has to be told is put into the outbox in the same transaction as the states that caused it, and stays there until
the receiver has taken it. A run that is cut off anywhere therefore goes on where it stopped: before the transaction the
evaluation is made again from the same data, after it the notices are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from forecasting.early_warning.alarms import advance, standing
from forecasting.early_warning.policy import closings, evaluate, most_urgent_first
from forecasting.ports import Clock, IngestReport, Notifier, Pause
from forecasting.terms.alarm import AlarmPolicy, AlarmState, Evaluation
from forecasting.terms.errors import ForecastingError, LedgerMovedError, StoreError
from forecasting.terms.notice import Notice
from forecasting.workspace.alarms import (
    alarm_outcomes,
    alarm_rows,
    alarm_states,
    letters_of,
    outbox_of,
    probability_before,
)
from forecasting.workspace.courier import Courier
from forecasting.workspace.cycle import Cycle, Hook
from forecasting.workspace.publishing import PageFile

if TYPE_CHECKING:
    from forecasting.terms.plan import Plan
    from forecasting.workspace.workspace import Workspace

LOOK_EVERY = timedelta(seconds=10)
"""How often, between two cycles, the outbox is looked at for retries and for what people's answers put there."""
_MOST_DECISIONS = 100


HOOKS: tuple[Callable[[], Hook], ...] = (PageFile,)
"""What tells of each cycle where nothing else is asked for, in this order: one line each."""


class _Ended(Exception):
    """The end was asked for between two steps."""


def _quiet(stage: str) -> None:
    """Show no progress."""


class Watch:
    """Watches one workspace; only one process at a time does.

    Parameters
    ----------
    open_workspace : callable
        Opens the workspace; called in each cycle, so that a changed catalogue or project counts from the next one on.
    policy : callable
        Returns the alarm policy for a workspace.
    pause : Pause
    clock : Clock
    as_of : str or None
        Cut-off of every cycle; None is the end of the data.
    ingest : bool
        Whether the sources are read in each cycle.
    hooks : sequence of Hook or None
        None = `HOOKS`.
    progress : callable
        Told the name of each stage.
    """

    def __init__(
        self,
        open_workspace: Callable[[], Workspace],
        *,
        policy: Callable[[Workspace], AlarmPolicy],
        pause: Pause,
        clock: Clock,
        as_of: str | None = None,
        ingest: bool = True,
        hooks: Sequence[Hook] | None = None,
        progress: Callable[[str], None] = _quiet,
    ) -> None:
        self._open, self._policy = open_workspace, policy
        self.pause, self.clock = pause, clock
        self._as_of, self._ingest, self._progress = as_of, ingest, progress
        self._hooks = tuple(make() for make in HOOKS) if hooks is None else tuple(hooks)
        self._courier: Courier | None = None
        self._last: tuple[tuple[object, ...], Plan] | None = None
        self._standing: frozenset[str] = frozenset()

    def once(self) -> Cycle | None:
        """Do one cycle; None where the end was asked for before it was finished.

        Raises
        ------
        StoreError
            Where another watch runs on this workspace.
        ForecastingError
            For the first thing wrong with the project, the catalogue, a source or the store. What waited in the outbox
            was delivered before, if it could be.
        """
        began = self.clock.now()
        try:
            space = self._open()
        except (ForecastingError, OSError) as error:
            self._tell_failed(error, began)
            raise
        with _alone(space):
            return self._cycle(space, due_only=False)

    def run(
        self,
        every: timedelta,
        *,
        told: Callable[[Cycle], None],
        failed: Callable[[ForecastingError | OSError], None],
    ) -> None:
        """Do a cycle every so often until the end is asked for; an error ends its cycle only.

        Parameters
        ----------
        every : timedelta
            From the beginning of one cycle to that of the next; a cycle that takes longer is followed by the next one.
        told, failed : callable
            Told of each finished cycle, and of each error.

        Raises
        ------
        StoreError
            Where another watch runs on this workspace.
        ForecastingError
            Where the workspace cannot be opened at the beginning.
        """
        space: Workspace | None = self._open()
        assert space is not None
        with _alone(space):
            while not self.pause.ended():
                until = self.clock.now() + every
                try:
                    cycle = self._cycle(space, due_only=True)
                    if cycle is not None:
                        told(cycle)
                except (ForecastingError, OSError) as error:
                    failed(error)
                space = None
                if self._between(until, every, failed):
                    return

    def _between(self, until: datetime, every: timedelta, failed: Callable[[ForecastingError | OSError], None]) -> bool:
        """Wait for the next cycle, delivering and repeating what is due; True where the end was asked for."""
        while (now := self.clock.now()) < until:
            until = min(until, now + every)  # a clock that was put back must not stop the watch
            due = self._courier.due(now) if self._courier else None
            wake = min(until, now + LOOK_EVERY, *(() if due is None else (due,)))
            if self.pause.wait(max((wake - now).total_seconds(), 0.05)):
                return True
            if self._courier is not None:
                try:
                    self._courier.deliver(due_only=True)
                    self._courier.repeat(self._standing, due_only=True)
                except (ForecastingError, OSError) as error:
                    failed(error)
        return self.pause.ended()

    def _cycle(self, space: Workspace | None, *, due_only: bool) -> Cycle | None:
        """Do one cycle; where it fails, the hooks hear of it, too."""
        began = self.clock.now()
        try:
            return self._steps(space or self._open(), began, due_only=due_only)
        except _Ended:
            return None
        except (ForecastingError, OSError) as error:
            self._tell_failed(error, began)
            raise

    def _steps(self, space: Workspace, began: datetime, *, due_only: bool) -> Cycle:
        from forecasting.adapters.notifiers import build_notifiers

        self._step("delivering")
        courier = self._hire(build_notifiers(space.project, space.root), space)
        taken = courier.deliver(due_only=due_only)
        sources: tuple[IngestReport, ...] = ()
        if self._ingest:
            self._step("ingesting")
            sources = space.ingest(self._as_of)
        plan, computed = self._computed(space)
        self._step("deciding")
        states, notices, problems = self._decided(space, plan)
        stand = standing(states)
        warnings = most_urgent_first(s.warning for s in stand if s.warning is not None)
        plan = replace(plan, warnings=warnings)
        if computed:
            space.record(plan)
        self._standing = frozenset(s.id for s in stand)
        self._step("telling")
        taken += courier.deliver(due_only=True)  # one that has just refused is not asked again at once
        courier.repeat(self._standing, due_only=due_only)
        at = self.clock.now()
        cycle = Cycle(
            at=at,
            as_of=plan.as_of,
            plan=plan,
            states=states,
            warnings=warnings,
            notices=notices,
            taken=taken,
            receivers=courier.status(),
            sources=sources,
            problems=problems,
            computed=computed,
            live=self._as_of is None,
            duration_s=_seconds(began, at),
        )
        return self._hooked(space, cycle)

    def _step(self, name: str) -> None:
        """Begin a step, unless the end was asked for."""
        if self.pause.ended():
            raise _Ended
        self._progress(name)

    def _hire(self, notifiers: Sequence[Notifier], space: Workspace) -> Courier:
        """Return the courier for the receivers of the project as they are now."""
        before = self._courier
        self._courier = Courier(outbox_of(space), notifiers, clock=self.clock, pause=self.pause)
        if before is not None:
            self._courier.take_over(before)
        return self._courier

    def _computed(self, space: Workspace) -> tuple[Plan, bool]:
        """Return the plan, made anew only where something it is made of is new."""
        as_of = space.instant(self._as_of)
        made_of = (space.position()[0], space.catalogue.version, as_of, space.settings)
        if self._last is not None and self._last[0] == made_of:
            return self._last[1], False
        self._step("computing")
        plan = space.compute(as_of, depth="full", progress=self._progress)
        if self.pause.ended():
            raise _Ended
        self._last = made_of, plan
        return plan, True

    def _decided(
        self, space: Workspace, plan: Plan
    ) -> tuple[dict[str, AlarmState], tuple[Notice, ...], tuple[str, ...]]:
        """Advance the alarms, keep states and notices in one transaction; again where somebody answered meanwhile."""
        policy, outbox = self._policy(space), outbox_of(space)
        for _ in range(_MOST_DECISIONS):
            head = space.ledger.head()[0]
            before = alarm_states(space.ledger, until=head)
            latest = max((s.at for s in before.values()), default=plan.as_of)
            if latest > plan.as_of:
                return before, (), (_too_old(plan.as_of, latest),)
            states, notices = advance(before, _evaluations(space, plan, before, policy), policy, plan.as_of)
            rows = alarm_rows(before, states, policy, alarm_outcomes(space.ledger) if before else ())
            try:
                outbox.keep(
                    rows,
                    letters_of(space, notices),
                    as_of=plan.as_of,
                    run_id=plan.manifest.run_id,
                    decided_at=head,
                )
                return states, notices, ()
            except LedgerMovedError as error:
                moved = error
        raise moved

    def _hooked(self, space: Workspace, cycle: Cycle) -> Cycle:
        """Call the hooks; one that fails does not keep the others from being called, which hear of it."""
        for hook in self._hooks:
            try:
                cycle = replace(cycle, files=(*cycle.files, *hook.finished(space, cycle)))
            except (ForecastingError, OSError) as error:
                cycle = replace(cycle, problems=(*cycle.problems, str(error)))
        return cycle

    def _tell_failed(self, error: ForecastingError | OSError, began: datetime) -> None:
        """Tell the hooks of a cycle that ended with an error."""
        at = self.clock.now()
        for hook in self._hooks:
            # The error itself is told; that it could not be written as well is not worth another one.
            with suppress(ForecastingError, OSError):
                hook.failed(str(error), at=at, duration_s=_seconds(began, at))


def _seconds(began: datetime, at: datetime) -> float:
    """Return how long something took; nothing where the clock was put back meanwhile."""
    return max((at - began).total_seconds(), 0.0)


def _evaluations(
    space: Workspace, plan: Plan, before: Mapping[str, AlarmState], policy: AlarmPolicy
) -> tuple[Evaluation, ...]:
    """Return what is said of every window that an alarm is about."""
    was = {key: p for key, s in before.items() if (p := probability_before(s, plan.as_of)) is not None}
    running = evaluate(
        plan.services,
        plan.proposals,
        as_of=plan.as_of,
        policy=policy,
        previous=was,
        track_record=plan.risk_score,
        customers=space.catalogue.customers,
        known=[key for key, s in before.items() if not s.closed],
    )
    promised = [(o.service, None if a is None else a.id, o.name) for a, o in space.catalogue.all_objectives()]
    over = closings(
        [s for s in before.values() if s.id not in {e.id for e in running}],
        plan.record,
        as_of=plan.as_of,
        promised=promised,
    )
    return (*running, *over)


def _too_old(as_of: datetime, latest: datetime) -> str:
    return (
        f"nobody was told anything: the cut-off {as_of.isoformat()} is before {latest.isoformat()}, up to which the "
        "alarms were evaluated already"
    )


@contextmanager
def _alone(space: Workspace) -> Iterator[None]:
    """Hold the place of the one watch of a workspace; only taking it can fail here."""
    place = outbox_of(space).alone()
    try:
        place.__enter__()
    except StoreError as error:
        raise StoreError(
            argument="watch",
            came=f"{space.root} is watched already ({error.came})",
            allowed="one watch on a workspace",
            try_instead="stop the other one (SIGTERM ends it after its current step); it delivers what waits, too",
        ) from error
    try:
        yield
    finally:
        place.__exit__(None, None, None)
