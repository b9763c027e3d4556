"""What is remarkable in rows as they are read: gaps and irregular steps of each series, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_NEVER = np.iinfo(np.int64).max
_DAY = 86_400_000_000
_NEARLY_A_DAY = 72_000_000_000  # 20 h: local days have 23, 24 or 25
_MOST_SHOWN = 50
_MOSTLY = 0.5


class RowQuality:
    """Keeps a few numbers for each series while chunks pass; the step is the shortest one seen.

    Examples
    --------
    >>> import numpy as np
    >>> quality, hours = RowQuality(), np.array([0, 1, 2, 6, 7]) * 3_600_000_000
    >>> quality.add(np.zeros(5, dtype=np.int32), hours, 1)
    >>> quality.findings([("shop", "orders")])
    ('shop orders: 3 of 8 slices missing, longest gap 3',)
    """

    def __init__(self) -> None:
        self._count = np.empty(0, dtype=np.int64)
        self._first, self._last, self._step, self._at_step, self._longest, self._steps = (
            self._count.copy() for _ in range(6)
        )
        self._ordered = np.empty(0, dtype=bool)

    def add(self, codes: NDArray[np.int32], at: NDArray[np.int64], series: int) -> None:
        """Add rows with a value, sorted by series and time; `series` is the number of series known by now."""
        self._grow(series)
        if not len(codes):
            return
        starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
        ends = np.append(starts[1:], len(codes)) - 1
        who, begin, end = codes[starts], at[starts], at[ends]
        gap = np.empty(len(codes), dtype=np.int64)
        gap[1:] = at[1:] - at[:-1]
        known = self._count[who] > 0
        follows = known & (begin > self._last[who])
        gap[starts] = np.where(follows, begin - self._last[who], _NEVER)
        days = (gap >= _NEARLY_A_DAY) & (gap != _NEVER)
        if days.any():
            gap[days] = np.rint(gap[days] / _DAY).astype(np.int64) * _DAY
        shortest = np.minimum.reduceat(gap, starts)
        old = self._step[who]
        step = np.minimum(old, shortest)
        at_step = np.add.reduceat((gap == np.repeat(step, ends - starts + 1)).astype(np.int64), starts)
        gap[gap == _NEVER] = 0
        self._at_step[who] = np.where(step == old, self._at_step[who], 0) + np.where(step == _NEVER, 0, at_step)
        self._step[who] = step
        self._longest[who] = np.maximum(self._longest[who], np.maximum.reduceat(gap, starts))
        self._steps[who] += ends - starts + follows
        self._ordered[who] &= ~known | follows
        self._first[who] = np.minimum(self._first[who], begin)
        self._last[who] = np.maximum(self._last[who], end)
        self._count[who] += ends - starts + 1

    def _grow(self, series: int) -> None:
        """Make room for series that were not there before."""
        more = series - len(self._count)
        if more <= 0:
            return
        zero, never = np.zeros(more, dtype=np.int64), np.full(more, _NEVER)
        self._count, self._at_step, self._longest, self._steps = (
            np.append(kept, zero) for kept in (self._count, self._at_step, self._longest, self._steps)
        )
        self._first, self._step = np.append(self._first, never), np.append(self._step, never)
        self._last = np.append(self._last, -never)
        self._ordered = np.append(self._ordered, np.ones(more, dtype=bool))

    def span(self) -> tuple[int, int] | None:
        """Return the earliest and latest time in microseconds, or None without rows."""
        return (int(self._first.min()), int(self._last.max())) if self._count.any() else None

    def findings(self, names: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """Return what is remarkable, by name of the series; `names` are those of the codes."""
        found = [
            (names[code], said)
            for code in np.flatnonzero(self._count > 1).tolist()
            if (said := self._finding(code)) is not None
        ]
        found.sort()
        texts = [f"{service} {metric}: {said}" for (service, metric), said in found[:_MOST_SHOWN]]
        return (*texts, *([f"and {len(found) - _MOST_SHOWN} more series"] if len(found) > _MOST_SHOWN else []))

    def _finding(self, code: int) -> str | None:
        """Return what is remarkable about one series."""
        step, longest = int(self._step[code]), int(self._longest[code])
        if step == _NEVER:
            return None
        if self._ordered[code] and self._at_step[code] < _MOSTLY * self._steps[code]:
            return f"no regular step: {_spoken(step)} to {_spoken(longest)} between rows"
        slices = round(int(self._last[code] - self._first[code]) / step) + 1
        missing = slices - int(self._count[code])
        if missing <= 0:
            return None
        gap = f", longest gap {round(longest / step) - 1}" if self._ordered[code] else ""
        return f"{missing} of {slices} slices missing{gap}"


def _spoken(micros: int) -> str:
    """Return a length of time in its largest whole unit."""
    for unit, size in (("d", _DAY), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000)):
        if micros >= size:
            return f"{micros / size:.3g} {unit}"
    return f"{micros} µs"
