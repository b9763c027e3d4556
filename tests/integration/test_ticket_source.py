"""Ticket exports as ITSM tools write them: many columns, line breaks in cells, zones, pauses, what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from forecasting.adapters.sources import TICKET_SOURCES, check_services, open_source, open_tickets
from forecasting.history.tickets import pauses_of
from forecasting.terms.errors import InputError
from forecasting.terms.project import SourceSpec
from forecasting.terms.ticket import TICKET_COLUMNS

HEADER = "number,service,opened,resolved,kind,priority,responded,pauses,description"
ROWS = (
    "INC1,shop,2027-03-01T08:00:00+01:00,2027-03-01T12:00:00+01:00,incident,1 - Critical,2027-03-01T08:05:00+01:00,,ok",
    'INC2,shop,2027-03-02T09:00:00+01:00,,request,3,,,"it says ""no"",\nand then\nnothing"',
    "007,desk,2027-03-01T09:30:00+01:00,2027-03-01T09:30:00+01:00,NA,,,,closed at once",
)


def read(folder: Path, text: str | bytes, **changes: Any) -> tuple[pd.DataFrame, dict[str, int]]:
    (folder / "t.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    declared: dict[str, Any] = {"name": "desk", "kind": "tickets", "path": "t.csv", "columns": {"ticket": "number"}}
    rows, cleaned = open_tickets(SourceSpec(**(declared | changes)), folder).read_tickets()
    return rows, dict(cleaned)


def lines(*rows: str, header: str = HEADER) -> str:
    return "\n".join((header, *rows)) + "\n"


def spans(*pairs: tuple[str, str | None]) -> str:
    """Return pauses of the first of March as a JSON cell."""
    day = "2027-03-01T{}:00Z"
    return json.dumps([[day.format(a), None if b is None else day.format(b)] for a, b in pairs])


def stamp(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


def test_an_export_becomes_canonical_rows(tmp_path: Path) -> None:
    rows, cleaned = read(tmp_path, lines(*ROWS))
    assert list(rows) == list(TICKET_COLUMNS)
    assert rows["ticket"].tolist() == ["007", "INC1", "INC2"]
    assert rows.index.tolist() == [6, 2, 3], "the line in which each record begins"
    first = rows.loc[2]
    assert (first["opened"], first["resolved"]) == (stamp("2027-03-01 07:00"), stamp("2027-03-01 11:00"))
    assert (first["kind"], first["priority"], first["responded"]) == (
        "incident",
        "1 - Critical",
        stamp("2027-03-01 07:05"),
    )
    assert pd.isna(rows.loc[3, "resolved"])
    assert rows.loc[6, "kind"] == "NA", "a kind is text exactly as written"
    assert cleaned == {"resolved: empty cell": 1, "responded: empty cell": 2}
    assert {str(rows[name].dtype) for name in ("opened", "responded", "resolved")} == {"datetime64[us]"}
    check_services(rows, {"shop", "desk"}, "t.csv")


def test_the_order_of_the_file_and_its_line_ends_do_not_matter(tmp_path: Path) -> None:
    rows, cleaned = read(tmp_path, lines(*ROWS))
    for text in (
        lines(*ROWS[::-1]),
        lines(*ROWS).replace("\n", "\r\n"),
        "\ufeff" + lines(*ROWS),
        lines(*ROWS) + "\n\n",
    ):
        again, others = read(tmp_path, text)
        again["description"] = 0
        pd.testing.assert_frame_equal(
            rows.reset_index(drop=True), again.drop(columns="description").reset_index(drop=True)
        )
        assert others == cleaned


def test_times_without_offset_are_local_and_dates_begin_their_day(tmp_path: Path) -> None:
    rows, _ = read(
        tmp_path,
        lines("1,a,2027-07-01 08:00,2027-07-02", header="number,service,opened,resolved"),
        zone="Europe/Berlin",
    )
    assert rows.loc[2, ["opened", "resolved"]].tolist() == [stamp("2027-07-01 06:00"), stamp("2027-07-01 22:00")]


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("", []),
        ("[]", []),
        ('[["2027-03-01T08:00:00Z", "2027-03-01T09:00:00Z"]]', [("08:00", "09:00")]),
        (spans(("10:00", None), ("08:00", "09:00")), [("08:00", "09:00"), ("10:00", "20:00")]),
        (spans(("08:00", "09:00"), ("08:30", "11:00")), [("08:00", "11:00")]),
        (spans(("05:00", "08:00")), [("07:00", "08:00")]),
        (spans(("21:00", "22:00")), []),
        (spans(("08:00", "08:00")), []),
        ('[["2027-03-01T09:00:00+01:00", "2027-03-01T10:00:00+01:00"]]', [("08:00", "09:00")]),
    ],
)  # fmt: skip
def test_pauses_as_json(tmp_path: Path, cell: str, wanted: list[tuple[str, str]]) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    row = f"1,a,2027-03-01T07:00Z,2027-03-01T20:00Z,,,,{quoted},x"
    found = pauses_of(read(tmp_path, lines(row))[0].loc[2, "pauses"])
    assert [(f"{a:%H:%M}", f"{b:%H:%M}") for a, b in found if b is not None] == wanted
    assert len(found) == len(wanted)


TWO = [["2027-03-01T08:00:00Z", "2027-03-01T09:00:00Z"], ["2027-03-01T10:00:00Z", None]]


@pytest.mark.parametrize(
    ("begins", "ends", "wanted"),
    [
        ("", "", []),
        ("2027-03-01T08:00Z", "2027-03-01T09:00Z", [["2027-03-01T08:00:00Z", "2027-03-01T09:00:00Z"]]),
        ("2027-03-01T08:00Z; 2027-03-01T10:00Z", "2027-03-01T09:00Z", TWO),
        ("2027-03-01T08:00Z;2027-03-01T10:00Z", "2027-03-01T09:00Z;", TWO),
    ],
)  # fmt: skip
def test_pauses_as_two_columns(tmp_path: Path, begins: str, ends: str, wanted: list[Any]) -> None:
    header = "number,service,opened,resolved,paused_from,paused_until"
    rows, _ = read(tmp_path, lines(f"1,a,2027-03-01T07:00Z,,{begins},{ends}", header=header))
    assert json.loads(rows.loc[2, "pauses"]) == wanted


def test_the_same_row_again_is_counted(tmp_path: Path) -> None:
    rows, cleaned = read(tmp_path, lines(*ROWS, ROWS[0]))
    assert len(rows) == 3
    assert cleaned["duplicate row, same values"] == 1


SHORT = "number,service,opened,resolved"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (lines(*ROWS, ROWS[0].replace("incident", "request")), r"t.csv:7: number.*INC1 of shop again.*line 2.*latest"),
        (lines("1,a,2027-03-01T08:00Z,2027-03-01T07:59Z", header=SHORT), r"t.csv:2: resolved.*07:59:00Z, opened 2027"),
        (lines(*ROWS[:2], "9,shop,2027-03-01T08:00+01:00,,x,1,2027-03-01T07:00+01:00,,"), r"t.csv:6: responded"),
        (lines("1,a,,", header=SHORT), "t.csv:2: opened.*fill in the time"),
        (lines("1,a,2027-03-01T08:00Z,", ",a,2027-03-01T08:00Z,", header=SHORT), "t.csv:3: number"),
        (lines("1,,2027-03-01T08:00Z,", header=SHORT), "t.csv:2: service"),
        (lines("1,a,01/02/2027 08:00,", header=SHORT), "t.csv:2: opened.*year-month-day"),
        (lines("1,a,1804320000,", header=SHORT), "seconds since 1970"),
        (lines("1,a,2027-03-01T08:00Z,", "2,a,2027-03-01 08:00,", header=SHORT), "t.csv:3: opened.*all times with"),
        (lines("1,a,2027-03-01T08:00Z", header=SHORT), "t.csv:2: cells.*3 cells"),
        (lines('1,a,2027-03-01T08:00Z,,"open', "2,a,2027-03-01T08:00Z,,x", header=SHORT + ",text"), "t.csv:2: CSV"),
        (lines('1,a,2027-03-01T08:00Z,,"a" b', header=SHORT + ",text"), "t.csv:2: CSV"),
        (lines("1,a,2027-03-01T08:00Z,", "", "2,a,2027-03-01T08:00Z,", header=SHORT), "t.csv:3: line"),
        (lines("1,a,2027-03-01T08:00Z,", header=SHORT)[:-1], "half-written"),
        (lines(header=SHORT), "only a header"),
        ("", "an empty file"),
        (lines("x", header="number;service;opened;resolved"), "commas between the columns"),
        (lines("1,a,2027-03-01,", header="number,service,opened_at,resolved"), r"columns: \{opened: opened_at\}"),
        (lines("1,a,2027-03-01T08:00Z,,2", header=SHORT + ",number"), "t.csv:1: header.*each column once"),
        (lines("1,a,2027-03-01T08:00Z,", header=SHORT).encode("utf-16"), "UTF-16"),
        (lines("1,ä,2027-03-01T08:00Z,", header=SHORT).encode("latin-1"), "t.csv:2: encoding"),
        (lines("1,a,2027-03-01T08:00Z,\0", header=SHORT), "t.csv:2: encoding.*NUL"),
        (lines("1,a,2027-03-01T08:00Z,,{}", header=SHORT + ",pauses"), "t.csv:2: pauses.*JSON list of pairs"),
        (lines('1,a,2027-03-01T08:00Z,,"[[""x"", null]]"', header=SHORT + ",pauses"), "t.csv:2: pauses"),
        (lines('1,a,2027-03-01T08:00Z,,"[[""\\ud800"", null]]"', header=SHORT + ",pauses"), "t.csv:2: pauses"),
        (lines('1,a,2027-03-01T08:00Z,,"[[""2027-03-02"",""2027-03-01""]]"', header=SHORT + ",pauses"), "after it"),
        (lines("1,a,2027-03-01T08:00Z,," + "[" * 5000, header=SHORT + ",pauses"), "t.csv:2: pauses"),
        (lines("1,a,2027-03-01,,2027-03-01;2027-03-02,", header=SHORT + ",paused_from,paused_until"), "2 begin"),
        (lines("1,a,2027-03-01,,2027-03-01", header=SHORT + ",paused_from"), "paused_until together"),
        (lines("1,a,2027-03-01T08:00Z,," + "k" * 300, header=SHORT + ",kind"), "t.csv:2: kind"),
        (lines("1,a,2027-03-28T02:30," , header=SHORT), "clocks change"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_its_line(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, text, zone="Europe/Berlin")


def test_unknown_services_are_refused_as_for_metrics(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, lines(*ROWS))
    with pytest.raises(InputError, match=r"t.csv:2: service.*'shop'.*try: shops"):
        check_services(rows, {"desk", "shops"}, "t.csv")


def test_columns_that_are_declared_must_be_there_and_be_ours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a column named prio"):
        read(tmp_path, lines(*ROWS), columns={"ticket": "number", "priority": "prio"})
    with pytest.raises(InputError, match="try: priority"):
        read(tmp_path, lines(*ROWS), columns={"ticket": "number", "prioritty": "priority"})
    for path in ("t.xlsx", "t"):
        with pytest.raises(InputError, match=r"\.csv or \.parquet"):
            open_tickets(SourceSpec(name="d", kind="tickets", path=path), tmp_path)
    with pytest.raises(InputError, match="open_tickets"):
        open_source(SourceSpec(name="d", kind="tickets", path="t.csv"), tmp_path, {})


def test_parquet_gives_the_same_as_csv(tmp_path: Path) -> None:
    wanted, _ = read(tmp_path, lines(*ROWS))
    table = pd.DataFrame(
        {
            "number": ["INC1", "INC2", "007"],
            "service": pd.Categorical(["shop", "shop", "desk"]),
            "opened": pd.to_datetime(["2027-03-01T07:00Z", "2027-03-02T08:00Z", "2027-03-01T08:30Z"]).tz_convert(
                "Asia/Tokyo"
            ),
            "resolved": pd.to_datetime(["2027-03-01 12:00", None, "2027-03-01 09:30"]),
            "kind": ["incident", "request", "NA"],
            "priority": ["1 - Critical", "3", None],
            "responded": ["2027-03-01T08:05:00", None, ""],
            "more": [{"a": 1}, None, None],
        }
    )
    table.to_parquet(tmp_path / "t.parquet")
    spec = SourceSpec(name="d", kind="tickets", path="t.parquet", columns={"ticket": "number"}, zone="Europe/Berlin")
    rows, cleaned = open_tickets(spec, tmp_path).read_tickets()
    pd.testing.assert_frame_equal(rows.reset_index(drop=True), wanted.reset_index(drop=True))
    assert rows.index.tolist() == [3, 1, 2]
    assert cleaned == {"resolved: null": 1, "responded: empty cell": 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"opened": [1804320000]}, "not guessed"),
        ({"number": [1.0]}, "text or whole numbers"),
        ({"opened": [None]}, r"opened \(row 1\)|column opened"),
        ({"opened": pd.to_datetime(["2027-03-28 02:30"])}, r"opened \(row 1\).*clocks change"),
        ({"opened": pd.to_datetime(["2027-03-01T00:00:00.000000001Z"])}, "whole microseconds"),
        ({"resolved": pd.to_datetime(["2026-03-01"])}, r"resolved \(row 1\).*not before opened"),
        ({"opened": pd.to_datetime(["1900-03-01"])}, "1990"),
        ({"service": [None]}, "service"),
    ],
)
def test_parquet_cells_that_cannot_be_used(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    good = {
        "number": [7],
        "service": ["a"],
        "opened": pd.to_datetime(["2027-03-01"]),
        "resolved": pd.to_datetime(["2027-03-02"]),
    }
    pd.DataFrame(good | change).to_parquet(tmp_path / "t.parquet")
    spec = SourceSpec(name="d", kind="tickets", path="t.parquet", columns={"ticket": "number"}, zone="Europe/Berlin")
    with pytest.raises(InputError, match=words):
        open_tickets(spec, tmp_path).read_tickets()


def test_every_damage_of_a_parquet_file_is_one_clear_error(tmp_path: Path) -> None:
    count = 50
    at = pd.date_range("2027-03-01", periods=count, freq="h")
    table = pd.DataFrame({"number": range(count), "service": "a", "opened": at, "resolved": at})
    table.to_parquet(tmp_path / "t.parquet", write_page_checksum=True)
    data = (tmp_path / "t.parquet").read_bytes()
    spec = SourceSpec(name="d", kind="tickets", path="t.parquet", columns={"ticket": "number"})
    found = 0
    for position in range(0, len(data), 97):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        (tmp_path / "t.parquet").write_bytes(damaged)
        try:
            open_tickets(spec, tmp_path).read_tickets()
        except InputError:
            found += 1
    assert found > len(data) / 97 / 4


def test_the_table_names_what_reads_which_file() -> None:
    assert list(TICKET_SOURCES) == [".csv", ".parquet"]
