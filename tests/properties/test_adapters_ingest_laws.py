"""Ingest is idempotent: however the same rows are cut into files, ordered and named, the store is the same."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.adapters.sources import open_source, rows_sha256
from forecasting.adapters.store import DuckdbMetrics
from forecasting.ports import IngestReport
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import SourceSpec

METRICS = {name: Metric(name=name, kind=MetricKind.REAL) for name in ("x", "y")}
ROWS = 40


def all_rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    at = pd.date_range("2027-03-01", periods=10, freq="h")
    index = pd.MultiIndex.from_product([["a", "b"], ["x", "y"], at], names=["service", "metric", "at"])
    return pd.DataFrame({"value": rng.normal(size=ROWS).round(3)}, index=index).reset_index()


def ingest(store: DuckdbMetrics, folder: Path, name: str, rows: pd.DataFrame, kind: str = "csv") -> IngestReport:
    path = f"{name}.{kind}"
    if kind == "csv":
        rows.to_csv(folder / path, index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
    else:
        rows.assign(at=rows["at"].dt.tz_localize("UTC")).to_parquet(folder / path)
    source = open_source(SourceSpec(name=name, path=path), folder, METRICS)
    return store.append(source.chunks(store.state_of(name)), source=name, state=source.state)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store with all rows, and the identity of what it holds."""
    folder = tmp_path_factory.mktemp("once")
    ingest(DuckdbMetrics(folder / "m.duckdb"), folder, "all", all_rows())
    return folder, rows_sha256(DuckdbMetrics(folder / "m.duckdb").read())


CUTS = st.tuples(
    st.permutations(range(ROWS)), st.lists(st.integers(0, ROWS), max_size=3), st.integers(0, 5), st.booleans()
)


def take_in_known_rows(once: tuple[Path, str], cut: tuple[list[int], list[int], int, bool]) -> None:
    """Ingest the stored rows again from files cut, ordered, overlapping and named in another way."""
    order, cuts, overlap, as_parquet = cut
    folder, expected = once
    store, rows = DuckdbMetrics(folder / "m.duckdb"), all_rows().iloc[order]
    bounds = [0, *sorted(cuts), ROWS]
    for index, (low, high) in enumerate(itertools.pairwise(bounds)):
        part = rows.iloc[max(0, low - overlap) : high]
        if len(part):
            report = ingest(store, folder, f"part{index}", part, "parquet" if as_parquet else "csv")
            assert (report.rows_new, report.rows_restated) == (0, 0)
            assert report.rows_known == report.rows_read  # all of the file, or what it has more than the one before
    assert store.head() == 1
    assert rows_sha256(store.read()) == expected


@settings(derandomize=True, max_examples=15, deadline=None)
@given(CUTS)
def test_any_cut_order_overlap_and_name_of_known_rows_changes_nothing(
    once: tuple[Path, str], cut: tuple[list[int], list[int], int, bool]
) -> None:
    take_in_known_rows(once, cut)


@pytest.mark.nightly
@settings(derandomize=True, max_examples=100, deadline=None)
@given(CUTS)
def test_a_hundred_cuts_of_known_rows_change_nothing(
    once: tuple[Path, str], cut: tuple[list[int], list[int], int, bool]
) -> None:
    take_in_known_rows(once, cut)


@settings(derandomize=True, max_examples=8, deadline=None)
@given(st.permutations(range(ROWS)), st.lists(st.integers(1, ROWS - 1), min_size=1, max_size=3), st.integers(0, 5))
def test_any_cut_order_and_overlap_builds_the_same_store(
    once: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory, order: list[int], cuts: list[int], overlap: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    store, rows, new = DuckdbMetrics(folder / "m.duckdb"), all_rows().iloc[order], 0
    bounds = [0, *sorted(cuts), ROWS]
    for index, (low, high) in enumerate(itertools.pairwise(bounds)):
        part = rows.iloc[max(0, low - overlap) : high]
        if len(part):
            new += ingest(store, folder, f"part{index}", part).rows_new
    assert new == ROWS
    assert rows_sha256(store.read()) == once[1]
    assert store.verify() == ()


@settings(derandomize=True, max_examples=6, deadline=None)
@given(st.permutations(range(ROWS)), st.lists(st.integers(1, ROWS - 1), min_size=1, max_size=4, unique=True))
def test_chunks_of_one_source_give_one_report(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("chunks")
    rows = all_rows().iloc[order]
    rows["at"] = rows["at"].astype("datetime64[us]")
    bounds = [0, *sorted(cuts), ROWS]
    chunks = [(rows.iloc[low:high], {"empty cell": 1}) for low, high in itertools.pairwise(bounds)]
    cut = DuckdbMetrics(folder / "cut.duckdb").append(chunks, source="a")
    whole = DuckdbMetrics(folder / "whole.duckdb").append([(rows, {"empty cell": len(chunks)})], source="a")
    assert (cut.rows_new, cut.sha256, cut.cleaned) == (whole.rows_new, whole.sha256, whole.cleaned)
    assert (cut.first, cut.last) == (whole.first, whole.last)
    assert DuckdbMetrics(folder / "cut.duckdb").verify() == ()


def test_a_file_that_grows_day_by_day_is_taken_in_day_by_day(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), all_rows().sort_values(["at", "service", "metric"])
    for count in (8, 8, 20, 40, 40):
        report = ingest(store, tmp_path, "daily", rows.iloc[:count])
        assert (report.rows_read, report.rows_known) in {(report.rows_new, 0)}
    assert store.batches()["rows_new"].tolist() == [8, 12, 20]
    changed = rows.assign(value=rows["value"].where(rows.index != rows.index[3], 99.0))
    with pytest.raises(InputError) as caught:
        ingest(store, tmp_path, "daily", changed)
    assert caught.value.line == 5
