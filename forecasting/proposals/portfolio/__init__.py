"""One option for each service under budgets: the best choice, how far it can be from the best, what limits cost."""

from forecasting.proposals.portfolio.choose import choose

__all__ = ["choose"]
