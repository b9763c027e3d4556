"""Input from outside, broken in thousands of ways: an answer or one clear error, never a traceback, never a hang.

Also the rules of the one way out: every trick to reach another host than the declared one is refused.
"""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from forecasting.adapters._egress import Secret, address_problem, check_url, literal
from forecasting.adapters._http import ask
from forecasting.adapters._prometheus_answer import TooMuch, read_error, read_matrix
from forecasting.adapters.sources.openmetrics import OpenMetricsFile
from forecasting.adapters.sources.tickets_file import TicketsCsv
from forecasting.terms.errors import ForecastingError, InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import SourceSpec

QUICK, ALL = 500, 20_000
LONGEST_S = 2.0

METRICS = {
    "hits": Metric(name="hits", kind=MetricKind.COUNT, step=timedelta(minutes=1)),
    "queue": Metric(name="queue", kind=MetricKind.NON_NEGATIVE, step=timedelta(days=1)),
}

ANSWERS = [
    json.dumps(
        {
            "status": "success",
            "warnings": ["one"],
            "data": {
                "resultType": "matrix",
                "result": [
                    {"metric": {"app": "shop"}, "values": [[60, "1"], [120.0, "NaN"], [180, "1e+06"]]},
                    {"metric": {"app": "desk"}, "values": [[60, "+Inf"], [240, "-0.5"]]},
                ],
            },
        }
    ),
    '{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points"}',
    '{"status":"success","data":{"resultType":"matrix","result":[]}}',
]
HITS = '# TYPE hits counter\nhits_total{app="a"} %s\n'
OPENMETRICS = [
    "# HELP hits x\n" + HITS % "1 1700000000" + 'hits_total{app="a"} 2 1700000060.5\n# EOF\n',
    '# TYPE queue gauge\nqueue{app="a\\"b",z="1"} 1.5e3 1700000000 # {t="x"} 0.2 9\n'
    'queue{app="c"} NaN 1700090000\n# EOF\n',
    HITS % "1 1700000000" + "# EOF\n" + HITS % "2 1700000060" + "# EOF\n",
]
DAY = "2027-03-01"
TICKETS = [
    "ticket,service,opened,resolved,pauses\n"
    f'1,a,{DAY}T08:00Z,,"[[""{DAY}T09:00Z"", null]]"\n2,b,{DAY}T08:00Z,2027-03-02,\n',
    "ticket,service,opened,resolved,paused_from,paused_until,kind\n"
    f"INC1,a,{DAY} 08:00,-,{DAY} 09:00;{DAY} 10:00,{DAY} 09:30,x\n",
    'ticket,service,opened,resolved,text\n007,a,2027-03-28,null,"two\nlines"\n',
]
SPICES = (
    '"', "{", "}", "[", "]", ",", ":", ";", "\n", "\r", "\0", " ", "#", "\\", "\\ud800", "\ud800", "\u0663",
    "\u202e", "\ufeff",
    "NaN", "Infinity", "-Infinity", "1e999", "-1", "0", "9" * 400, "9" * 5000, "null", "true", "1_0", "0x1",
    "2027-02-30",
    "1700000000000", "-9223372036854775808", "[" * 3000, '{"a":' * 3000, "a" * 3000, "\\" * 50, '"' * 51, "status",
    "values",
    "9999-12-31T23:59:59Z", "0001-01-01", "2027-03-28T02:30", "+14:00", "# EOF\n", "# TYPE hits counter\n",
    "hits_total 1\n",
)  # fmt: skip


def mutate(text: str, rng: random.Random) -> str:
    """Return the text with one to five things wrong."""
    for _ in range(rng.randint(1, 5)):
        position = rng.randrange(len(text) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            text = text[:position] + rng.choice(SPICES) + text[position:]
        elif kind == 1:
            text = text[:position] + text[position + rng.randint(1, 12) :]
        elif kind == 2:
            other = rng.randrange(len(text) + 1)
            text = text[:position] + text[min(other, position) : max(other, position)][:200] + text[position:]
        elif kind == 3:
            text = text[:position] + chr(rng.choice((*range(128), 0xA0, 0x3000, 0x1F600))) + text[position + 1 :]
        elif kind == 4:
            text = text[:position]
        else:
            text = text[:position] + rng.choice(SPICES) + text[position + rng.randint(0, 6) :]
    return text


def as_bytes(text: str, rng: random.Random) -> bytes:
    """Return the text as bytes; at times with one that is not UTF-8."""
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if data and rng.random() < 0.1:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def survive(samples: list[str], use: Callable[[bytes], object], count: int, seed: int) -> None:
    """Use mutated samples; only our errors may come out, each soon; some must pass and some must not."""
    rng, good, refused, longest = random.Random(seed), 0, 0, 0
    for number in range(count):
        data = as_bytes(mutate(rng.choice(samples), rng), rng)
        begin = time.process_time()
        try:
            use(data)
            good += 1
        except (ForecastingError, TooMuch) as error:
            refused += 1
            longest = max(longest, len(str(error)))
        except Exception as error:
            raise AssertionError(f"case {number} of seed {seed}: {type(error).__name__}: {error}\n{data!r}") from error
        took = time.process_time() - begin
        assert took < LONGEST_S, f"case {number} of seed {seed} took {took:.1f} s"
    assert good > 0
    assert refused > count / 3
    assert longest < 2500, "a message that nobody reads"


def use_answer(body: bytes) -> object:
    read_error(body)
    return read_matrix(body, first_us=60_000_000, step_us=60_000_000, count=4)


def use_openmetrics(folder: Path) -> Callable[[bytes], object]:
    columns = {"service": "app", "hits": "hits_total"}
    spec = SourceSpec(
        name="om", kind="openmetrics", path="a.om", columns=columns, metrics=("hits", "queue"), zone="Europe/Berlin"
    )

    def use(data: bytes) -> object:
        (folder / "a.om").write_bytes(data)
        return OpenMetricsFile(spec, folder, METRICS).read()

    return use


def use_tickets(folder: Path) -> Callable[[bytes], object]:
    spec = SourceSpec(name="t", kind="tickets", path="t.csv", zone="Europe/Berlin")

    def use(data: bytes) -> object:
        (folder / "t.csv").write_bytes(data)
        return TicketsCsv(spec, folder).read_tickets()

    return use


@pytest.mark.parametrize("count", [QUICK, pytest.param(ALL, marks=pytest.mark.nightly)])
def test_answers_of_servers(count: int) -> None:
    survive(ANSWERS, use_answer, count, seed=count + 1)


@pytest.mark.parametrize("count", [QUICK, pytest.param(ALL, marks=pytest.mark.nightly)])
def test_openmetrics(tmp_path: Path, count: int) -> None:
    survive(OPENMETRICS, use_openmetrics(tmp_path), count, seed=count + 2)


@pytest.mark.parametrize("count", [QUICK, pytest.param(ALL, marks=pytest.mark.nightly)])
def test_tickets(tmp_path: Path, count: int) -> None:
    survive(TICKETS, use_tickets(tmp_path), count, seed=count + 3)


SERIES = b'{"status":"success","data":{"resultType":"matrix","result":['


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5_000_000,
        b'{"a":' * 1_000_000,
        b'{"status":"success","data":' + b"9" * 5_000_000,
        b'{"status":"error","error":"' + b"x" * 20_000_000 + b'"}',
        SERIES + b'{"metric":{},"values":[[60,"1"]]},' * 100_000 + b"0]}}",
        SERIES + b'{"metric":{},"values":[[60,"1"]]},' * 49_999 + b"0]}}",
    ],
    ids=["lists", "objects", "digits", "error", "series", "fewer series"],
)
def test_large_nonsense_ends_soon(body: bytes) -> None:
    begin = time.process_time()
    with pytest.raises(ForecastingError) as raised:
        use_answer(body)
    assert len(str(raised.value)) < 1000
    assert time.process_time() - begin < 8


def test_patterns_do_not_backtrack(tmp_path: Path) -> None:
    use = use_openmetrics(tmp_path)
    for line in (
        'hits_total{app="' + "\\" * 60_000,
        "hits_total{" + 'a="b",' * 10_000,
        "hits_total{app=" + '""' * 30_000 + "} 1 1",
        "a" * 60_000 + "!",
        'hits_total{app="a"} ' + "1" * 60_000,
        'hits_total{app="a"} 1 1 # {' + '"a"' * 20_000,
    ):
        begin = time.process_time()
        with pytest.raises(InputError):
            use((line + "\n# EOF\n").encode())
        assert time.process_time() - begin < LONGEST_S


# ---------------------------------------------------------------------- the one way out
REFUSED_URLS = [
    # the metadata service and link-local addresses, in every spelling
    "http://169.254.169.254/latest/meta-data/", "http://169.254.169.254:80", "http://169.254.0.1",
    "https://169.254.169.254",
    "http://2852039166/", "http://0xa9fea9fe/", "http://0xa9.0xfe.0xa9.0xfe/", "http://0251.0376.0251.0376/",
    "http://0251.254.169.254", "http://169.254.43518", "http://169.16689662", "http://169.254.169.254.",
    "http://425.510.425.510/",
    "http://[::ffff:169.254.169.254]", "http://[::ffff:a9fe:a9fe]:80/", "http://[0:0:0:0:0:ffff:169.254.169.254]",
    "http://[fe80::1]", "http://[fe80::a9fe:a9fe]:9090", "http://[fe80::1%25eth0]", "http://[fd00:ec2::254]",
    "http://[64:ff9b::a9fe:a9fe]", "http://[2002:a9fe:a9fe::1]", "http://[::169.254.169.254]", "http://[::a9fe:a9fe]",
    "http://100.100.100.200", "http://168.63.129.16", "http://192.0.0.192",
    # this machine, not in its usual form
    "http://2130706433/", "http://0x7f000001", "http://0x7f.1", "http://017700000001", "http://0177.0.0.1",
    "http://127.1",
    "http://127.0.1", "http://0", "http://0.0.0.0:9090", "http://0.1.2.3", "http://[::]",
    "http://[::ffff:127.0.0.1]:9090",
    "http://[::127.0.0.1]", "http://[64:ff9b::7f00:1]", "http://[2002:7f00:1::]", "http://①②⑦.⓪.⓪.①",
    "http://127。0。0。1",
    "http://[127.0.0.1]", "http://00127.0.0.1",
    # other schemes
    "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "ftp://127.0.0.1/", "dict://127.0.0.1:11211/stat",
    "ldap://127.0.0.1",
    "jar:http://127.0.0.1!/", "data:text/plain,hello", "javascript:alert(1)", "unix:///var/run/docker.sock",
    "//127.0.0.1/",
    "127.0.0.1:9090", "http:127.0.0.1", "http:/127.0.0.1", "http:///127.0.0.1", "", " ", "http://", "https://:443",
    "HTTP+unix://%2Fvar%2Frun%2Fdocker.sock", "tftp://h", "netdoc:///etc/passwd", "php://filter/resource=x",
    "\thttp://a",
    # whose host is it?
    "http://mon.example.com@169.254.169.254/", "http://user:password@mon.example.com",
    "http://mon.example.com:80@evil.example/",
    "http://mon.example.com#@evil.example/", "http://mon.example.com?@evil.example/",
    "http://mon.example.com\\@evil.example/",
    "http://mon.example.com%40evil.example/", "http://mon.example.com%2eevil.example",
    "http://mon.example.com%00.evil.example",
    "http://mon.example.com\0.evil.example", "http://evil.example/http://mon.example.com/..;/@",
    "http://mon.example.com&@evil.example",
    "http://ⓔⓧⓐⓜⓟⓛⓔ.com", "http://exa\u00admple.com", "http://mon_.example.com:80:81", "http://mon.example.com:0",
    "http://a:99999",
    "http://a:-1", "http://a:80a", "http://a..b", "http://-a.example", "http://.a", "http://a.",
    "http://" + "a" * 300, "http://a b",
    # line breaks and other things in a path
    "http://mon.example.com/\r\nHost: evil.example", "http://mon.example.com/%0d%0aHost:%20evil.example",
    "http://mon.example.com\r\n",
    "http://mon.example.com/\nX-Evil: 1", "http://mon.example.com/../admin", "http://mon.example.com/./a/..",
    "http://mon.example.com//evil",
    "http://mon.example.com/a?query=1", "http://mon.example.com/#x", "http://mon.example.com/%2e%2e/",
    "http://mon.example.com/\u2025/",
    # reserved and multicast
    "http://224.0.0.1", "http://255.255.255.255", "http://240.0.0.1", "http://[ff02::1]", "http://[fec0::1]",
    "http://[100::1]",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED_URLS, ids=lambda url: repr(url)[:50])
def test_urls_that_are_never_asked(url: str) -> None:
    with pytest.raises(InputError) as raised:
        check_url(url)
    assert "password" not in str(raised.value).replace("no user or password", "")


def test_the_table_is_long_enough() -> None:
    assert len(set(REFUSED_URLS)) == len(REFUSED_URLS) >= 100


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:9090", "http://127.0.0.1:9090"),
        ("http://localhost:9090/prom/", "http://localhost:9090/prom"),
        ("HTTP://LOCALHOST", "http://localhost:80"),
        ("https://mon.example.com", "https://mon.example.com:443"),
        ("http://10.1.2.3:9090", "http://10.1.2.3:9090"),
        ("http://192.168.1.1", "http://192.168.1.1:80"),
        ("http://[::1]:9090", "http://[::1]:9090"),
        ("http://[fd12:3456::1]", "http://[fd12:3456::1]:80"),
        ("https://xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example:443"),
        ("http://prometheus:9090/a/b-c_d~e/", "http://prometheus:9090/a/b-c_d~e"),
    ],
)
def test_urls_that_may_be_asked(url: str, shown: str) -> None:
    assert check_url(url).shown == shown


LEADS_NOWHERE = [
    "127.0.0.1", "127.9.9.9", "::1", "169.254.169.254", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "fe80::1",
    "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "224.0.0.1",
    "255.255.255.255",
    "::127.0.0.1", "2001:0:7f00:1::", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("address", LEADS_NOWHERE)
def test_a_name_that_leads_elsewhere_is_refused_before_a_connection(address: str) -> None:
    """A listener on this machine sees no connection; one wrong address among right ones is enough."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)
        port = listener.getsockname()[1]
        endpoint = check_url(f"http://mon.example.com:{port}")
        for found in ([address], ["192.0.2.1", address]):
            with pytest.raises(InputError, match="which leads to"):
                ask(endpoint, "/", {}, token=Secret(""), within_s=0.5, resolver=lambda *_, found=found: found)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_the_name_is_looked_up_once_and_the_checked_address_is_the_one_connected_to() -> None:
    """A name server that answers otherwise the second time (rebinding) is not asked a second time."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(2)
        endpoint = check_url(f"http://mon.localhost:{listener.getsockname()[1]}")
        with pytest.raises(Exception, match="no complete answer"):
            ask(endpoint, "/", {}, token=Secret(""), within_s=0.2, resolver=lambda *_: next(answers))
        line, _ = listener.accept()
        with line:
            assert b"Host: mon.localhost:" in line.recv(2000)
    assert next(answers) == ["169.254.169.254"]


def test_a_token_goes_over_https_or_stays_on_this_machine() -> None:
    with pytest.raises(InputError, match="https where a token is sent"):
        ask(check_url("http://10.0.0.1:9090"), "/", {}, token=Secret("t"), within_s=0.1)


def test_public_and_private_addresses_are_none_of_the_refused() -> None:
    for text in (
        "8.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "2a00:1450::1",
        "fd00::1",
        "64:ff9b::808:808",
    ):
        address = literal(text)
        assert address is not None
        assert address_problem(address, local=False) is None, text
