"""Two small shops whose months turn out well and badly by turns: a workspace that `watch` evaluates within a second."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from conftest import QUICK_MODELS

FIRST = date(2026, 9, 1)
QUICK = ("--paths", "200", "--jobs", "1", "--no-ingest")
"""Rows are in the store already, up to the day that is asked for."""

PROJECT = """\
apiVersion: forecasting/v1
kind: Project
metadata: {name: shops}
spec:
  organisation: Shops
  currency: EUR
  zone: UTC
  catalogue: catalogue
  metrics:
    orders: {kind: count, unit: orders, step: 1d}
    orders_in_time: {kind: count, unit: orders, step: 1d}
  sources:
    - {name: shops, path: metrics.csv, layout: wide, metrics: [orders, orders_in_time]}
  notifiers:
"""
FILE = "    - {name: file, kind: json_lines, path: notices.jsonl}\n"
_SERVICE = """\
apiVersion: openslo/v1
kind: Service
metadata: {name: %(name)s}
spec: {description: A shop.}
---
apiVersion: forecasting/v1
kind: DemandDriver
metadata: {name: %(name)s-orders}
spec: {service: %(name)s, metric: orders}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-%(name)s}
spec:
  kind: SLA
  service: %(name)s
  customer: sales
  provider: it
  promise: At least %(target)s %% of the orders of a month are sent in time.
  validFrom: 2026-01-01
  currency: EUR
  objectives:
    - name: %(name)s-in-time
      targetPercent: %(target)s
      indicator: {ratio: {good: orders_in_time, total: orders}}
      window: {calendar: month, zone: UTC}
---
"""


def rows(days: int) -> list[str]:
    """Return the CSV lines of the first days; those of one day never depend on how many there are."""
    rng = np.random.default_rng(5)
    found = ["service,at,orders,orders_in_time"]
    swing = rng.normal(0, 0.01, (2, 800))
    for number in range(days):
        day = FIRST + timedelta(days=number)
        for n, (name, level) in enumerate((("north", 0.05), ("south", 0.045))):
            orders = 400 + 40 * (day.weekday() < 5) + 10 * n
            late = min(max(level + swing[n, number] + 0.02 * np.sin(number / 9 + 2 * n), 0), 1)
            found.append(f"{name},{day}T00:00:00Z,{orders},{orders - round(orders * late)}")
    return found


def make_shops(folder: Path, days: int, *notifiers: str) -> Path:
    """Make the workspace with the rows of the first days."""
    (folder / "catalogue").mkdir(parents=True)
    services = "".join(_SERVICE % {"name": n, "target": t} for n, t in (("north", "95"), ("south", "95.5")))
    customer = "apiVersion: forecasting/v1\nkind: Customer\nmetadata: {name: sales}\nspec: {displayName: Sales}\n"
    (folder / "catalogue" / "shops.yaml").write_text(services + customer, encoding="utf-8")
    (folder / "forecasting.yaml").write_text(PROJECT + "".join(notifiers or (FILE,)), encoding="utf-8")
    (folder / "metrics.csv").write_text("\n".join(rows(days)) + "\n", encoding="utf-8")
    return folder


def day_of(number: int) -> str:
    """Return the day after so many days of data."""
    return (FIRST + timedelta(days=number)).isoformat()


_QUICK_PROCESS = f"""
import sys
from forecasting.terms.settings import Settings
Settings.__init__.__kwdefaults__["models"] = {QUICK_MODELS!r}
from forecasting.cli import main
main(sys.argv[1:])
"""


def begin(*arguments: object, out: Path | None = None) -> subprocess.Popen[str]:
    """Begin the command line in a process of its own, with the quick models; its output goes to a file, if named.

    Nobody reads the pipe of one that runs on: it would fill up.
    """
    line = [sys.executable, "-c", _QUICK_PROCESS, *map(str, arguments)]
    threads = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with contextlib.ExitStack() as stack:
        stdout = subprocess.PIPE if out is None else stack.enter_context(out.open("w", encoding="utf-8"))
        return subprocess.Popen(line, stdout=stdout, stderr=subprocess.PIPE, text=True, env=threads)


class Forked:
    """The command line in a process of its own that has every library already: what a test begins and ends often.

    What it says goes to ``out`` and ``out.err``, where a file is named.
    """

    def __init__(self, *arguments: object, out: Path | None = None) -> None:
        context = multiprocessing.get_context("fork")
        self._err = None if out is None else out.with_name(out.name + ".err")
        self._process = context.Process(target=_run_and_end, args=([str(a) for a in arguments], out, self._err))
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """As of Popen: minus the signal's number where it was killed."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return how it ended; None where it has not."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal; one that has ended gets none."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end and return what it said on standard error."""
        self._process.join(timeout)
        return "", "" if self._err is None else self._err.read_text(encoding="utf-8")


def _run_and_end(arguments: list[str], out: Path | None, err: Path | None) -> None:
    """Run the command line in a forked process."""
    from forecasting.cli import main

    null = Path(os.devnull)
    with (out or null).open("w", buffering=1) as stdout, (err or null).open("w", buffering=1) as stderr:
        sys.stdout, sys.stderr = stdout, stderr
        main(arguments)


@dataclass
class Hook:
    """A receiver of webhooks that keeps every request it answered with 200, in order."""

    status: int = 200
    keys: list[str] = field(default_factory=list)
    """Idempotency keys in the order in which they came; one may come again after a crash."""
    refused: int = 0
    before_answer: Callable[[], None] | None = None
    after_answer: Callable[[], None] | None = None
    server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Hook:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if hook.status == 200:
                    hook.keys.append(self.headers["Idempotency-Key"])
                else:
                    hook.refused += 1
                if hook.before_answer is not None:
                    hook.before_answer()
                try:
                    self.send_response(hook.status)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")
                except OSError:
                    return  # the sender was killed
                if hook.after_answer is not None:
                    hook.after_answer()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}/in"

    @property
    def line(self) -> str:
        """The project file's line for it."""
        return f"    - {{name: hook, kind: webhook, url: '{self.url}'}}\n"

    @property
    def once(self) -> list[str]:
        """Notices in the order in which they came first."""
        return list(dict.fromkeys(self.keys))


def ask(port: int, path: str) -> tuple[int, str]:
    """Return status and text of a question to this machine; 0 where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except ConnectionRefusedError:
        return 0, ""
    finally:
        connection.close()
