"""Trained models in a registry: what is kept of each, and which one is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forecasting.terms.learned import Learned

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
"""Aliases: the version in force, the one that wants to be, and the one that was before."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunRecord:
    """Everything that is logged of one measurement, such as a league.

    Examples
    --------
    >>> RunRecord(run_name="back-test", params={}, metrics={"default/gm_sql": 0.8}, tags={}, texts={}, at_ms=0).metrics
    {'default/gm_sql': 0.8}
    """

    run_name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    """Kept with the run, and the version of a model, to be listed without opening anything."""
    texts: Mapping[str, str]
    """Content by file name with its folder, such as ``figures/league.svg``."""
    at_ms: int
    """Milliseconds since 1970 that metrics are dated with: the cut-off, not the clock."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelRecord(RunRecord):
    """Everything that is logged of one trained model."""

    name: str
    """Name in the registry."""
    settings: str
    """JSON the served model reads."""
    backtest: Learned
    """Out-of-fold errors, with the league and what it was learnt from."""
    learned: Learned | None = None
    """State; None = models are fitted to the history of each request."""


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One version of a registered model.

    Examples
    --------
    >>> ModelVersion(name="airports", version=3, run_id="ab", aliases=("champion",)).label
    'airports version 3 (champion)'
    """

    name: str
    version: int
    run_id: str
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name, version and aliases in words."""
        return f"{self.name} version {self.version}" + (f" ({', '.join(self.aliases)})" if self.aliases else "")
