"""The Prometheus source against a real server with a known history, and against everything that can go wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fault_proxy import FaultProxy, bomb, in_front_of
from prometheus_server import MISSING, Running, free_port, running

from forecasting.adapters._http import Patience
from forecasting.adapters.clock import FixedClock
from forecasting.adapters.sources import open_source
from forecasting.adapters.sources.prometheus import PrometheusServer
from forecasting.adapters.store import DuckdbMetrics
from forecasting.terms.catalogue import MetricQuery
from forecasting.terms.errors import ForecastingError, InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import QuerySpec, SourceSpec

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.xdist_group("prometheus")]

START = datetime(2026, 3, 27, tzinfo=UTC)  # the clocks of Berlin go forward on the 29th
HOURS = 96
END = START + timedelta(hours=HOURS)
APPS = ("billing", "web-shop")
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
METRICS = {
    "requests": Metric(name="requests", kind=MetricKind.COUNT, step=HOUR),
    "requests_daily": Metric(name="requests_daily", kind=MetricKind.COUNT, step=DAY),
    "running": Metric(name="running", kind=MetricKind.COUNT, step=HOUR),
    "queue": Metric(name="queue", kind=MetricKind.NON_NEGATIVE, step=MINUTE),
    "share": Metric(name="share", kind=MetricKind.RATIO, step=HOUR),
    "real": Metric(name="real", kind=MetricKind.REAL, step=HOUR),
}
PER_HOUR = "sum by (app) (increase(http_requests_total[1h]))"
QUICK = Patience(total_s=5, attempt_s=1.5, attempts=3, pause_s=0.05)
STUBBORN = Patience(total_s=5, attempt_s=1.0, attempts=2, pause_s=0.05)


def per_minute(app: str, hour: int) -> int:
    """Requests a minute, the same through an hour, so that an increase is exact whatever the ends of its range."""
    return (hour * 7 + len(app)) % 50 + 1


def queue(minute: int) -> int:
    return minute * 13 % 101


def history() -> Iterator[str]:
    """Counters by app and a gauge of two instances, one sample a minute, OpenMetrics text."""
    first = int(START.timestamp())
    yield "# TYPE http_requests counter"
    for app in APPS:
        for code, share in (("200", 2), ("500", 1)):
            total = 0
            for minute in range(HOURS * 60 + 1):
                yield f'http_requests_total{{app="{app}",code="{code}"}} {total} {first + minute * 60}'
                total += share * per_minute(app, minute // 60)
    yield "# TYPE queue gauge"
    for instance in ("a", "b"):
        for minute in range(HOURS * 60 + 1):
            yield f'queue{{app="web-shop",instance="{instance}"}} {queue(minute)} {first + minute * 60}'
    yield "# EOF"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("prometheus"), history(), "--query.max-samples=6000") as found:
        yield found


@pytest.fixture(scope="module")
def proxy(server: Running) -> Iterator[FaultProxy]:
    with in_front_of(server.port) as found:
        yield found


def source(url: str, *queries: QuerySpec, now: datetime = END, **changes: Any) -> PrometheusServer:
    options = {name: changes.pop(name) for name in ("patience", "points", "seed") if name in changes}
    declared: dict[str, Any] = {"name": "mon", "kind": "prometheus", "url": url, "since": START} | changes
    return PrometheusServer(
        SourceSpec(queries=queries, **declared),
        Path("."),
        METRICS,
        clock=FixedClock(now),
        **({"patience": QUICK} | options),
    )


def hourly(query: str = PER_HOUR, metric: str = "requests", **changes: Any) -> QuerySpec:
    return QuerySpec(metric=metric, query=query, **({"service_label": "app"} | changes))


def truth(hours: int = HOURS) -> pd.DataFrame:
    at = pd.date_range(START.replace(tzinfo=None), periods=hours, freq="h", unit="us")
    parts = [
        pd.DataFrame(
            {
                "service": app,
                "metric": "requests",
                "at": at,
                "value": [180.0 * per_minute(app, h) for h in range(hours)],
            }
        )
        for app in APPS
    ]
    return pd.concat(parts, ignore_index=True)


def same(rows: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(rows.reset_index(drop=True), expected, check_dtype=False, rtol=0, atol=0)


# ---------------------------------------------------------------------- the right data
def test_hourly_increases_are_the_truth_and_stand_at_the_beginning_of_their_slice(server: Running) -> None:
    rows, cleaned = source(server.url, hourly()).read()
    same(rows, truth())
    assert cleaned == {}
    assert str(rows["at"].dtype) == "datetime64[us]"


def test_small_questions_give_the_same_rows_as_large_ones(server: Running) -> None:
    same(source(server.url, hourly(), points=7).read()[0].sort_values(["service", "at"]), truth())


def test_only_slices_that_have_ended_are_asked_for(server: Running) -> None:
    rows, _ = source(server.url, hourly(), now=START + timedelta(hours=5, minutes=59)).read()
    same(rows, truth(5))
    assert source(server.url, hourly(), now=START + timedelta(minutes=59)).read()[0].empty


def test_days_are_local_days_of_23_hours_too(server: Running) -> None:
    query = hourly("sum by (app) (increase(http_requests_total[$__range]))", "requests_daily")
    found = source(server.url, query, zone="Europe/Berlin")
    rows = found.read()[0]
    shop = rows[rows["service"] == "web-shop"].sort_values("at")
    assert [str(at) for at in shop["at"]] == ["2026-03-27 23:00:00", "2026-03-28 23:00:00", "2026-03-29 22:00:00"]
    spans = [(23, 47), (47, 70), (70, 94)]  # the 29th has 23 hours
    assert shop["value"].tolist() == [sum(180.0 * per_minute("web-shop", h) for h in range(a, b)) for a, b in spans]
    assert found.notes == ()


def test_a_fixed_range_on_a_day_of_23_hours_is_noted(server: Running) -> None:
    found = source(
        server.url, hourly("sum by (app) (increase(http_requests_total[1d]))", "requests_daily"), zone="Europe/Berlin"
    )
    found.read()
    assert "1 slices are longer or shorter" in found.notes[0]
    assert "$__range" in found.notes[0]


def test_readings_of_counters_are_of_their_instant_so_that_differences_are_the_truth(server: Running) -> None:
    query = hourly("sum by (app) (http_requests_total)", "running", cumulative=True)
    rows = source(server.url, query).read()[0]
    shop = rows[rows["service"] == "web-shop"].sort_values("at")
    assert str(shop["at"].iloc[0]) == "2026-03-27 00:00:00"
    wanted = truth()
    assert np.diff(shop["value"]).tolist() == wanted.loc[wanted["service"] == "web-shop", "value"].tolist()


def test_a_service_of_the_declaration_takes_an_answer_without_labels(server: Running) -> None:
    rows = source(server.url, hourly("sum(increase(http_requests_total[1h]))", service="all", service_label="")).read()[
        0
    ]
    assert set(rows["service"]) == {"all"}
    assert rows["value"].sum() == truth()["value"].sum()


def test_nan_and_infinity_are_missing_and_counted(server: Running) -> None:
    one = {"service": "shop", "service_label": ""}
    rows, cleaned = source(server.url, hourly("0/0 * max(queue)", "real", **one)).read()
    assert len(rows) == HOURS
    assert rows["value"].isna().all()
    assert cleaned == {"NaN": HOURS}
    assert source(server.url, hourly("max(queue) * 0 + 1/0", "real", **one)).read()[1] == {"+Inf": HOURS}


def test_a_gauge_a_minute_over_four_days(server: Running) -> None:
    rows, _ = source(server.url, hourly("max by (app) (queue)", "queue")).read()
    assert rows["value"].tolist() == [float(queue(m)) for m in range(1, HOURS * 60 + 1)]


def test_queries_of_the_catalogue_are_asked_of_the_source_they_name(server: Running) -> None:
    spec = SourceSpec(name="mon", kind="prometheus", url=server.url, since=START)

    def query(source: str, kind: str = "Prometheus", metric: str = "requests") -> MetricQuery:
        text = "sum(increase(http_requests_total[1h]))"
        return MetricQuery(metric=metric, service="all", source_kind=kind, source=source, query=text)

    clock = FixedClock(END)
    queries = (query("mon"), query("", metric="real"), query("else", metric="queue"), query("mon", "Datadog", "share"))
    found = open_source(spec, Path("."), METRICS, queries, clock=clock, environment={}).read()[0]
    assert set(found["metric"]) == {"requests", "real"}
    with pytest.raises(InputError, match=r"only for else.*name the source else"):
        open_source(spec, Path("."), METRICS, (query("else"),), clock=clock)
    with pytest.raises(InputError, match="no query in the catalogue"):
        open_source(spec, Path("."), METRICS, clock=clock)


# ---------------------------------------------------------------------- asked again
def test_the_next_ingest_begins_before_the_latest_value_and_one_without_news_asks_nothing(proxy: FaultProxy) -> None:
    proxy.script()
    half = START + timedelta(hours=48)
    first = source(proxy.url, hourly(), now=half, overlap=timedelta(hours=3))
    old = pd.concat(rows for rows, _ in first.chunks(None))
    again = source(proxy.url, hourly(), now=END, overlap=timedelta(hours=3))
    new = pd.concat(rows for rows, _ in again.chunks(first.state()))
    assert new["at"].min() == pd.Timestamp("2026-03-28 20:00:00")  # evaluated at 21:00, three hours before the latest
    joined = pd.concat([old, new]).drop_duplicates().sort_values(["service", "at"])
    same(joined, truth())
    asked = len(proxy.requests)
    rest = source(proxy.url, hourly(), now=END + timedelta(minutes=30))
    assert list(rest.chunks(again.state())) == []
    assert len(proxy.requests) == asked
    assert rest.state() == again.state()
    (mark,) = json.loads(again.state()).values()
    assert mark == {"asked": "2026-03-31T00:00:00Z", "latest": "2026-03-31T00:00:00Z"}


def test_another_query_begins_anew_and_a_damaged_state_only_asks_for_more(server: Running) -> None:
    first = source(server.url, hourly(), now=END)
    list(first.chunks(None))
    other = source(server.url, hourly("sum by (app) (increase(http_requests_total[60m]))"))
    for found, state in (
        (other, first.state()),
        (source(server.url, hourly()), "{half"),
        (source(server.url, hourly()), "[1]"),
    ):
        same(pd.concat(rows for rows, _ in found.chunks(state)), truth())


# ---------------------------------------------------------------------- too much at once
def test_the_server_refuses_more_than_11000_points_and_the_source_never_asks_for_them(server: Running) -> None:
    import urllib.request

    form = f"query=vector(1)&start={START.timestamp()}&end={END.timestamp()}&step=30".encode()
    with pytest.raises(OSError, match="400") as raised:
        urllib.request.urlopen(server.url + "/api/v1/query_range", form)
    assert b"11,000" in raised.value.read()  # type: ignore[attr-defined]
    long = source(
        server.url, QuerySpec(metric="queue", query="vector(1)", service="shop"), now=START + timedelta(days=40)
    )
    assert len(long.read()[0]) == 40 * 1440


def test_too_many_samples_are_asked_in_halves_until_it_works(proxy: FaultProxy) -> None:
    proxy.script()
    rows, _ = source(proxy.url, hourly("max by (app) (max_over_time(queue[2m]))", "queue")).read()
    wanted = [max(queue(m) for m in range(max(end - 2, 0), end + 1)) for end in range(1, HOURS * 60 + 1)]
    assert rows["value"].tolist() == wanted
    assert len(proxy.requests) > 2, "nothing was refused: lower --query.max-samples"


def test_a_single_slice_that_is_too_much_is_one_clear_error(server: Running) -> None:
    query = hourly("sum by (app) (sum_over_time(http_requests_total[4d:15s]))", "real")
    with pytest.raises(ForecastingError, match=r"too many samples.*single slice"):
        source(server.url, query, since=END - timedelta(hours=1)).read()


# ---------------------------------------------------------------------- queries that mean something else
@pytest.mark.parametrize(
    ("query", "words"),
    [
        (hourly("queue", "queue"), r'web-shop at 2026-03-27T00:01:00Z.*instance="a".*instance="b".*sum by \(app\)'),
        (hourly("http_requests_total", service="all", service_label=""), "two series of all"),
        (hourly("sum(queue)", "queue"), "label app empty"),
        (hourly("sum by (app) (", "queue"), "bad_data.*parse error.*try the query"),
        (hourly("max by (app) (queue) * -1 - 5", "queue"), "0 or more"),
        (hourly("max by (app) (queue) + 99", "share"), "divide by 100|another kind"),
        (hourly('label_replace(max by (app) (queue), "app", " x", "", "")', "queue"), "spaces around"),
        (hourly('"text"', "queue"), "bad_data|resultType"),
        (hourly("queue[5m]", "queue"), "bad_data"),
    ],
)  # fmt: skip
def test_a_query_whose_answer_cannot_be_used_is_refused_with_the_reason(
    server: Running, query: QuerySpec, words: str
) -> None:
    with pytest.raises(ForecastingError, match=words):
        source(server.url, query).read()


def test_counts_that_are_no_whole_numbers_are_noted(server: Running) -> None:
    found = source(server.url, hourly("sum by (app) (increase(http_requests_total[1h])) / 7"))
    found.read()
    assert "no whole numbers" in found.notes[0]


def test_warnings_of_the_server_are_kept(proxy: FaultProxy) -> None:
    body = {"status": "success", "warnings": ["remote\nread failed"], "data": {"resultType": "matrix", "result": []}}
    proxy.script("body:" + json.dumps(body))
    found = source(proxy.url, hourly())
    found.read()
    assert found.notes == ("requests: the server warns: remote read failed",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"since": None}, "since"),
        ({"queries": ()}, "queries"),
        ({"queries": (hourly(metric="reqests"),)}, "declare reqests"),
        ({"queries": (hourly(service="a"),)}, "one of service and serviceLabel"),
        ({"queries": (hourly(" "),)}, "PromQL"),
        ({"queries": (hourly(), hourly())}, "each query once"),
        ({"url": "", "url_env": "NO_SUCH_VARIABLE_OF_OURS"}, "NO_SUCH_VARIABLE_OF_OURS"),
        ({"token_env": "NO_SUCH_VARIABLE_OF_OURS"}, "NO_SUCH_VARIABLE_OF_OURS"),
    ],
)
def test_wrong_declarations_are_refused_before_anything_is_asked(changes: dict[str, Any], words: str) -> None:
    queries = changes.pop("queries", (hourly(),))
    with pytest.raises(InputError, match=words):
        source(changes.pop("url", "http://127.0.0.1:9"), *queries, **changes).read()


# ---------------------------------------------------------------------- bad days that pass
@pytest.mark.parametrize(
    "plan",
    [
        ("status:500 Internal Server Error",),
        ("status:502 Bad Gateway", "status:504 Gateway Timeout"),
        ("wait:0", "limit:1"),
        ("close",),
        ("drop:0.5", "drop:0.01"),
        ("cut:0.5",),
        ("bad_gzip",),
        ("silent",),
        ("late:0.3",),
        ("raw:nonsense\r\n\r\n",),
    ],
    ids=lambda plan: "+".join(plan)[:30].strip(),
)
def test_what_passes_ends_in_the_right_data(proxy: FaultProxy, plan: tuple[str, ...]) -> None:
    proxy.script("ok", *plan)
    begin = time.monotonic()
    same(source(proxy.url, hourly(), points=60).read()[0].sort_values(["service", "at"]), truth())
    assert time.monotonic() - begin < 8
    assert len(proxy.requests) == 2 + len(plan) - ("late:0.3" in plan)


# ---------------------------------------------------------------------- bad days that stay
@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("status:500 Internal Server Error", "HTTP 500: <html>sorry"),
        ("status:503 Service Unavailable", "HTTP 503"),
        ("limit:3600", "asks to wait 3600 s"),
        ("wait:7", "asks to wait 7 s"),
        ("close", "connection failed"),
        ("drop:0.6", "connection failed|cut off"),
        ("cut:0.6", "cut off"),
        ("raw:HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "97 bytes are missing"),
        ("raw:HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}", "connection failed"),
        ("silent", "no complete answer within 1 s"),
        ("drip", "no complete answer within"),
        pytest.param("drip_headers", "no complete answer within", marks=pytest.mark.nightly),
        ("bad_gzip", "gzip"),
        ("bomb", "too large.*single slice"),
        pytest.param("endless", "too large|no complete answer", marks=pytest.mark.nightly),
        pytest.param("minus", "connection failed|too large|no complete answer", marks=pytest.mark.nightly),
        ("redirect:http://169.254.169.254/latest/meta-data/", "not a redirect"),
        ("status:404 Not Found", "base URL, with its path"),
        ("status:401 Unauthorized", "lets us in.*tokenEnv"),
        ("body:<html>log in</html>", "no JSON: <html>log in"),
        ("body:{}", "without status"),
        ("body:[]", "a list"),
        ('body:{"status":"success","data":{"resultType":"vector","result":[]}}', "resultType 'vector'"),
        ('body:{"status":"error","errorType":"internal","error":"disk\\u001b[31m full"}', r"internal: disk \[31m full"),
        ("raw:HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx", "packed as br"),
        ("raw:HTTP/1.1 200 OK\r\n" + "A: b\r\n" * 200 + "\r\n", "connection failed"),
    ],
    ids=lambda text: text[:25].strip().replace("\r\n", " "),
)
def test_what_stays_ends_in_one_clear_error_and_nothing_partial(proxy: FaultProxy, mode: str, words: str) -> None:
    proxy.script("ok", after=mode)
    patience = replace(STUBBORN, attempt_s=5.0) if bomb(128) and mode == "bomb" else STUBBORN
    begin, kept = time.monotonic(), []
    with pytest.raises(ForecastingError, match=words) as raised:
        kept.append(source(proxy.url, hourly(), points=60, patience=patience).read())
    assert not kept
    assert "\x1b" not in str(raised.value)
    assert time.monotonic() - begin < 10


def test_a_store_keeps_all_chunks_or_none(proxy: FaultProxy, tmp_path: Path) -> None:
    """The first chunk is good, the second fails: nothing is stored or remembered; the next ingest has it all."""
    store = DuckdbMetrics(tmp_path / "metrics.duckdb")
    proxy.script("ok", after="status:500 x")
    broken = source(proxy.url, hourly(), points=60)
    with pytest.raises(ForecastingError, match="nothing was stored"):
        store.append(broken.chunks(store.state_of("mon")), source="mon", state=broken.state)
    assert (store.head(), store.state_of("mon")) == (0, None)
    proxy.script()
    for new in (2 * HOURS, 0):
        whole = source(proxy.url, hourly(), points=60)
        report = store.append(whole.chunks(store.state_of("mon")), source="mon", state=whole.state)
        assert report.rows_new == new
    same(store.read(), truth())


def test_a_server_that_does_not_run_and_a_wrong_path(server: Running) -> None:
    with pytest.raises(ForecastingError, match=r"refused.*asked 3 times"):
        source(f"http://127.0.0.1:{free_port()}", hourly()).read()
    with pytest.raises(ForecastingError, match=r"404.*with its path"):
        source(server.url + "/wrong", hourly()).read()


def test_pauses_grow_are_spread_by_the_seed_alone_and_end_in_time(proxy: FaultProxy) -> None:
    took = []
    for seed in (1, 1):
        proxy.script(after="status:500 x")
        begin = time.monotonic()
        with pytest.raises(ForecastingError, match="asked 4 times"):
            source(proxy.url, hourly(), seed=seed, patience=Patience(total_s=9, attempts=4, pause_s=0.1)).read()
        took.append(time.monotonic() - begin)
    assert all(0.35 <= seconds < 2.0 for seconds in took), "pauses of 0.1, 0.2 and 0.4 s, each at least half"


# ---------------------------------------------------------------------- secrets
CANARY = "canary-7f3a9c-token"


def test_the_token_is_sent_and_nowhere_said(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_TOKEN", CANARY)
    proxy.script(after="guard:" + CANARY)
    found = source(proxy.url, hourly(), token_env="OUR_TOKEN")
    same(found.read()[0], truth())
    said = [repr(found), repr(found.spec), repr(vars(found)), found.state(), *found.notes]
    echo = f'body:{{"status":"error","errorType":"x","error":"your token {CANARY} is bad"}}'
    for mode in ("guard:another", echo, "status:500 x", "status:403 " + CANARY, "raw:" + CANARY, f"body:{CANARY}"):
        proxy.script(after=mode)
        with pytest.raises(ForecastingError) as raised:
            source(proxy.url, hourly(), token_env="OUR_TOKEN").read()
        said += [str(raised.value), repr(raised.value), repr(raised.value.as_dict()), repr(raised.value.__cause__)]
    assert not [text for text in said if CANARY in text]


def test_proxies_of_the_environment_are_not_used(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    same(source(server.url, hourly()).read()[0], truth())


def test_a_url_in_the_environment_stays_there(monkeypatch: pytest.MonkeyPatch, proxy: FaultProxy) -> None:
    proxy.script()
    monkeypatch.setenv("OUR_URL", f"{proxy.url}/{CANARY}")
    with pytest.raises(ForecastingError, match="404") as raised:
        source("", hourly(), url_env="OUR_URL").read()
    assert CANARY not in str(raised.value)
    monkeypatch.setenv("OUR_URL", f"http://user:{CANARY}@127.0.0.1")
    with pytest.raises(InputError, match="no user or password") as refused:
        source("", hourly(), url_env="OUR_URL").read()
    assert CANARY not in str(refused.value)


def test_naming_the_source_loads_nothing_heavy() -> None:
    code = (
        "import sys, forecasting.adapters.sources.prometheus\n"
        "print([name for name in ('pandas', 'pyarrow', 'requests', 'urllib3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
