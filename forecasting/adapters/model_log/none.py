"""No model log: everything else works the same."""

from __future__ import annotations

from forecasting.terms.plan import Plan


class NoModelLog:
    """Model log that keeps nothing.

    Examples
    --------
    >>> NoModelLog().__class__.__name__
    'NoModelLog'
    """

    def log_backtests(self, plan: Plan) -> str | None:
        """Keep nothing and return None."""
        return None
