"""What waits between two cycles, and is told to end by a signal."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SLICE_SECONDS = 0.2
"""A wish to end is noticed within this time; waiting on a lock instead could deadlock with the signal's handler."""


class SignalPause:
    """Waits for real; ends early, and for good, once the process is asked to end.

    Examples
    --------
    >>> pause = SignalPause()
    >>> pause.wait(0), pause.ended()
    (False, False)
    >>> pause.end()
    >>> pause.wait(3600)
    True
    """

    def __init__(self) -> None:
        self._asked = False

    def end(self) -> None:
        """Ask for the end."""
        self._asked = True

    def ended(self) -> bool:
        """Tell whether the end was asked for."""
        return self._asked

    def wait(self, seconds: float) -> bool:
        """Wait; return True at once where the end was asked for, before or meanwhile."""
        end = time.monotonic() + seconds
        while not self._asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_SECONDS))
        return self._asked

    @contextmanager
    def until_signal(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as the wish to end after the current step; a second one ends at once."""
        before = {signal.SIGTERM: signal.getsignal(signal.SIGTERM), signal.SIGINT: signal.getsignal(signal.SIGINT)}

        def ask(number: int, frame: FrameType | None) -> None:
            if self._asked:
                signal.signal(number, before[signal.Signals(number)])
                signal.raise_signal(number)
            self._asked = True

        for number in before:
            signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
