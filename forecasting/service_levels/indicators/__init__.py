"""Indicators: one file for each kind of indicator; what is good and what is total in each slice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta

import numpy as np

from forecasting.service_levels.indicators.availability_metric import availability_slices
from forecasting.service_levels.indicators.availability_outages import outage_slices
from forecasting.service_levels.indicators.deadline import deadline_days
from forecasting.service_levels.indicators.quantile import quantile_samples
from forecasting.service_levels.indicators.ratio import ratio_slices
from forecasting.service_levels.indicators.raw_ratio import raw_ratio_slices
from forecasting.service_levels.indicators.threshold import threshold_slices
from forecasting.service_levels.indicators.ticket import ticket_days
from forecasting.service_levels.judged import Judged
from forecasting.terms.errors import Excuse
from forecasting.terms.history import History
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    DeadlineIndicator,
    QuantileIndicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
    TicketIndicator,
)
from forecasting.terms.service_level import Objective
from forecasting.terms.service_time import ServiceCalendar

Judge = Callable[[Objective, History, Mapping[str, ServiceCalendar]], Judged | Excuse]
INDICATORS: Mapping[type, Judge] = {
    RatioIndicator: lambda slo, history, calendars: ratio_slices(slo, history),
    RawRatioIndicator: lambda slo, history, calendars: raw_ratio_slices(slo, history),
    ThresholdIndicator: lambda slo, history, calendars: threshold_slices(slo, history),
    QuantileIndicator: lambda slo, history, calendars: quantile_samples(slo, history),
    AvailabilityIndicator: lambda slo, history, calendars: availability(slo, history),
    DeadlineIndicator: lambda slo, history, calendars: deadline_days(slo, history, calendars, history.cut_off),
    TicketIndicator: lambda slo, history, calendars: ticket_days(slo, history, calendars, history.cut_off),
}
"""What judges the data slices of each kind of indicator; a composite is judged from its components."""


def availability(objective: Objective, history: History) -> Judged | Excuse:
    """Judge availability by its metric, or by outages: in hours, or in parts of the method's slices."""
    indicator = objective.indicator
    assert isinstance(indicator, AvailabilityIndicator)
    if not indicator.outages:
        return availability_slices(objective, history)
    found = outage_slices(objective, history, history.cut_off)
    if isinstance(found, Excuse) or objective.slice_window is None or not len(found):
        return found
    # Every offset from UTC is whole quarters of an hour, so parts of that length (or of a common divisor) begin where
    # the slices of any window do.
    anchor = getattr(objective.window, "anchor", None)
    minute = 0 if anchor is None else (anchor - anchor.min) // timedelta(microseconds=1)
    step = math.gcd(objective.slice_window // timedelta(microseconds=1), 15 * 60 * 1_000_000, minute)
    begin, end = (int(x.astype(np.int64)) for x in (found.starts[0], found.ends[-1]))
    starts = np.arange(begin, end, step, dtype=np.int64)
    return outage_slices(objective, history, history.cut_off, starts, starts + step)
