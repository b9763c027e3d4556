"""From an analyst's pandas tables to series on regular grids, and to covariates on the grid of a series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import DAY, is_local_days, local_midnight, slice_bounds, to_local, zone_of
from forecasting.history.grid import build_history
from forecasting.terms.covariate import Covariate
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, MetricKind, Series

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

METRIC, SERVICE = "value", "series"
"""Names of a metric and a service that nobody named."""
_MONTH = range(28, 32)
_TWO_HOURS = np.timedelta64(2, "h")
_SHAPES = "a frame with columns service, metric, at, value; a Series or frame with a DatetimeIndex; or a list of Series"


def read_series(
    data: pd.DataFrame | pd.Series | Sequence[Series],
    *,
    zone: str = "",
    kind: MetricKind | str | None = None,
    step: timedelta | None = None,
    unit: str = "",
) -> tuple[Series, ...]:
    """Put a table on regular grids, one series for each service and metric, all up to the same end.

    Parameters
    ----------
    data : DataFrame, pandas Series or sequence of Series
        Long: columns at and value, service and metric where there are several. Wide: a DatetimeIndex, one column a
        service. Rows in any order; NaN, and a slice without a row, is missing. Our own series are taken as they are.
    zone : str
        IANA zone of naive timestamps, and of local days; empty takes the zone of the timestamps.
    kind : MetricKind, str or None
        What the numbers are, which bounds their forecasts; None: non_negative where no value of the metric is below 0,
        real otherwise.
    step : timedelta or None
        Length of a slice; None takes the smallest distance between two timestamps of a metric.
    unit : str
        Unit in words.

    Returns
    -------
    tuple of Series
        Sorted by service and metric; those that were given as series keep their order.

    Raises
    ------
    InputError
        For a table of another shape, naive timestamps without a zone, timestamps off a regular grid, two values for a
        slice, values that are no numbers, infinite or outside the bounds of their kind, or no value at all.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.Series([5.0, 9.0, 8.0], name="shop",
    ...     index=pd.to_datetime(["2027-03-01", "2027-03-02", "2027-03-04"]))
    >>> (one,) = read_series(days, zone="Europe/Berlin")
    >>> one.service, one.start.isoformat(), one.step.days, one.values
    ('shop', '2027-02-28T23:00:00+00:00', 1, array([ 5.,  9., nan,  8.]))
    """
    import pandas as pd

    if not isinstance(data, pd.DataFrame | pd.Series):
        several = tuple(data) if isinstance(data, Sequence) and not isinstance(data, str) else ()
        if not several or not all(isinstance(one, Series) for one in several):
            raise _shape(type(data).__name__ if not several else f"a {type(data).__name__} of other things")
        return several
    rows, found = _rows(data, zone)
    rows["value"] = _numbers(rows["value"])
    rows = rows[rows["value"].notna()]
    if rows.empty:
        raise InputError(argument="data", came="no value", allowed="one value at least", try_instead="more data")
    metrics: dict[str, Metric] = {}
    ends: list[datetime] = []
    for name, part in rows.groupby("metric", sort=True):
        length = _step(str(name), part, found) if step is None else step
        metrics[str(name)] = Metric(
            name=str(name), kind=_kind(str(name), part["value"].to_numpy(), kind), unit=unit, step=length
        )
        last = part["at"].max().to_pydatetime().replace(tzinfo=UTC)
        _check_midnight(str(name), part, length, found)
        end: datetime = slice_bounds(last, length, found, 1)[-1].item()
        ends.append(end.replace(tzinfo=UTC))
    history = build_history(rows, metrics, dict.fromkeys(rows["service"].unique(), found), max(ends))
    return tuple(series for _, series in sorted(history.series.items()))


def read_covariates(
    frame: pd.DataFrame, series: Sequence[Series], horizon: int, *, zone: str = ""
) -> tuple[tuple[Covariate, ...], ...]:
    """Put what is known ahead on the grid of each series.

    Parameters
    ----------
    frame : DataFrame
        Column at (or a DatetimeIndex), service where it is not for all, and one column of numbers for each covariate.
        Rows for the history and the horizon, one a slice; slices without a row are unknown. Columns of 0 and 1 are
        flags.
    series : sequence of Series
    horizon : int
        Slices ahead.
    zone : str
        IANA zone of naive timestamps; empty takes that of each series.

    Returns
    -------
    tuple of tuple of Covariate
        One tuple for each series; covariates without a row for it are left out.

    Raises
    ------
    InputError
        For a frame of another shape, a column that is no number, two rows for one slice, or rows between two slices.

    Examples
    --------
    >>> import pandas as pd
    >>> (one,) = read_series(pd.Series([5.0, 9.0], index=pd.to_datetime(["2027-03-01", "2027-03-02"])), zone="UTC")
    >>> sale = pd.DataFrame({"at": pd.date_range("2027-03-01", periods=4), "sale": [0, 1, 1, 0]})
    >>> ((covariate,),) = read_covariates(sale, [one], 2)
    >>> covariate.name, covariate.values, covariate.kind
    ('sale', array([0., 1., 1., 0.]), 'flag')
    """
    import pandas as pd

    if "at" not in frame.columns:
        if not isinstance(frame.index, pd.DatetimeIndex):
            raise InputError(
                argument="covariates",
                came=f"columns {list(map(str, frame.columns))}",
                allowed="a column at, or a DatetimeIndex",
                try_instead="rename the column of times to at",
            )
        frame = frame.rename_axis("at").reset_index()
    names = [str(name) for name in frame.columns if str(name) not in ("at", "service")]
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    for name in names:
        if not pd.api.types.is_numeric_dtype(frame[name].dtype):
            raise InputError(
                argument=f"covariate {name}",
                came=str(frame[name].dtype),
                allowed="numbers",
                try_instead="0 and 1 for yes and no; leave texts out",
            )
    if not names:
        raise InputError(
            argument="covariates", came="no column beside at", allowed="one column for each covariate",
            try_instead="a column such as campaign with 0 and 1",
        )  # fmt: skip
    return tuple(_covariates(frame, names, one, horizon, zone or one.zone) for one in series)


def _covariates(
    frame: pd.DataFrame, names: Sequence[str], series: Series, horizon: int, zone: str
) -> tuple[Covariate, ...]:
    """The covariates of one series."""
    own = frame[frame["service"].astype(str) == series.service] if "service" in frame.columns else frame
    if own.empty:
        return ()
    at, _ = _utc(own["at"], zone)
    starts = slice_bounds(series.start, series.step, series.zone, len(series) + horizon)[:-1]
    instants = at.to_numpy().astype("datetime64[us]")
    inside = (instants >= starts[0]) & (instants <= starts[-1])
    slots = np.searchsorted(starts, instants[inside])
    wrong = starts[slots] != instants[inside]
    if wrong.any() or len(np.unique(slots)) < len(slots):
        raise InputError(
            argument=f"at of the covariates of {series.service}",
            came=_shown(instants[inside][wrong]) if wrong.any() else "several rows for one slice",
            allowed=f"one row a slice of {series.step}, at its start such as {_shown(starts[:1])}",
            try_instead="resample the covariates to the step of the series",
        )
    made = []
    for name in names:
        values = np.full(len(starts), np.nan)
        values[slots] = own[name].to_numpy(dtype=np.float64, na_value=np.nan)[inside]
        known = values[~np.isnan(values)]
        if len(known):
            flag = bool(np.isin(known, (0.0, 1.0)).all())
            made.append(Covariate(name=name, values=values, kind="flag" if flag else "real"))
    return tuple(made)


def _shape(came: str) -> InputError:
    """The error for a table of another shape."""
    return InputError(
        argument="data", came=came, allowed=_SHAPES, try_instead="data.rename(columns={...}), or set_index of the times"
    )


def _rows(data: pd.DataFrame | pd.Series, zone: str) -> tuple[pd.DataFrame, str]:
    """Canonical rows (service, metric, at naive UTC, value), and the zone of local days."""
    import pandas as pd

    if isinstance(data, pd.DataFrame) and {"at", "value"} <= set(data.columns):
        at, found = _utc(data["at"], zone)
        return (
            pd.DataFrame(
                {
                    "service": _names(data, "service", SERVICE),
                    "metric": _names(data, "metric", METRIC),
                    "at": at.to_numpy(),
                    "value": data["value"].to_numpy(),
                }
            ),
            found,
        )
    if not isinstance(data.index, pd.DatetimeIndex):
        raise _shape(
            f"columns {list(map(str, data.columns))}, index {type(data.index).__name__}"
            if isinstance(data, pd.DataFrame)
            else f"a Series with index {type(data.index).__name__}"
        )
    at, found = _utc(data.index.to_series(), zone)
    wide = data.to_frame(SERVICE if data.name is None else str(data.name)) if isinstance(data, pd.Series) else data
    if wide.columns.has_duplicates:
        raise InputError(
            argument="columns of data", came=list(map(str, wide.columns)), allowed="each name once",
            try_instead="rename the columns",
        )  # fmt: skip
    parts = [
        pd.DataFrame({"service": str(name), "metric": METRIC, "at": at.to_numpy(), "value": wide[name].to_numpy()})
        for name in wide.columns
    ]
    if not parts:
        raise _shape("a frame without a column")
    return pd.concat(parts, ignore_index=True), found


def _names(data: pd.DataFrame, column: str, default: str) -> NDArray[np.object_]:
    """A column of names as texts."""
    if column not in data.columns:
        return np.full(len(data), default, dtype=object)
    if data[column].isna().any():
        raise InputError(argument=column, came="missing", allowed="a name in every row", try_instead="dropna() first")
    return data[column].astype(str).to_numpy(dtype=object)


def _utc(at: pd.Series, zone: str) -> tuple[pd.Series, str]:
    """Timestamps as naive UTC, and the zone of their local days."""
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(at.dtype) or at.isna().any():
        raise InputError(
            argument="at",
            came="missing timestamps" if pd.api.types.is_datetime64_any_dtype(at.dtype) else str(at.dtype),
            allowed="timestamps (datetime64) in every row",
            try_instead="pandas.to_datetime(data['at'], utc=True)",
        )
    tz = at.dt.tz
    if tz is not None:
        known = getattr(tz, "key", None) or getattr(tz, "zone", None)
        utc = at.dt.tz_convert("UTC").dt.tz_localize(None)
        return utc.astype("datetime64[us]"), zone_of(zone or (known if isinstance(known, str) else "UTC")).key
    if not zone:
        raise InputError(
            argument="zone",
            came="timestamps without a zone",
            allowed="an IANA time zone, in which the timestamps are local time",
            try_instead="zone='UTC', or zone='Europe/Berlin'",
        )
    try:
        # A midnight that does not exist is the instant at which the day begins; other times must exist.
        whole = bool((at == at.dt.normalize()).all())
        local = at.dt.tz_localize(
            zone_of(zone),
            ambiguous=np.ones(len(at), dtype=np.bool_) if whole else "raise",
            nonexistent="shift_forward" if whole else "raise",
        )
    except ValueError as error:
        raise InputError(
            argument="at",
            came=str(error),
            allowed=f"local times that happen once in {zone}",
            try_instead="timestamps in UTC with their zone: pandas.to_datetime(..., utc=True)",
        ) from error
    return local.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]"), zone


def _numbers(values: pd.Series) -> pd.Series:
    """The values as floats; what is no number is refused."""
    import pandas as pd

    try:
        return pd.Series(pd.to_numeric(values)).astype("float64")
    except (ValueError, TypeError) as error:
        raise InputError(
            argument="value", came=str(error), allowed="numbers, NaN for missing",
            try_instead="pandas.to_numeric(data['value'], errors='coerce') after a look at what it is",
        ) from error  # fmt: skip


def _kind(name: str, values: NDArray[np.float64], kind: MetricKind | str | None) -> MetricKind:
    """The kind asked for where the values fit it; without one, what they show."""
    low, high = float(np.min(values)), float(np.max(values))
    if kind is None:
        return MetricKind.NON_NEGATIVE if low >= 0 else MetricKind.REAL
    try:
        found = MetricKind(kind)
    except ValueError as error:
        raise InputError(
            argument="kind", came=kind, allowed=", ".join(k.value for k in MetricKind), try_instead="count"
        ) from error
    least, most = found.bounds
    if (least is not None and low < least) or (most is not None and high > most):
        odd = low if least is not None and low < least else high
        raise InputError(
            argument=f"value of {name}",
            came=odd,
            allowed=f"{found.value}: {least:g} or more" if most is None else f"{found.value}: {least} to {most}",
            try_instead="kind='real', or look for errors of measurement",
        )
    return found


def _step(name: str, rows: pd.DataFrame, zone: str) -> timedelta:
    """The smallest distance between two timestamps of a service, of which the others must be multiples."""
    at = {
        str(service): np.unique(part["at"].to_numpy().astype("datetime64[us]"))
        for service, part in rows.groupby("service", sort=True)
    }
    local_days = all(bool(_midnights(times, zone).all()) for times in at.values())
    counted = [to_local(times, zone).astype("datetime64[D]") if local_days else times for times in at.values()]
    distances = [np.diff(times).astype(np.int64) for times in counted]
    every = np.concatenate(distances)
    if not len(every):
        raise InputError(
            argument=f"step of {name}", came="one timestamp", allowed="two timestamps of a service at least",
            try_instead="more data",
        )  # fmt: skip
    least = int(every.min())
    if (every % least != 0).any():
        service, times, gaps = next(
            (s, t, g) for (s, t), g in zip(at.items(), distances, strict=True) if (g % least != 0).any()
        )
        raise _irregular(name, service, times, gaps, least, local_days)
    return timedelta(days=least) if local_days else timedelta(microseconds=least)


def _irregular(
    name: str, service: str, times: NDArray[np.datetime64], gaps: NDArray[np.int64], least: int, days: bool
) -> InputError:
    """The error for timestamps that are not on one grid, with the first that is off."""
    first = int(np.argmax(gaps % least != 0))
    months = days and least in _MONTH and all(int(gap) in _MONTH for gap in gaps)
    length = timedelta(days=least) if days else timedelta(microseconds=least)
    return InputError(
        argument=f"at of {name} ({service})",
        came=f"{_shown(times[first : first + 2])}, off a grid of {length}",
        allowed="slices of one length: every timestamp the start of a slice; a slice without a row is missing",
        try_instead="days or weeks: calendar months differ in length"
        if months
        else "one row a slice, such as data.resample('1h').sum(min_count=1), or step=timedelta(...)",
    )


def _check_midnight(name: str, rows: pd.DataFrame, step: timedelta, zone: str) -> None:
    """Refuse whole days that do not begin at local midnight."""
    if not is_local_days(step):
        if step <= timedelta(0):
            raise InputError(argument="step", came=str(step), allowed="above 0", try_instead="timedelta(days=1)")
        return
    at = rows["at"].to_numpy().astype("datetime64[us]")
    off = ~_midnights(at, zone)
    if off.any():
        raise InputError(
            argument=f"at of {name}",
            came=f"{_shown(at[off])}, which is {str(to_local(at[off][:1], zone)[0])[11:16]} in {zone}",
            allowed=f"days that begin at midnight in {zone} (step {step // DAY} d)",
            try_instead="the zone in which they do, or data['at'].dt.normalize()",
        )


def _midnights(at: NDArray[np.datetime64], zone: str) -> NDArray[np.bool_]:
    """Which instants begin a local day; where clocks are put forward at midnight that is later than 00:00."""
    local = to_local(at, zone)
    result = np.asarray(local == local.astype("datetime64[D]"))
    for i in np.flatnonzero(~result & (local.astype("datetime64[h]") - local.astype("datetime64[D]") < _TWO_HOURS)):
        begun = local_midnight(local[i].item().date(), zone_of(zone)).replace(tzinfo=None)
        result[i] = at[i] == np.datetime64(begun, "us")
    return result


def _shown(instants: NDArray[np.datetime64]) -> str:
    """The first instants as text."""
    return ", ".join(f"{str(at)[:19]}Z" for at in instants[:2])
