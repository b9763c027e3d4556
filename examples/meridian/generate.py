"""Write the workspace folder of the fictional Meridian Retail Group.

    python examples/meridian/generate.py --out build/meridian-data --seed 7

The folder then holds `forecasting.yaml`, `catalogue/` and `metrics/` (one CSV file, five Parquet files). The same
seed writes the same bytes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from meridian_metrics import DECIMALS, Metrics, is_whole, simulate  # noqa: E402


def daily_rows(metrics: Metrics) -> list[str]:
    """Return the lines of the long CSV file, header first; what was not measured has no line."""
    lines = ["service,metric,at,value"]
    days = [day.isoformat() for day in metrics.clock.days]
    for (service, metric), values in sorted(metrics.daily.items()):
        whole = is_whole(metric)
        for day, value in zip(days, values.tolist(), strict=True):
            if not np.isnan(value):
                text = str(round(value)) if whole else repr(round(value, DECIMALS))
                lines.append(f"{service},{metric},{day},{text}")
    return lines


def write(out: Path, seed: int) -> list[Path]:
    """Generate everything into `out` and return the files written.

    Parameters
    ----------
    out : Path
        Folder, made where it does not exist; files of the same name are replaced.
    seed : int
        0 or more.

    Returns
    -------
    list of Path
        The metric files, the catalogue and the project file.
    """
    metrics = simulate(seed)
    folder = out / "metrics"
    folder.mkdir(parents=True, exist_ok=True)
    csv = folder / "daily.csv"
    csv.write_bytes(("\n".join(daily_rows(metrics)) + "\n").encode("ascii"))
    written = [csv]
    for name, table in metrics.hourly.items():
        path = folder / f"{name}.parquet"
        _write_parquet(table, path)
        written.append(path)
    (out / "catalogue").mkdir(exist_ok=True)
    for source in (HERE / "forecasting.yaml", *sorted((HERE / "catalogue").glob("*.yaml"))):
        target = out / source.relative_to(HERE)
        if target.resolve() != source:
            shutil.copyfile(source, target)
        written.append(target)
    return written


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write with fixed settings and page checksums, so that damage is noticed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"service": pa.array(table["service"].tolist(), pa.string())}
    columns["at"] = pa.array(table["at"].to_numpy().astype("datetime64[us]"), pa.timestamp("us"))
    for name in table.columns[2:]:
        columns[name] = pa.array(table[name].to_numpy())
    pq.write_table(pa.table(columns), path, compression="zstd", write_page_checksum=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write the workspace folder of the fictional Meridian Retail Group.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--seed", type=int, default=7, help="seed of the simulation, 0 or more (default 7)")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error(f"--seed: got {options.seed}; allowed: 0 or more; try: --seed 7")
    for path in write(options.out, options.seed):
        print(f"{path}  {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
