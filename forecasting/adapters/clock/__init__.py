"""What tells the time: one line for each clock."""

from forecasting.adapters.clock.fixed import FixedClock
from forecasting.adapters.clock.system import SystemClock

CLOCKS: dict[str, type[SystemClock] | type[FixedClock]] = {"system": SystemClock, "fixed": FixedClock}
"""Clocks by name."""

__all__ = ["CLOCKS", "FixedClock", "SystemClock"]
