"""The knobs of a run, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run is computed; every value is printed in the manifest.

    Examples
    --------
    >>> Settings(paths=500).windows_ahead
    4
    """

    seed: int = 20130901
    paths: int = 2000
    """Sample paths, and so worlds in every simulation; 200 to 100,000."""
    windows_ahead: int = 4
    """Windows after the running one for which breach risk is computed, as far as 15 months ahead."""
    forecast_step: timedelta = timedelta(days=1)
    """Step of the demand forecast used for planning."""
    horizon_days: int = 120
    """Local days forecast after the cut-off; lengthened to the end of the last window."""
    origins: int = 4
    """Rolling origins of a back-test."""
    mean_block_days: float = 3.0
    """Mean block length of the stationary bootstrap."""
    stock_horizon_days: int = 540
    """Local days forecast for growing stocks, whose lead times are long."""
    half_life_days: float = 365.0
    """Age at which a day of badness counts half as a pattern; its level is learnt apart."""
    error_half_life_days: float = 60.0
    """Age at which a forecast error counts half."""
    replay_paths: int = 500
    """Sample paths of each replayed statement in the track record."""
    act_at: float = 0.1
    """P(miss) or P(exhausted) from which options are worked out."""
    discount_rate: float = 0.08
    """Rate a year at which money of later months is discounted in the net present value of options, 0 or more."""
    warn_at: float = 0.35
    """P(breach) at which an early warning is raised."""
    required_lead_days: float = 7.0
    """Lead a warning must have to count as in time."""
    models: tuple[str, ...] = ("pooled",)
    """Demand models: ``pooled`` learns across all series of a run; other names from the table in
    `forecasting.forecasts.models` become members of the pool, or, without ``pooled``, are tried series by series."""
    jobs: int = 2
    """Processes used."""
