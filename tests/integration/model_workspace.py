"""A workspace of eight small services with a weekly season, whose good and bad models are known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from conftest import run

SERVICES = tuple(f"shop-{i}" for i in range(8))
FIRST, DAYS = "2027-01-04", 210
SHIFTED, SHIFT_AT = "shop-3", 175
"""The service whose level moves, and the day from which on."""


def day(number: int) -> str:
    """Return the date of a day counted from the first."""
    return str((pd.Timestamp(FIRST) + pd.Timedelta(days=number)).date())


def build(folder: Path) -> Path:
    """Write and ingest the workspace."""
    rng = np.random.default_rng(7)
    week = np.array([1.0, 1.2, 1.2, 1.25, 1.4, 0.6, 0.4])
    parts = []
    for i, name in enumerate(SERVICES):
        values = (50 + 20 * i) * np.resize(week, DAYS) + rng.normal(0, 6 + i, DAYS)
        if name == SHIFTED:
            values[SHIFT_AT:] += 150
        stamps = [f"{day(n)}T00:00:00Z" for n in range(DAYS)]
        whole = np.maximum(values, 0).round().astype(int)
        parts.append(pd.DataFrame({"service": name, "metric": "calls", "at": stamps, "value": whole}))
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat(parts).to_csv(folder / "metrics.csv", index=False)
    (folder / "catalogue").mkdir()
    documents = []
    for name in SERVICES:
        documents.append(f"apiVersion: openslo/v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{}}\n")
        documents.append(
            f"apiVersion: forecasting/v1\nkind: DemandDriver\nmetadata: {{name: {name}-calls}}\n"
            f"spec: {{service: {name}, metric: calls}}\n"
        )
    (folder / "catalogue" / "all.yaml").write_text("---\n".join(documents), encoding="utf-8")
    (folder / "forecasting.yaml").write_text(
        """\
apiVersion: forecasting/v1
kind: Project
metadata: {name: shops}
spec:
  organisation: Shops
  currency: EUR
  catalogue: catalogue
  metrics:
    calls: {kind: count, unit: calls, step: 1d}
  sources:
    - {name: calls, path: metrics.csv, layout: long, metrics: [calls]}
""",
        encoding="utf-8",
    )
    answer = run("ingest", "-w", folder)
    assert answer.code == 0, answer.err
    return folder
