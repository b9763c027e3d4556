"""From a store to attainments at full size: 1,000 SLOs × 36 months of hours, 100 SLOs × one year of minutes.

    python benchmarks/service_levels.py [--folder DIR] [--out docs/results-service-levels.md]

Makes the workspaces from a fixed seed in a temporary folder, ingests them and judges every window through the product's
own path (`Workspace.delivered`, what `forecasting attainment` calls), each step in a process of its own. Wall and CPU
seconds and the peak memory of the process are printed; nothing is asserted, machines differ.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CASES = {
    "hours": {"services": 1000, "first": "2024-01-01", "end": "2027-01-01", "step": "1h", "traffic": 1000},
    "minutes": {"services": 100, "first": "2026-01-01", "end": "2027-01-01", "step": "1m", "traffic": 60},
}
TITLES = {"hours": "1,000 SLOs × 36 months of hours", "minutes": "100 SLOs × one year of minutes"}

PROJECT = """apiVersion: forecasting/v1
kind: Project
metadata: {{name: scale}}
spec:
  organisation: Scale
  currency: EUR
  catalogue: catalogue
  metrics:
    requests: {{kind: count, unit: requests, step: {step}}}
    good_requests: {{kind: count, unit: requests, step: {step}}}
  sources: [{{name: m, path: m.parquet, layout: wide, metrics: [requests, good_requests]}}]
"""
DOCUMENT = """apiVersion: openslo/v1
kind: Service
metadata: {{name: {name}}}
spec: {{description: made for the benchmark}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}-ok}}
spec:
  service: {name}
  indicator:
    metadata: {{name: {name}-sli}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: forecasting, spec: {{metric: good_requests}}}}}}
        total: {{metricSource: {{type: forecasting, spec: {{metric: requests}}}}}}
  timeWindow:
    - {{duration: 1M, isRolling: false, calendar: {{startTime: "2024-01-01 00:00:00", timeZone: Europe/Berlin}}}}
  budgetingMethod: Occurrences
  objectives: [{{displayName: ok, target: 0.999}}]
"""


def make(case: str, root: Path) -> None:
    """Write the workspace's inputs: binomial failures on Poisson traffic."""
    import pyarrow as pa
    from pyarrow import parquet

    terms = CASES[case]
    unit = {"1h": "h", "1m": "m"}[str(terms["step"])]
    at = np.arange(str(terms["first"]), str(terms["end"]), dtype=f"datetime64[{unit}]").astype("datetime64[us]")
    rng = np.random.default_rng(20240101)
    (root / "catalogue").mkdir(parents=True)
    documents, writer = [], None
    for k in range(int(str(terms["services"]))):
        name = f"service-{k:04d}"
        total = rng.poisson(float(str(terms["traffic"])), len(at))
        good = total - rng.binomial(total, 0.0008)
        table = pa.table({
            "service": pa.array([name] * len(at)).dictionary_encode(), "at": at, "requests": total,
            "good_requests": good,
        })  # fmt: skip
        writer = writer or parquet.ParquetWriter(root / "m.parquet", table.schema)
        writer.write_table(table)
        documents.append(DOCUMENT.format(name=name))
    assert writer is not None
    writer.close()
    (root / "catalogue" / "all.yaml").write_text("---\n".join(documents))
    (root / "forecasting.yaml").write_text(PROJECT.format(step=terms["step"]))


def step(which: str, root: Path) -> dict[str, float]:
    """Do one step in this process and return what it took."""
    from forecasting import Workspace

    wall, cpu = time.perf_counter(), time.process_time()
    space = Workspace(root, mlflow=False)
    if which == "ingest":
        count = sum(report.rows_new for report in space.ingest())
    else:
        count = sum(len(found.attainments) for found in space.delivered())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "mib": peak, "count": count}


def child(which: str, root: Path) -> dict[str, float]:
    """Do one step in a process of its own."""
    line = [sys.executable, __file__, "--step", which, "--root", str(root)]
    found = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(found.splitlines()[-1]))


def main() -> None:
    """Run both cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=None, help="where the workspaces are made (default: temporary)")
    parser.add_argument("--out", type=Path, default=None, help="write the table to this file too")
    parser.add_argument("--step", choices=("ingest", "attainment"), help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(step(given.step, given.root)))
        return
    rows = []
    for case in CASES:
        root = Path(tempfile.mkdtemp(prefix="forecasting-", dir=given.folder))
        try:
            make(case, root / "w")
            for which in ("ingest", "attainment"):
                took = child(which, root / "w")
                unit = "rows" if which == "ingest" else "windows"
                rate = f"{took['count'] / took['wall']:,.0f} {unit}/s"
                rows.append(
                    f"| {TITLES[case]} | {which} | {took['count']:,} {unit} | {took['wall']:.1f} s "
                    f"| {took['cpu']:.1f} s | {rate} | {took['mib']:,.0f} MiB |"
                )
                print(rows[-1], flush=True)
        finally:
            shutil.rmtree(root)
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    text = "\n".join([
        "# Service levels at full size", "",
        f"`python benchmarks/service_levels.py` on {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}; load average at the end {load}. Attainment includes opening the "
        "workspace, reading the store and judging every calendar month.", "",
        "| Case | Step | Result | Wall | CPU | Rate | Peak memory |", "|---|---|---:|---:|---:|---:|---:|", *rows, "",
    ])  # fmt: skip
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
