"""CSV and Parquet sources: every cell is used, counted as missing, or refused with file and line."""

# ruff: noqa: E501 - the table of mistakes reads best with one mistake a line

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from forecasting.adapters.sources import CsvFile, ParquetFile, check_services, open_source, rows_sha256
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import SourceSpec

METRICS = {
    "orders": Metric(name="orders", kind=MetricKind.COUNT),
    "share": Metric(name="share", kind=MetricKind.RATIO),
    "wait": Metric(name="wait", kind=MetricKind.NON_NEGATIVE),
    "warmth": Metric(name="warmth", kind=MetricKind.REAL),
}
HEAD = "service,metric,at,value\n"
GOOD = HEAD + (
    "shop,orders,2027-03-01T00:00:00Z,12\nshop,orders,2027-03-01T01:00:00Z,13.5\nshop,warmth,2027-03-01T00:00:00Z,-4\n"
)
NAMES = ["NA", "null", "None", "nan", "NaN", "TRUE", "no", "1e5", "007", "1", "-", "#N/A", "inf", "N/A", "=1+1", "a b",
         "../../x", "ü", "ＡＢ", "日本", "a;b", "a|b", "'q'", "0x1F", "1:30", "2027-03-01", "%2e%2e", "{{7*7}}", "<b>", "a\\b",
         "long" * 50]  # fmt: skip


def csv(tmp_path: Path, content: str | bytes, **options: object) -> CsvFile:
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "a.csv").write_bytes(data)
    return CsvFile(SourceSpec(name="a", path="a.csv", **options), tmp_path, METRICS)  # type: ignore[arg-type]


def test_long_rows_come_in_canonical_form(tmp_path: Path) -> None:
    rows, cleaned = csv(tmp_path, GOOD).read()
    assert list(rows.columns) == ["service", "metric", "at", "value"]
    assert str(rows["at"].dtype) == "datetime64[us]"
    assert str(rows["value"].dtype) == "float64"
    assert rows["value"].tolist() == [12, 13.5, -4]
    assert rows.index.name == "line"
    assert rows.index.tolist() == [2, 3, 4]
    assert cleaned == {}


def test_wide_rows_and_renamed_columns_give_the_same_as_long_ones(tmp_path: Path) -> None:
    wide = (
        "when,team,orders,wait,ignored\n2027-03-01 00:00,a,1,2.5,x\n2027-03-01 01:00,a,,3,y\n2027-03-01 00:00,b,4,-,z\n"
    )
    options = {"layout": "wide", "columns": {"service": "team", "at": "when"}, "metrics": ("wait", "orders")}
    rows, cleaned = csv(tmp_path, wide, **options).read()
    assert cleaned == {"empty cell": 1, "-": 1}
    assert len(rows) == 6
    long = HEAD + "".join(
        f"{r.service},{r.metric},{r.at.isoformat()},{'' if np.isnan(r.value) else r.value}\n" for r in rows.itertuples()
    )
    again, cleaned = csv(tmp_path, long).read()
    assert rows_sha256(again) == rows_sha256(rows)
    assert cleaned == {"empty cell": 2}
    frame = pd.DataFrame(
        {
            "team": ["a", "a", "b"],
            "when": pd.to_datetime(["2027-03-01 00:00", "2027-03-01 01:00", "2027-03-01 00:00"]),
            "orders": [1, None, 4],
            "wait": [2.5, 3, np.nan],
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    source = ParquetFile(SourceSpec(name="p", path="a.parquet", **options), tmp_path, METRICS)  # type: ignore[arg-type]
    from_parquet, counted = source.read()
    assert rows_sha256(from_parquet) == rows_sha256(rows)
    assert sum(counted.values()) == 2


@pytest.mark.parametrize("name", NAMES)
def test_awkward_names_stay_text(tmp_path: Path, name: str) -> None:
    rows, _ = csv(tmp_path, f"{HEAD}{name},orders,2027-03-01,1\n").read()
    assert rows["service"].tolist() == [name]
    parquet.write_table(
        pa.table({"service": [name], "metric": ["orders"], "at": ["2027-03-01"], "value": [1]}), tmp_path / "a.parquet"
    )
    rows, _ = ParquetFile(SourceSpec(name="a", path="a.parquet"), tmp_path, METRICS).read()
    assert rows["service"].tolist() == [name]


def test_cells_that_say_not_measured_are_counted_by_reason(tmp_path: Path) -> None:
    cells = ["", "NaN", "nan", "null", "NULL", "-", "#N/A", "N/A", "NA", " ", "0", "-0", "+5", "1e3", ".5", "5."]
    text = HEAD + "".join(f"s{i},orders,2027-03-01,{cell}\n" for i, cell in enumerate(cells))
    rows, cleaned = csv(tmp_path, text).read()
    assert cleaned == {"empty cell": 2, "NaN": 2, "null": 2, "-": 1, "#N/A": 1, "N/A": 1, "NA": 1}
    assert rows["value"].isna().sum() == 10
    values = rows.sort_index()["value"].tolist()[10:]
    assert values == [0, 0, 5, 1000, 0.5, 5]
    assert not np.signbit(values[1])


LINE = "shop,orders,2027-03-01T00:00:00Z,12\n"


def bad_value(cell: str) -> str:
    return GOOD + f"shop,orders,2027-03-02T00:00Z,{cell}\n"


def bad_time(cell: str) -> str:
    return GOOD.replace("Z,", ",") + f"shop,orders,{cell},1\n"


MISTAKES: list[tuple[str, str | bytes, int | None, str]] = [
    ("decimal comma", bad_value('"3,5"'), 5, "3.5 (a decimal point)"),
    ("thousands", bad_value('"1,250"'), 5, "1250"),
    ("german thousands", bad_value('"1.250,75"'), 5, "1250.75"),
    ("infinity", bad_value("inf"), 5, "finite"),
    ("minus infinity", bad_value("-Infinity"), 5, "finite"),
    ("too large", bad_value("1e400"), 5, "finite"),
    ("text", bad_value("many"), 5, "a finite number"),
    ("hexadecimal", bad_value("0x1F"), 5, "a finite number"),
    ("underscore", bad_value("1_000"), 5, "1000"),
    ("percent", bad_value("99%"), 5, "0 to 1"),
    ("boolean", bad_value("true"), 5, "a finite number"),
    ("arabic digits", bad_value("١٢"), 5, "a finite number"),
    ("negative count", bad_value("-1"), 5, "0 or more"),
    ("negative wait", bad_value("1").replace("shop,orders,2027-03-02T00:00Z,1", "shop,wait,2027-03-02,-3"), 5, "offset"),
    ("share in percent", HEAD + "shop,share,2027-03-01,0.5\nshop,share,2027-03-02,99.5\n", 3, "divide by 100"),
    ("share below 0", HEAD + "shop,share,2027-03-01,-0.5\n", 2, "0 to 1"),
    ("unknown metric", GOOD + "shop,order,2027-03-02T00:00Z,1\n", 5, "try: orders"),
    ("empty service", GOOD + ",orders,2027-03-02T00:00Z,1\n", 5, "fill in the name"),
    ("space around", GOOD + " shop,orders,2027-03-02T00:00Z,1\n", 5, "without spaces"),
    ("too few cells", GOOD + "shop,orders,2027-03-02T00:00Z\n", 5, "4 cells"),
    ("too many cells", GOOD + "shop,orders,2027-03-02T00:00Z,1,2\n", 5, "4 cells"),
    ("one cell more on every line", GOOD.replace("\n", ",9\n").replace("value,9", "value"), 2, "4 cells"),
    ("blank line inside", GOOD + "\n" + "shop,orders,2027-03-02T00:00Z,1\n", 5, "empty line"),
    ("unclosed quote", GOOD + '"shop,orders,2027-03-02T00:00Z,1\n' + LINE, 5, "close the quote"),
    ("line end in a cell", GOOD + '"sh\nop",orders,2027-03-02T00:00Z,1\n', 5, "close the quote"),
    ("missing column", GOOD.replace("metric,", "metrics,", 1), 1, "column metric"),
    ("doubled column", GOOD.replace("metric,", "service,", 1), 1, "each column once"),
    ("extra column", GOOD.replace("value\n", "value,note\n", 1).replace("12\n", "12,x\n"), 1, "only service"),
    ("semicolons", GOOD.replace(",", ";"), 1, "this file uses ';'"),
    ("tabs", GOOD.replace(",", "\t"), 1, "a tab"),
    ("no header", LINE, 1, "a column named"),
    ("only a header", HEAD, 1, "at least one row"),
    ("empty", b"", None, "an empty file"),
    ("only blank lines", b"\n\n", None, "an empty file"),
    ("half written", GOOD[:-1], 4, "half-written file"),
    ("half a line", GOOD[:-9], 4, "half-written file"),
    ("UTF-16", GOOD.encode("utf-16"), 1, "UTF-16"),
    ("UTF-16 without mark", GOOD.encode("utf-16-le"), 1, "NUL"),
    ("Latin-1", GOOD.replace("shop,w", "läden,w").encode("latin-1"), 4, "UTF-8"),
    ("NUL", GOOD.replace("shop,w", "sh\0op,w"), 4, "NUL"),
    ("lone carriage return", GOOD.replace("\n", "\r"), 1, "carriage return"),
    ("seconds", bad_time("1804000000"), 5, "looks like seconds"),
    ("milliseconds", bad_time("1804000000000"), 5, "looks like milliseconds"),
    ("microseconds", bad_time("1804000000000000"), 5, "looks like microseconds"),
    ("nanoseconds", bad_time("1804000000000000000"), 5, "looks like nanoseconds"),
    ("day first", bad_time("03/04/2027 10:00"), 5, "year-month-day"),
    ("dots", bad_time("3.4.2027"), 5, "year-month-day"),
    ("slashes", bad_time("2027/03/04"), 5, "2027-03-04"),
    ("basic date", bad_time("20270304"), 5, "2027-03-04"),
    ("words", bad_time("March 4 2027"), 5, "ISO 8601"),
    ("no such day", bad_time("2027-02-30"), 5, "a day that exists"),
    ("no leap year", bad_time("2027-02-29T00:00"), 5, "a day that exists"),
    ("24:00", bad_time("2027-02-28T24:00"), 5, "00:00 of the next day"),
    ("leap second", bad_time("2016-12-31T23:59:60"), 5, "00 to 59"),
    ("before 1990", bad_time("1970-01-01T00:00"), 5, "1990 and 2100"),
    ("after 2100", bad_time("57971-01-01T00:00"), 5, "ISO 8601"),
    ("year 2101", bad_time("2101-01-01T00:00"), 5, "1990 and 2100"),
    ("empty time", bad_time(""), 5, "fill in the time"),
    ("with and without offset", GOOD + "shop,orders,2027-03-02T00:00,1\n", 5, "or none"),
    ("duplicate", GOOD + "shop,orders,2027-03-01T01:00:00+00:00,14\n", 5, "13.5 (line 3), 14 (line 5)"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "line", "said"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_what_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, content: str | bytes, line: int | None, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        csv(tmp_path, content).read()
    assert said in str(caught.value)
    assert (caught.value.file, caught.value.line) == ("a.csv", line), str(caught.value)


def test_byte_order_mark_carriage_returns_and_blank_last_lines_are_fine(tmp_path: Path) -> None:
    expected = rows_sha256(csv(tmp_path, GOOD).read()[0])
    for variant in (
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.encode() + b"\n\n",
        GOOD.replace("shop", '"shop"').encode(),
    ):
        assert rows_sha256(csv(tmp_path, variant).read()[0]) == expected


def test_local_times_are_read_in_the_declared_zone(tmp_path: Path) -> None:
    text = HEAD + "shop,orders,2027-07-01T12:00,1\nshop,orders,2027-01-01 12:00:30.25,2\nshop,orders,2027-03-28,3\n"
    rows, _ = csv(tmp_path, text, zone="Europe/Berlin").read()
    assert rows.sort_index()["at"].dt.strftime("%m-%dT%H:%M:%S.%f").tolist() == [
        "07-01T10:00:00.000000", "01-01T11:00:30.250000", "03-27T23:00:00.000000",
    ]  # fmt: skip
    offsets = HEAD + "shop,orders,2027-07-01T12:00+02:00,1\nshop,orders,2027-07-01T12:00-0330,2\n"
    rows, _ = csv(tmp_path, offsets, zone="Europe/Berlin").read()
    assert rows.sort_index()["at"].dt.strftime("%H:%M").tolist() == ["10:00", "15:30"]


@pytest.mark.parametrize(
    ("zone", "time"),
    [
        ("Europe/Berlin", "2027-03-28T02:30"),
        ("Europe/Berlin", "2027-10-31T02:30"),
        ("America/New_York", "2027-11-07T01:30"),
        ("Australia/Lord_Howe", "2027-10-03T02:15"),
    ],
)
def test_local_times_that_do_not_exist_once_are_refused(tmp_path: Path, zone: str, time: str) -> None:
    with pytest.raises(InputError) as caught:
        csv(tmp_path, HEAD + f"shop,orders,2027-01-01T00:00,1\nshop,orders,{time},1\n", zone=zone).read()
    assert caught.value.line == 3
    assert "clocks change" in str(caught.value)
    frame = pd.DataFrame({"service": "s", "metric": "orders", "at": pd.to_datetime([time]), "value": [1.0]})
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="row 1"):
        ParquetFile(SourceSpec(name="a", path="a.parquet", zone=zone), tmp_path, METRICS).read()


def test_a_bare_date_is_the_first_instant_of_the_local_day_also_without_midnight(tmp_path: Path) -> None:
    rows, _ = csv(tmp_path, HEAD + "s,orders,2018-11-04,1\n", zone="America/Sao_Paulo").read()
    assert rows["at"].astype(str).tolist() == ["2018-11-04 03:00:00"]


@pytest.mark.parametrize(("policy", "value"), [("last", 14.0), ("mean", 14.5), ("max", 16.0)])
def test_a_declared_policy_resolves_duplicates_and_counts_them(tmp_path: Path, policy: str, value: float) -> None:
    text = GOOD + "shop,orders,2027-03-01T01:00Z,16\nshop,orders,2027-03-01T01:00Z,14\nshop,orders,2027-03-01T01:00Z,\n"
    rows, cleaned = csv(tmp_path, text, duplicates=policy).read()
    assert rows["value"].tolist()[1] == value
    assert cleaned == {"empty cell": 1, f"duplicate row, {policy} taken": 3}
    same, cleaned = csv(tmp_path, GOOD + LINE + LINE).read()
    assert rows_sha256(same) == rows_sha256(csv(tmp_path, GOOD).read()[0])
    assert cleaned == {"duplicate row, same value": 2}


def test_order_of_the_lines_does_not_matter(tmp_path: Path) -> None:
    rng = random.Random(1)
    lines = [f"s{i % 3},orders,2027-03-{1 + i % 28:02d}T{i % 24:02d}:00Z,{i}\n" for i in range(200)]
    lines = list({line.rpartition(",")[0]: line for line in lines}.values())
    expected = rows_sha256(csv(tmp_path, HEAD + "".join(lines)).read()[0])
    for _ in range(20):
        rng.shuffle(lines)
        assert rows_sha256(csv(tmp_path, HEAD + "".join(lines)).read()[0]) == expected


def test_every_cut_of_a_file_is_refused_or_whole_lines(tmp_path: Path) -> None:
    data = (HEAD + "".join(f"s{i},orders,2027-03-01,{i * 1000 + 7}\n" for i in range(50))).encode()
    for cut in range(0, len(data), 3):
        try:
            rows, _ = csv(tmp_path, data[:cut]).read()
        except InputError:
            continue
        assert data[:cut].endswith(b"\n")
        assert all(value % 1000 == 7 for value in rows["value"])


def test_unknown_services_are_named_with_the_first_line(tmp_path: Path) -> None:
    rows, _ = csv(tmp_path, GOOD + "shp,orders,2027-02-01T00:00Z,1\nshp,orders,2027-01-01T00:00Z,1\n").read()
    check_services(rows, {"shop", "shp"}, "a.csv")
    with pytest.raises(InputError) as caught:
        check_services(rows, {"shop"}, "a.csv")
    assert str(caught.value).startswith("a.csv:5: service: got 'shp'")
    assert caught.value.try_instead == "shop"


def test_only_regular_files_inside_the_workspace_are_read(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (tmp_path / "outside.csv").write_text(GOOD)
    (root / "link.csv").symlink_to(tmp_path / "outside.csv")
    (root / "zero.csv").symlink_to("/dev/zero")
    (root / "loop.csv").symlink_to("loop.csv")
    (root / "folder.csv").mkdir()
    os.mkfifo(root / "pipe.csv")
    for path in ("missing.csv", "folder.csv", "pipe.csv", "link.csv", "zero.csv", "loop.csv", "../outside.csv",
                 str(tmp_path / "outside.csv")):  # fmt: skip
        with pytest.raises(InputError):
            CsvFile(SourceSpec(name="a", path=path), root, METRICS).read()


def grow(path: Path) -> None:
    with path.open("a") as stream:
        stream.write(LINE)


def rewrite_in_place(path: Path) -> None:
    """Same size and same times as before: only the content tells."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.write(GOOD.replace("12", "99").encode())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    path.with_suffix(".new").write_text(GOOD)
    path.with_suffix(".new").replace(path)


@pytest.mark.parametrize("change", [grow, rewrite_in_place, replace, Path.unlink])
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    source, digest = csv(tmp_path, GOOD), hashlib.file_digest

    def meanwhile(stream: BinaryIO, name: str) -> object:
        change(tmp_path / "a.csv")
        return digest(stream, name)

    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", meanwhile)
        with pytest.raises(InputError, match="changed while it was read"):
            source.read()
    if (tmp_path / "a.csv").exists():
        assert len(source.read()[0]) == 3


def table(**columns: object) -> pa.Table:
    base = {"service": ["s", "s"], "metric": ["orders", "orders"], "at": pa.array([1804000000, 1804003600],
            pa.timestamp("s", tz="UTC")), "value": [1.0, 2.0]}  # fmt: skip
    return pa.table({**base, **columns})


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"service": [1, 7]}, "007 is not 7"),
        ({"at": [1804000000000, 1804003600000]}, "milliseconds"),
        ({"at": pa.array([1804000000, None], pa.timestamp("s"))}, "row 2"),
        ({"at": pa.array([1804000000, 1804003600], pa.timestamp("us"))}, "row 1"),
        ({"value": ["1", "2"]}, "numbers"),
        ({"value": [True, False]}, "numbers"),
        ({"value": [1.0, float("inf")]}, "row 2"),
        ({"value": [1.0, -2.0]}, "row 2"),
        ({"metric": ["orders", "odrers"]}, "try: orders"),
        ({"metric": ["orders", None]}, "row 2"),
        ({"at": pa.array([1804000000, 1804000000], pa.timestamp("s"))}, "1 (row 1), 2 (row 2)"),
    ],
)
def test_parquet_of_the_wrong_kind_is_refused(tmp_path: Path, columns: dict[str, object], said: str) -> None:
    parquet.write_table(table(**columns), tmp_path / "a.parquet")
    with pytest.raises(InputError) as caught:
        ParquetFile(SourceSpec(name="a", path="a.parquet"), tmp_path, METRICS).read()
    assert said in str(caught.value)
    assert str(caught.value).startswith("a.parquet: ")


def test_parquet_types_that_mean_the_same_are_read_the_same(tmp_path: Path) -> None:
    found = set()
    for columns in (
        {},
        {"at": pa.array([1804000000000, 1804003600000], pa.timestamp("ms"))},
        {"at": pa.array([1804000000 * 10**9, 1804003600 * 10**9], pa.timestamp("ns", tz="America/New_York"))},
        {"at": ["2027-03-02T15:06:40Z", "2027-03-02T16:06:40Z"]},
        {"service": pa.array(["s", "s"]).dictionary_encode()},
        {"value": [1, 2]},
        {"value": pa.array([1, 2], pa.decimal128(10, 2))},
    ):
        parquet.write_table(table(**columns), tmp_path / "a.parquet")
        source = open_source(SourceSpec(name="a", path="a.parquet"), tmp_path, METRICS)
        found.add(rows_sha256(source.read()[0]))
    assert len(found) == 1


def test_damaged_parquet_with_checksums_is_never_read_as_other_data(tmp_path: Path) -> None:
    rng = random.Random(7)
    values = [float(rng.randrange(1000)) for _ in range(400)]
    whole = pa.table({"service": ["s"] * 400, "metric": ["orders"] * 400, "value": values,
                      "at": pa.array([1804000000 + 60 * i for i in range(400)], pa.timestamp("s"))})  # fmt: skip
    parquet.write_table(whole, tmp_path / "a.parquet", write_page_checksum=True)
    data = (tmp_path / "a.parquet").read_bytes()
    source = ParquetFile(SourceSpec(name="a", path="a.parquet"), tmp_path, METRICS)
    expected = rows_sha256(source.read()[0])
    refused = 0
    footer = int.from_bytes(data[-8:-4], "little") + 8
    for _ in range(150):
        damaged = bytearray(data)
        position = rng.randrange(len(data) - footer)  # pages; the footer has no checksum of its own
        damaged[position] ^= 1 << rng.randrange(8)
        (tmp_path / "a.parquet").write_bytes(damaged)
        try:
            rows, _ = source.read()
        except InputError:
            refused += 1
            continue
        assert rows_sha256(rows) == expected
    assert refused > 100
    for cut in (0, 3, 4, len(data) // 2, len(data) - 1):
        (tmp_path / "a.parquet").write_bytes(data[:cut])
        with pytest.raises(InputError):
            source.read()


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(GOOD)))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, noise: bytes, where: int) -> None:
    folder = tmp_path_factory.getbasetemp()
    data = GOOD.encode()
    source = csv(folder, data[:where] + noise + data[where:])
    try:
        rows, _ = source.read()
    except InputError:
        return
    assert len(rows) <= 3 + noise.count(b"\n")
