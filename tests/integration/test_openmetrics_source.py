"""OpenMetrics text: what becomes which slice, what is refused, and the same file read by Prometheus's own tool."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prometheus_server import MISSING, running

from forecasting.adapters.clock import FixedClock
from forecasting.adapters.sources import open_source
from forecasting.adapters.sources.openmetrics import OpenMetricsFile
from forecasting.adapters.sources.prometheus import PrometheusServer
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import QuerySpec, SourceSpec

T0 = int(datetime(2026, 3, 28, tzinfo=UTC).timestamp())
HOUR = 3600
METRICS = {
    "hits": Metric(name="hits", kind=MetricKind.COUNT, step=timedelta(hours=1)),
    "slow": Metric(name="slow", kind=MetricKind.COUNT, step=timedelta(hours=1)),
    "queue": Metric(name="queue", kind=MetricKind.NON_NEGATIVE, step=timedelta(hours=1)),
    "share": Metric(name="share", kind=MetricKind.RATIO, step=timedelta(hours=1)),
    "daily": Metric(name="daily", kind=MetricKind.COUNT, step=timedelta(days=1)),
    "celsius": Metric(name="celsius", kind=MetricKind.REAL, step=timedelta(hours=1)),
}
COLUMNS = {
    "service": "app",
    "hits": "hits_total",
    "slow": 'latency_bucket{le="0.5"}',
    "queue": "queue",
    "celsius": "celsius",
}


def source(folder: Path, *lines: str, end: str = "# EOF\n", **changes: Any) -> OpenMetricsFile:
    (folder / "a.om").write_text("".join(line + "\n" for line in lines) + end, encoding="utf-8")
    spec = SourceSpec(**({"name": "om", "kind": "openmetrics", "path": "a.om", "columns": COLUMNS} | changes))
    found = open_source(spec, folder, METRICS)
    assert isinstance(found, OpenMetricsFile)
    return found


def rows(folder: Path, *lines: str, **changes: Any) -> list[tuple[str, str, str, float]]:
    frame = source(folder, *lines, **changes).read()[0]
    return [(s, m, f"{a:%dT%H:%M}", v) for s, m, a, v in frame.itertuples(index=False)]


def counter(*points: tuple[float, float], app: str = "shop") -> list[str]:
    return ["# TYPE hits counter", *(f'hits_total{{app="{app}"}} {v:g} {T0 + t:.0f}' for t, v in points)]


def gauge(*points: tuple[float, float], app: str = "shop") -> list[str]:
    return ["# TYPE queue gauge", *(f'queue{{app="{app}"}} {v:g} {T0 + t:.0f}' for t, v in points)]


def test_a_counter_is_read_at_the_first_sample_of_each_slice(tmp_path: Path) -> None:
    found = rows(tmp_path, *counter((10, 5), (1800, 9), (3605, 20), (3 * HOUR, 50), (3 * HOUR + 60, 51)))
    assert found == [
        ("shop", "hits", "28T00:00", 5),
        ("shop", "hits", "28T01:00", 20),
        ("shop", "hits", "28T03:00", 50),
    ]


def test_a_gauge_is_the_last_sample_of_each_slice_that_is_over(tmp_path: Path) -> None:
    found = source(tmp_path, *gauge((10, 5), (3599, 9), (3600, 20), (2 * HOUR, 50), (2 * HOUR + 1, 51)))
    frame = found.read()[0]
    assert frame["value"].tolist() == [9, 20]
    assert [note for note in found.notes if "queue: the last slice is left out until a later sample" in note]
    assert frame.index.tolist() == [3, 4], "the line of the sample"


def test_scrapes_one_after_the_other_and_any_order_are_the_same_file(tmp_path: Path) -> None:
    points = [(600.0 * i + 7, float(i * i)) for i in range(40)]
    wanted = rows(tmp_path, *counter(*points), *gauge(*points))
    scrapes = [line for point in points for line in (*counter(point), *gauge(point), "# EOF")]
    assert rows(tmp_path, *scrapes) == wanted
    mixed = [point for _, point in sorted(enumerate(points), key=lambda pair: pair[0] * 7 % 40)]
    assert rows(tmp_path, *counter(*mixed), *gauge(*mixed)) == wanted


def test_histograms_summaries_and_selectors(tmp_path: Path) -> None:
    text = [
        "# HELP latency time to the last byte",
        "# TYPE latency histogram",
        "# UNIT latency seconds",
        *(
            f'latency_bucket{{app="shop",le="{le}"}} {v} {T0 + t} # {{trace_id="a}}b"}} 0.4 {T0}'
            for le, factor in (("0.5", 1), ("+Inf", 2))
            for t, v in ((0, factor), (HOUR, 5 * factor))
        ),
        f'latency_count{{app="shop"}} 10 {T0}',
        f'latency_created{{app="shop"}} 1 {T0}',
        "# TYPE rpc summary",
        f'rpc{{app="shop",quantile="0.9"}} 4 {T0}',
        f'rpc_count{{app="shop"}} 4 {T0}',
    ]
    assert rows(tmp_path, *text) == [("shop", "slow", "28T00:00", 1), ("shop", "slow", "28T01:00", 5)]
    assert rows(tmp_path, *text, columns={"service": "app", "hits": "rpc_count"}) == [("shop", "hits", "28T00:00", 4)]


def test_queries_give_a_service_to_samples_without_a_label(tmp_path: Path) -> None:
    text = ["# TYPE hits counter", f'hits_total{{code="200"}} 1 {T0}', f'hits_total{{code="500"}} 2 {T0}']
    query = QuerySpec(metric="hits", query='hits_total{code="500"}', service="shop")
    assert rows(tmp_path, *text, columns={}, queries=(query,)) == [("shop", "hits", "28T00:00", 2)]


def test_labels_are_unescaped(tmp_path: Path) -> None:
    text = ["# TYPE hits counter", rf'hits_total{{app="a\"b\\c"}} 1 {T0}']
    assert rows(tmp_path, *text)[0][0] == 'a"b\\c'


def test_what_is_no_number_is_missing_and_counted(tmp_path: Path) -> None:
    text = ["# TYPE celsius gauge"]
    text += [
        f'celsius{{app="shop"}} {v} {T0 + i * HOUR}' for i, v in enumerate(("NaN", "+Inf", "-Inf", "-3.5", "1e1", "0"))
    ]
    frame, cleaned = source(tmp_path, *text).read()
    assert cleaned == {"NaN": 1, "+Inf": 1, "-Inf": 1}
    assert frame["value"].isna().tolist() == [True, True, True, False, False]
    assert frame["value"].tolist()[3:] == [-3.5, 10]


def test_days_are_local_days(tmp_path: Path) -> None:
    text = ["# TYPE hits counter", *(f'hits_total{{app="shop"}} {h} {T0 + h * HOUR}' for h in range(60))]
    found = rows(tmp_path, *text, columns={"service": "app", "daily": "hits_total"}, zone="Europe/Berlin")
    # Midnight is at 23:00 UTC, from the 29th on at 22:00; the first reading of a day is the one at its start.
    assert found == [
        ("shop", "daily", "27T23:00", 0),
        ("shop", "daily", "28T23:00", 23),
        ("shop", "daily", "29T22:00", 46),
    ]


def test_the_same_file_again_is_nothing_new_and_another_declaration_is(tmp_path: Path) -> None:
    first = source(tmp_path, *counter((0, 1)))
    assert len(list(first.chunks(None))) == 1
    state = first.state()
    assert list(source(tmp_path, *counter((0, 1))).chunks(state)) == []
    assert len(list(source(tmp_path, *counter((0, 1), (HOUR, 2))).chunks(state))) == 1
    assert len(list(source(tmp_path, *counter((0, 1)), duplicates="last").chunks(state))) == 1


def test_rows_of_a_file_that_grows_never_change(tmp_path: Path) -> None:
    rng = random.Random(5)
    points = [(rng.uniform(0, 30 * HOUR), float(i)) for i in range(200)]
    points.sort()
    known = dict[Any, float]()
    for count in range(5, 200, 15):
        part = [(t, i) for i, (t, _) in enumerate(points[:count])]
        for *key, value in rows(tmp_path, *counter(*part), *gauge(*part)):
            assert known.setdefault(tuple(key), value) == value
    assert len(known) > 50


@pytest.mark.parametrize(
    ("lines", "changes", "words"),
    [
        ([f'hits_total{{app="a"}} 1 {T0}'], {"end": ""}, r"a.om:1: end.*# EOF"),
        ([f'hits_total{{app="a"}} 1 {T0}', 'hits_total{app="a'], {"end": ""}, r"a.om:2: end"),
        ([], {"end": ""}, "a.om:1: end|empty"),
        (['hits_total{app="a"} 1'], {}, "a.om:1: timestamp of hits_total.*scrape with timestamps"),
        ([f'hits_total{{app="a"}} 1 {T0}000'], {}, "a.om:1: timestamp.*divide by 1000"),
        (['hits_total{app="a"} 1 12'], {}, "a.om:1: timestamp.*1990 to 2100"),
        (['hits_total{app="a"} 1 1.2.3'], {}, "a.om:1: timestamp"),
        ([f'hits_total{{app="a"}} 1_0 {T0}'], {}, "a.om:1: line"),
        ([f'hits_total{{app="a"}} one {T0}'], {}, "a.om:1: value of hits_total"),
        ([f'hits_total{{app=a}} 1 {T0}'], {}, "a.om:1: labels"),
        ([f'hits_total{{app="a",app="b"}} 1 {T0}'], {}, "a.om:1: labels.*once"),
        ([f'hits_total{{app="a" 1 {T0}'], {}, "a.om:1: line"),
        ([f'hits_total{{app="a"}}  1 {T0}'], {}, "a.om:1: line.*single spaces"),
        (["", *counter((0, 1))], {}, "a.om:1: line.*no empty lines"),
        (["# a comment", *counter((0, 1))], {}, "a.om:1: line.*other comments"),
        (["# TYPE hits counted"], {}, "a.om:1: TYPE of hits.*counter"),
        ([*counter((0, 1)), "# TYPE hits gauge"], {}, "a.om:3: TYPE of hits.*gauge, and counter"),
        ([f"hits_total 1 {T0}"], {}, "a.om:1: hits_total.*label app"),
        ([f'hits_total{{app=" a"}} 1 {T0}'], {}, "spaces around"),
        ([f'hits_total{{app="a",code="{c}"}} 1 {T0}' for c in (1, 2)], {}, "a.om:2: hits_total.*line 1.*apart"),
        ([*counter((0, 1), (5, 3), (5, 4))], {}, "a.om:4: hits_total.*line 3.*duplicates"),
        ([*gauge((0, -1), (HOUR, 1))], {}, "a.om:2: queue.*0 or more"),
        ([*gauge((0, 99), (HOUR, 1))], {"columns": {"service": "app", "share": "queue"}}, "divide by 100"),
        ([*counter((0, 1))], {"columns": {"service": "app", "hits": "sum(hits_total)"}}, "a sample's name"),
        ([*counter((0, 1))], {"metrics": ("hitz",)}, "declare hitz"),
        (["x" * 70_000], {}, "a.om:1: line"),
    ],
    ids=lambda value: None if not isinstance(value, str) else value[:30],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, lines: list[str], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        source(tmp_path, *lines, **changes).read()


def test_duplicates_follow_the_declaration(tmp_path: Path) -> None:
    text = counter((0, 5), (0, 3), (HOUR, 9))
    assert rows(tmp_path, *text, duplicates="last")[0][3] == 3
    assert rows(tmp_path, *text, duplicates="max")[0][3] == 5
    assert source(tmp_path, *counter((0, 5), (0, 5))).read()[1] == {"duplicate sample": 1}


def test_latin_1_and_links_out_are_refused(tmp_path: Path) -> None:
    found = source(tmp_path)
    (tmp_path / "a.om").write_bytes(b"# HELP hits caf\xe9\n# EOF\n")
    with pytest.raises(InputError, match=r"a.om:1: encoding"):
        found.read()
    with pytest.raises(InputError, match="workspace"):
        source(tmp_path, path="../a.om").read()


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
@pytest.mark.xdist_group("prometheus")
def test_prometheus_reads_the_same_file_to_the_same_values(tmp_path: Path) -> None:
    """Counters at the slices' starts and gauges at their ends, against promtool and a real server."""
    rng, hours = random.Random(3), 30
    count, level, counts, levels = 0.0, 0.0, list[tuple[float, float]](), list[tuple[float, float]]()
    for minute in range(hours * 60 + 1):
        count += rng.randrange(9)
        level = rng.randrange(1000) / 8
        counts.append((minute * 60, count))
        levels.append((minute * 60 + 30, level))
    text = [line for app in ("desk", "shop") for line in counter(*counts, app=app)[0 if app == "desk" else 1 :]]
    text += gauge(*levels)
    ours = source(tmp_path, *text).read()[0]
    # Types stand once in a file for promtool; ours takes the same file.
    at = datetime.fromtimestamp(T0, UTC)
    queries = (
        QuerySpec(metric="hits", query="hits_total", service_label="app", cumulative=True),
        QuerySpec(metric="queue", query="queue", service_label="app"),
    )
    with running(tmp_path, [*text, "# EOF"]) as server:
        spec = SourceSpec(name="p", kind="prometheus", url=server.url, since=at, queries=queries)
        clock = FixedClock(at + timedelta(hours=hours))
        theirs = PrometheusServer(spec, tmp_path, METRICS, clock=clock).read()[0]
    both = [frame.sort_values(["metric", "service", "at"]).reset_index(drop=True) for frame in (ours, theirs)]
    assert len(both[0]) == 2 * (hours + 1) + hours
    pd.testing.assert_frame_equal(both[0], both[1], check_dtype=False, rtol=0, atol=0)
