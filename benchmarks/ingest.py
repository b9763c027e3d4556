"""How fast the embedded store takes rows, in how much memory, and what it costs to read and check them.

Each step runs in a Python of its own, so that its peak memory is its own. The files are made in a folder that is
removed afterwards: services × metrics at one minute, values with two decimals.

    python benchmarks/ingest.py                     # 50 million rows, Parquet and CSV; 12 GB of disk, some minutes
    python benchmarks/ingest.py --rows 2000000 --order shuffled
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

SERVICES = 200
METRICS = ("requests", "errors", "latency_ms", "cpu", "queue")
START = 1_767_225_600_000_000  # 2026-01-01 UTC, in microseconds
MINUTE = 60_000_000
ORDERS = ("time", "series", "shuffled")


# ---------------------------------------------------------------- data
def parts(rows: int, order: str, first: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield (series, minute) of a million rows at a time, from a minute on."""
    series = SERVICES * len(METRICS)
    minutes = rows // series
    rng = np.random.default_rng(7)
    shuffled = rng.permutation(rows) if order == "shuffled" else None
    for begin in range(0, rows, 1_000_000):
        index = np.arange(begin, min(begin + 1_000_000, rows))
        index = index if shuffled is None else shuffled[index]
        pair = (index // minutes, index % minutes) if order == "series" else (index % series, index // series)
        yield pair[0].astype(np.int32), pair[1] + first


def table(code: Any, minute: Any) -> pa.Table:
    import pyarrow as pa

    names = [f"service-{i:03d}" for i in range(SERVICES)]
    service = pa.DictionaryArray.from_arrays(pa.array(code // len(METRICS)), pa.array(names))
    metric = pa.DictionaryArray.from_arrays(pa.array(code % len(METRICS)), pa.array(METRICS))
    # The value depends on series and minute only, so that the same row is the same in every file.
    noise = ((code.astype(np.uint64) * 2_654_435_761 + minute.astype(np.uint64) * 40_503) % 9_973) / 9_973
    daily = 1 + 0.5 * np.sin(2 * np.pi * minute / 1440)
    at = pa.array((START + minute * MINUTE).view("datetime64[us]"), pa.timestamp("us", tz="UTC"))
    value = np.round(1000 * daily * (0.5 + noise), 2)
    return pa.table({"service": service, "metric": metric, "at": at, "value": value})


def write_parquet(path: Path, rows: int, order: str, first: int = 0) -> None:
    from pyarrow import parquet

    writer = None
    for code, minute in parts(rows, order, first):
        part = table(code, minute)
        writer = writer or parquet.ParquetWriter(path, part.schema, write_page_checksum=True)
        writer.write_table(part)
    assert writer is not None
    writer.close()


def write_csv(path: Path, rows: int, order: str, first: int = 0) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    with path.open("ab") as stream:
        for code, minute in parts(rows, order, first):
            part = table(code, minute)
            at = pc.strftime(part.column("at").cast(pa.timestamp("s", tz="UTC")), format="%Y-%m-%dT%H:%M:%SZ")
            part = part.set_column(2, "at", at).cast(
                pa.schema([(n, pa.float64() if n == "value" else pa.string()) for n in part.schema.names])
            )
            header = stream.tell() == 0
            csv.write_csv(part, stream, csv.WriteOptions(include_header=header, quoting_style="none"))


# ---------------------------------------------------------------- steps, each in a process of its own
def run_step(step: str, folder: Path, name: str) -> dict[str, object]:
    from forecasting.adapters.sources import open_source
    from forecasting.adapters.store import DuckdbMetrics
    from forecasting.terms.history import Metric, MetricKind
    from forecasting.terms.project import SourceSpec

    store = DuckdbMetrics(folder / "metrics.duckdb")
    found: dict[str, object] = {}
    began = time.perf_counter()
    if step == "ingest":
        metrics = {m: Metric(name=m, kind=MetricKind.NON_NEGATIVE) for m in METRICS}
        source = open_source(SourceSpec(name="rows", path=name), folder, metrics)
        report = store.append(source.chunks(store.state_of("rows")), source="rows", state=source.state)
        found = {"read": report.rows_read, "new": report.rows_new, "known": report.rows_known}
    elif step == "read one service":
        found = {"rows": len(store.read(services=["service-017"]))}
    elif step == "read one series":
        found = {"rows": len(store.read(services=["service-017"], metrics=["cpu"]))}
    elif step == "verify":
        found = {"damages": len(store.verify())}
    seconds = time.perf_counter() - began
    return {**found, "seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def step(name: str, folder: Path, file: str, label: str) -> dict[str, Any]:
    line = [sys.executable, __file__, "--step", name, "--folder", str(folder), "--file", file]
    found: dict[str, Any] = json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
    rate = f"{found['read'] / found['seconds']:,.0f} rows/s" if found.get("read") else ""
    rest = ", ".join(f"{key} {value:,}" for key, value in found.items() if key not in ("seconds", "peak"))
    print(f"| {label} | {found['seconds']:.1f} s | {rate} | {found['peak']:,.0f} MiB | {rest} |", flush=True)
    return found


def measure(kind: str, rows: int, order: str, where: str | None) -> None:
    """Make a file, take it in, again, with a million rows more, read and check."""
    write = write_parquet if kind == "parquet" else write_csv
    more = min(1_000_000, rows)
    with tempfile.TemporaryDirectory(prefix="forecasting-ingest-", dir=where) as name:
        folder = Path(name)
        file = folder / f"rows.{kind}"
        write(file, rows, order)
        print(f"\n{kind}, {rows:,} rows by {order}, {file.stat().st_size / 1e6:,.0f} MB\n")
        print("| Step | Time | Speed | Peak memory | |\n|---|---:|---:|---:|---|")
        step("ingest", folder, file.name, "ingest")
        size = (folder / "metrics.duckdb").stat().st_size
        step("ingest", folder, file.name, "the same file again")
        os.utime(file)
        second = folder / f"copy.{kind}"
        file.rename(second)
        # Other bytes, same rows: every row is compared.
        write(file, rows, "series" if order == "time" else "time")
        step("ingest", folder, file.name, "the same rows in another order")
        if kind == "csv":
            file.unlink()
            second.rename(file)
            step("ingest", folder, file.name, "the first file again")
            write(file, more, order, rows // (SERVICES * len(METRICS)))
            step("ingest", folder, file.name, f"{more:,} lines added to the file")
        else:
            file.unlink()
            write(file, more, order, rows // (SERVICES * len(METRICS)))
            step("ingest", folder, file.name, f"{more:,} rows more, another file")
        for name in ("read one service", "read one series", "verify"):
            step(name, folder, file.name, name)
        print(f"\nStore: {size / 1e6:,.0f} MB for {rows:,} rows, {size / rows:.1f} bytes a row")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--formats", nargs="+", default=["parquet", "csv"], choices=["parquet", "csv"])
    parser.add_argument("--order", default="time", choices=ORDERS)
    parser.add_argument("--folder", help="where to make the files (default: the system's folder for temporary files)")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(run_step(given.step, Path(given.folder), given.file)))
        return
    load = os.getloadavg()[0]
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, ", end="")
    print(f"Python {platform.python_version()}, load before {load:.1f}")
    for kind in given.formats:
        measure(kind, given.rows, given.order, given.folder)


if __name__ == "__main__":
    main()
