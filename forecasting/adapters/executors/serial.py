"""One after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Serial:
    """Executor without processes: the reference that every other one must equal.

    Examples
    --------
    >>> Serial().map(abs, [-2, 1])
    [2, 1]
    """

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Return the function's results in the order of the items."""
        return [function(item) for item in items]
