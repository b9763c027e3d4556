"""Starts a real Prometheus that scrapes one address every second, with rules, and asks it."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_server import PROMETHEUS, Running, free_port

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Scraper:
    """A server that scrapes."""

    port: int

    def get(self, path: str, **question: str) -> Any:
        """Return the data of an answer of the API."""
        address = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(question)}"
        with DIRECT.open(address, timeout=10) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and values of an instant query."""
        found = self.get("/api/v1/query", query=expression)["result"]
        return [(row["metric"], float(row["value"][1])) for row in found]

    def wait(self, holds: Callable[[], object], within_s: float = 30.0) -> None:
        """Wait until something holds."""
        end = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < end, self.get("/api/v1/targets")
            time.sleep(0.1)


@contextmanager
def scraping(folder: Path, address: str, *, rules: Path) -> Iterator[Scraper]:
    """Start Prometheus on an empty data directory, scraping ``address`` (host:port), and end it afterwards."""
    assert PROMETHEUS is not None
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "forecasting", "static_configs": [{"targets": [address]}]}],
    }
    file, log = folder / "prometheus.yml", folder / "log.txt"
    file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    for _ in range(3):  # a port found free can be taken before the server has it
        port = free_port()
        command = [
            PROMETHEUS,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with log.open("ab") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            if ready(server, port):
                yield Scraper(port)
                return
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    raise RuntimeError("Prometheus did not start:\n" + log.read_text(encoding="utf-8", errors="replace")[-2000:])


def ready(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server says that it is ready; False where it ended."""
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            with DIRECT.open(f"{Running(port).url}/-/ready", timeout=2) as answer:
                if answer.status == 200:
                    return True
        except OSError:
            time.sleep(0.05)
    return False
