"""CSV and Parquet in parts: only what is new of a file, lines that stay right, memory that stays bounded."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from forecasting.adapters import _csv_text, _rows
from forecasting.adapters.sources import CsvFile, ParquetFile, csv_file, parquet_file, rows_sha256
from forecasting.adapters.store import DuckdbMetrics
from forecasting.terms.errors import ForecastingError, InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import SourceSpec

METRICS = {
    "orders": Metric(name="orders", kind=MetricKind.COUNT),
    "warmth": Metric(name="warmth", kind=MetricKind.REAL),
}
HEAD = "service,metric,at,value\n"


def text_of(first: int, last: int, value: float = 0.0) -> str:
    return "".join(f"shop,orders,2027-03-{1 + i // 24:02d}T{i % 24:02d}:00Z,{i + value}\n" for i in range(first, last))


def csv(folder: Path, content: str | bytes | None = None, **options: object) -> CsvFile:
    if content is not None:
        (folder / "a.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return CsvFile(SourceSpec(name="a", path="a.csv", **options), folder, METRICS)  # type: ignore[arg-type]


def taken(source: CsvFile | ParquetFile, state: str | None) -> tuple[list[int], str]:
    """Lines that a source gives, and its state after."""
    lines = [int(number) for rows, _ in source.chunks(state) for number in rows.index]
    return sorted(lines), source.state()


def test_the_same_file_gives_nothing_and_a_longer_one_its_new_lines(tmp_path: Path) -> None:
    lines, state = taken(csv(tmp_path, HEAD + text_of(0, 50)), None)
    assert lines == list(range(2, 52))
    said = json.loads(state)
    assert (said["size"], said["lines"]) == ((tmp_path / "a.csv").stat().st_size, 51)
    assert taken(csv(tmp_path), state) == ([], state)
    lines, longer = taken(csv(tmp_path, HEAD + text_of(0, 60)), state)
    assert lines == list(range(52, 62))
    assert taken(csv(tmp_path), longer) == ([], longer)
    assert json.loads(longer)["lines"] == 61
    assert taken(csv(tmp_path, HEAD + text_of(0, 60)), state)[0] == lines, "an older state gives the rest"


@pytest.mark.parametrize(
    "content",
    [
        HEAD + text_of(0, 49) + text_of(49, 50, 0.5),  # a changed value
        HEAD + text_of(1, 51),
        HEAD + text_of(0, 30),  # shorter
        HEAD + text_of(50, 51) + text_of(0, 50),  # longer, but not at its end
        HEAD.replace("service", "svc") + text_of(0, 60),
    ],
)
def test_any_other_content_is_read_from_the_beginning(tmp_path: Path, content: str) -> None:
    _, state = taken(csv(tmp_path, HEAD + text_of(0, 50)), None)
    columns = {"service": content.partition(",")[0]}
    lines, _ = taken(csv(tmp_path, content, columns=columns), state)
    assert lines == list(range(2, content.count("\n") + 1))


@pytest.mark.parametrize("options", [{"zone": "Europe/Berlin"}, {"metrics": ("orders",)}, {"duplicates": "last"}])
def test_a_file_that_is_declared_otherwise_is_read_again(tmp_path: Path, options: dict[str, object]) -> None:
    _, state = taken(csv(tmp_path, HEAD + text_of(0, 5)), None)
    assert len(taken(csv(tmp_path, **options), state)[0]) == 5
    for foreign in ("", "not json", "[]", "{}", '{"size": 1}', "null"):
        assert len(taken(csv(tmp_path), foreign)[0]) == 5


def test_mistakes_in_new_lines_are_named_with_their_line_in_the_file(tmp_path: Path) -> None:
    start = HEAD + text_of(0, 50)
    _, state = taken(csv(tmp_path, start.replace("\n", "\r\n").encode()), None)
    for more, said in (
        ("shop,orders,2027-04-01T00:00Z,x\n", "a finite number"),
        ("shop,orders,2027-04-01T00:00,1\n", "or none"),
        ("shop,orders,2027-04-01T00:00Z\n", "4 cells"),
        ("shop,ordres,2027-04-01T00:00Z,1\n", "try: orders"),
        ("shop,orders,2027-04-01T00:00Z,-1\n", "0 or more"),
        ("shop,orders,2027-04-01T00:00Z,1", "half-written"),
        ('"shop,orders,2027-04-01T00:00Z,1\n', "close the quote"),
        ("sh\0p,orders,2027-04-01T00:00Z,1\n", "NUL"),
    ):
        content = (start + text_of(50, 53) + more).replace("\n", "\r\n").encode()
        source = csv(tmp_path, content)
        with pytest.raises(InputError) as caught:
            list(source.chunks(state))
        assert (caught.value.line, said in str(caught.value)) == (55, True), str(caught.value)
        with pytest.raises(InputError) as whole:
            source.read()
        assert str(whole.value) == str(caught.value)


def test_lines_after_an_empty_end_are_refused_as_in_a_whole_read(tmp_path: Path) -> None:
    _, state = taken(csv(tmp_path, HEAD + text_of(0, 5) + "\n\n"), None)
    assert taken(csv(tmp_path), state)[0] == []
    for content in (HEAD + text_of(0, 5) + "\n\n" + text_of(5, 6), HEAD + text_of(0, 5) + "\n\n\n"):
        found = []
        for source_state in (state, None):
            try:
                found.append(str(taken(csv(tmp_path, content), source_state)[0]))
            except InputError as error:
                found.append(str(error))
        assert found[0] == found[1]
    assert found[0] == str([2, 3, 4, 5, 6])


def test_a_byte_order_mark_and_renamed_columns_do_not_hinder_a_tail(tmp_path: Path) -> None:
    head = "\ufeff" + HEAD.replace("at", "when")
    options = {"columns": {"at": "when"}}
    _, state = taken(csv(tmp_path, head + text_of(0, 5), **options), None)
    assert taken(csv(tmp_path, head + text_of(0, 7), **options), state)[0] == [7, 8]


@pytest.mark.parametrize("size", [7, 40, 64, 100, 333])
def test_blocks_of_any_size_give_the_same_rows_and_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    rng = random.Random(size)
    order = list(range(300))
    rng.shuffle(order)
    body = "".join(text_of(i, i + 1).replace("shop", f"ü{i % 3}") for i in order).replace("290.0", "")
    whole, cleaned = csv(tmp_path, HEAD + body).read()
    for text in (HEAD + body, "\ufeff" + (HEAD + body).replace("\n", "\r\n"), HEAD + body + "\n\n\n"):
        source = csv(tmp_path, text)
        monkeypatch.setattr(_csv_text, "_BLOCK_BYTES", size)
        parts = list(source.chunks(None))
        joined = pd.concat([rows for rows, _ in parts])
        again, counted = source.read()
        monkeypatch.undo()
        assert len(parts) > 10
        pd.testing.assert_frame_equal(joined.sort_index(), whole.sort_index())
        pd.testing.assert_frame_equal(again, whole)
        assert counted == cleaned == {"empty cell": 1}


def test_wide_files_are_cut_by_cells_and_parquet_by_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = pd.date_range("2027-03-01", periods=100, freq="h", tz="UTC")
    frame = pd.DataFrame({"service": "s", "at": at, "orders": np.arange(100.0), "warmth": -np.arange(100.0)})
    frame.loc[7, "orders"] = np.nan
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
    found = []
    for kind, module, path in ((CsvFile, csv_file, "a.csv"), (ParquetFile, parquet_file, "a.parquet")):
        source = kind(SourceSpec(name="a", path=path, layout="wide", metrics=("warmth", "orders")), tmp_path, METRICS)
        whole, _ = source.read()
        monkeypatch.setattr(module, "_PART_CELLS", 20)
        parts = list(source.chunks(None))
        monkeypatch.undo()
        joined = pd.concat([rows for rows, _ in parts])
        assert len(parts) >= 5
        assert joined.index.max() == len(frame) + (1 if kind is CsvFile else 0)
        found += [rows_sha256(whole), rows_sha256(joined)]
        assert list(source.chunks(source.state())) == []
    assert len(set(found)) == 1


def test_parquet_without_a_column_or_with_nested_ones_is_refused(tmp_path: Path) -> None:
    source = ParquetFile(SourceSpec(name="a", path="a.parquet"), tmp_path, METRICS)
    base = {"service": ["s"], "metric": ["orders"], "at": ["2027-03-01"], "value": [1.0]}
    for change, said in (
        ({"service": pa.array([{"a": "s"}])}, "nested"),
        ({"value": pa.array([[1.0]])}, "nested"),
        ({"at": None}, "column at"),
        ({"value": None, "values": [1.0]}, "columns: {value: values}"),
    ):
        columns = {name: column for name, column in {**base, **change}.items() if column is not None}
        parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
        with pytest.raises(InputError) as caught:
            source.read()
        assert said in str(caught.value)


def test_parquet_that_grew_is_read_again_and_a_known_one_is_not(tmp_path: Path) -> None:
    source = ParquetFile(SourceSpec(name="a", path="a.parquet"), tmp_path, METRICS)
    state, store = None, DuckdbMetrics(tmp_path / "m.duckdb")
    for count, fresh in ((10, 10), (10, 0), (15, 5)):
        at = pd.date_range("2027-03-01", periods=count, freq="h", tz="UTC")
        frame = pd.DataFrame({"service": "s", "metric": "orders", "at": at, "value": np.arange(count)})
        frame.to_parquet(tmp_path / "a.parquet")
        report = store.append(source.chunks(store.state_of("a")), source="a", state=source.state)
        assert (report.rows_new, report.unchanged) == (fresh, fresh == 0)
        assert store.state_of("a") != state or not fresh
        state = store.state_of("a")


def test_a_file_that_changes_while_its_parts_are_read_stores_nothing(tmp_path: Path) -> None:
    store = DuckdbMetrics(tmp_path / "m.duckdb")
    frame = pd.DataFrame({"service": "s", "metric": "orders", "value": 1.0,
                          "at": pd.date_range("2027-03-01", periods=10, freq="h", tz="UTC")})  # fmt: skip
    frame.to_parquet(tmp_path / "a.parquet")
    sources = {
        "a.csv": csv(tmp_path, HEAD + text_of(0, 10)),
        "a.parquet": ParquetFile(SourceSpec(name="p", path="a.parquet"), tmp_path, METRICS),
    }
    for path, source in sources.items():
        chunks = source.chunks(None)

        def meanwhile(path: str = path, chunks: object = chunks) -> object:
            for chunk in chunks:  # type: ignore[attr-defined]
                yield chunk
                with (tmp_path / path).open("ab") as stream:
                    stream.write(b"more")

        with pytest.raises(InputError, match="changed while it was read"):
            store.append(meanwhile(), source=path, state=source.state)  # type: ignore[arg-type]
        assert not store.path.exists()


def test_resolving_duplicates_needs_all_rows_and_says_how_many_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = csv(tmp_path, HEAD + text_of(0, 50) + text_of(0, 50, 1), duplicates="max")
    [(rows, cleaned)] = source.chunks(None)
    assert (len(rows), cleaned) == (50, {"duplicate row, max taken": 50})
    monkeypatch.setattr(_rows, "MOST_ROWS_WHOLE", 99)
    with pytest.raises(InputError, match="duplicates: refuse, or split the file"):
        list(source.chunks(None))


def test_a_line_without_end_and_a_bomb_are_refused_in_little_memory(tmp_path: Path) -> None:
    """In a process of its own, so that its peak memory is that of the reading."""
    with (tmp_path / "a.csv").open("wb") as stream:
        stream.write(HEAD.encode())
        for _ in range(30):
            stream.write(b"x" * (10 << 20))
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2_000_000, dtype=np.int32)), pa.array(["x" * 100_000]))
    column = pa.array(np.zeros(2_000_000, dtype=np.int64), pa.timestamp("us"))
    bomb = pa.table({"service": names, "metric": names, "at": column, "value": column.cast(pa.int64())})
    parquet.write_table(bomb, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 1_000_000
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", BOMBS, str(tmp_path)], capture_output=True, text=True, check=True)
    peak, *said = done.stdout.splitlines()
    assert "lines below 8 MiB" in said[0]
    assert "1 to 200 printable characters" in said[1]
    assert int(peak) < 1024, f"{peak} MiB"
    assert time.monotonic() - began < 20


BOMBS = """
import resource, sys
from pathlib import Path
from forecasting.adapters.sources import CsvFile, ParquetFile
from forecasting.terms.errors import InputError
from forecasting.terms.project import SourceSpec
said = []
for kind, path in ((CsvFile, "a.csv"), (ParquetFile, "a.parquet")):
    try:
        list(kind(SourceSpec(name="a", path=path), Path(sys.argv[1]), {}).chunks(None))
    except InputError as error:
        said.append(str(error)[-200:].replace("\\n", " "))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, *said, sep="\\n")
"""


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Change a file in one to four places: bytes, cells and lines, put in, taken out, doubled and exchanged."""
    pieces = [
        b"", b"7", b"01", b".5", b"\n", b"\r\n", b",", b'"', b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"nan", b"-1",
        b"1e999", b"=1", b"2027-02-30", b"24:00", b"+99:99", b"Z", b" ", b"\t", "\u2028".encode(), "\u0661".encode(),
        b"9" * 40, b"x" * 300, b"\n\n", b",,,,", b"NA", b"-", b"0x1", b"T", b"1_0",
    ]  # fmt: skip
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        to = min(to, at + rng.choice((0, 1, 3, 20, 200)))
        kind = rng.randrange(5)
        if kind == 0:
            data = data[:at] + rng.choice(pieces) + data[to:]
        elif kind == 1:
            data = data[:at] + rng.randbytes(rng.randint(1, 4)) + data[at:]
        elif kind == 2:
            data = data[:at] + data[at:to] * 2 + data[to:]
        elif kind == 3 and data:
            flipped = bytearray(data)
            flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            data = bytes(flipped)
        else:
            lines = data.split(b"\n")
            rng.shuffle(lines)
            data = b"\n".join(lines) if rng.random() < 0.3 else data[:at] + data[to:]
    return data


def seeds() -> list[tuple[str, dict[str, object], bytes]]:
    """Files to start from: layouts, zones and policies."""
    wide = "at,service,orders,warmth,note\n" + "".join(f"2027-03-0{i},s{i},{i},-{i}.5,n\n" for i in range(1, 9))
    local = HEAD + "".join(f"s,orders,2027-10-31T{h:02d}:30,{h}\n" for h in (0, 1, 3, 4))
    quoted = HEAD + 'a b,orders,"2027-03-01 10:00:00.25+02:00",+.5\n"a,b",warmth,2027-03-01T00:00-0330,1e-3\n'
    return [
        ("long", {}, (HEAD + text_of(0, 8)).encode()),
        ("crlf", {"duplicates": "last"}, (HEAD + text_of(0, 5)).replace("\n", "\r\n").encode()),
        ("wide", {"layout": "wide", "metrics": ("orders", "warmth")}, wide.encode()),
        ("local", {"zone": "Europe/Berlin", "duplicates": "mean"}, local.encode()),
        ("quoted", {"duplicates": "max"}, quoted.encode()),
    ]


def fuzz_csv(folder: Path, count: int, seed: int) -> int:
    """Read changed files whole, in small blocks and after a state; return how many were accepted."""
    rng, accepted = random.Random(seed), 0
    prepared = []
    for _, options, data in seeds():
        source = csv(folder, data, **options)
        list(source.chunks(None))
        prepared.append((options, data, source.state()))
    for _ in range(count):
        options, data, state = rng.choice(prepared)
        changed = data + mutated(rng, data[data.find(b"\n") + 1 :]) if rng.random() < 0.2 else mutated(rng, data)
        source, began = csv(folder, changed, **options), time.monotonic()
        try:
            rows = [part for part, _ in source.chunks(state if rng.random() < 0.5 else None)]
        except ForecastingError:
            pass
        else:
            accepted += 1
            for part in rows:
                assert not np.isinf(part["value"]).any()
                assert part["at"].between(pd.Timestamp("1990-01-01"), pd.Timestamp("2100-01-01")).all()
                assert not part.duplicated(["service", "metric", "at"]).any()
        assert time.monotonic() - began < 2, changed
    return accepted


def test_fuzzed_csv_is_read_or_refused(tmp_path: Path) -> None:
    assert 25 < fuzz_csv(tmp_path, 500, seed=1) < 475


@pytest.mark.nightly
def test_twenty_thousand_fuzzed_csv_files_are_read_or_refused(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fuzz_csv(tmp_path, 20_000, seed=2) > 1000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 * 1024


def fuzz_parquet(folder: Path, count: int, seed: int) -> int:
    """Read changed Parquet files of several kinds; return how many were accepted."""
    rng, accepted = random.Random(seed), 0
    at = pa.array([1804000000 + 60 * i for i in range(60)], pa.timestamp("s"))
    base = pa.table({"service": [f"s{i % 3}" for i in range(60)], "metric": ["orders"] * 60, "at": at,
                     "value": [float(i) for i in range(60)]})  # fmt: skip
    files = []
    for options in ({"write_page_checksum": True}, {"use_dictionary": False, "write_page_checksum": True},
                    {"data_page_version": "2.0", "compression": "zstd"}, {"row_group_size": 7}):  # fmt: skip
        parquet.write_table(base, folder / "seed.parquet", **options)
        files.append((folder / "seed.parquet").read_bytes())
    source = ParquetFile(SourceSpec(name="a", path="a.parquet"), folder, METRICS)
    for _ in range(count):
        damaged = bytearray(rng.choice(files))
        for _ in range(rng.randint(1, 3)):
            if rng.random() < 0.7:
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            else:
                at_byte = rng.randrange(len(damaged))
                damaged[at_byte : at_byte + rng.randint(0, 8)] = rng.randbytes(rng.randint(0, 8))
        (folder / "a.parquet").write_bytes(damaged)
        began = time.monotonic()
        try:
            rows = [part for part, _ in source.chunks(None)]
        except ForecastingError:
            rows = []
        accepted += bool(rows)
        assert time.monotonic() - began < 2, bytes(damaged)
    return accepted


def test_fuzzed_parquet_is_read_or_refused(tmp_path: Path) -> None:
    assert fuzz_parquet(tmp_path, 200, seed=3) < 200


@pytest.mark.nightly
def test_five_thousand_fuzzed_parquet_files_are_read_or_refused(tmp_path: Path) -> None:
    assert fuzz_parquet(tmp_path, 5000, seed=4) < 5000
