"""What tells the time: one line for each clock."""

from forecasting.adapters.clock.fixed import FixedClock
from forecasting.adapters.clock.pause import SignalPause
from forecasting.adapters.clock.system import SystemClock

CLOCKS: dict[str, type[SystemClock] | type[FixedClock]] = {"system": SystemClock, "fixed": FixedClock}
"""Clocks by name."""

PAUSES: dict[str, type[SignalPause]] = {"signal": SignalPause}
"""What waits between two cycles, by name."""

__all__ = ["CLOCKS", "PAUSES", "FixedClock", "SignalPause", "SystemClock"]
