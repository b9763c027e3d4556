"""Starts a real Prometheus on loopback for tests, with a history of which every sample is known."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
MISSING = (
    ""
    if PROMETHEUS and PROMTOOL
    else "the Debian package `prometheus` (programs prometheus and promtool) is not installed"
)


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    port: int

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"


def free_port() -> int:
    """Return a port of loopback that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path, openmetrics: Iterable[str], *options: str) -> Iterator[Running]:
    """Backfill a data directory with OpenMetrics text, start Prometheus on it, and end that process afterwards."""
    assert PROMETHEUS is not None, MISSING
    assert PROMTOOL is not None, MISSING
    text, data, log = folder / "history.om", folder / "data", folder / "log.txt"
    with text.open("w", encoding="utf-8") as stream:
        stream.writelines(line + "\n" for line in openmetrics)
    backfill = [
        PROMTOOL,
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--max-block-duration=744h",
        str(text),
        str(data),
    ]
    done = subprocess.run(backfill, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    config = folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1h}\n", encoding="utf-8")
    for _ in range(3):  # a port found free can be taken before the server has it
        port = free_port()
        command = [
            PROMETHEUS,
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            *options,
        ]
        with log.open("ab") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            if _ready(server, port):
                yield Running(port)
                return
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    raise RuntimeError("Prometheus did not start:\n" + log.read_text(encoding="utf-8", errors="replace")[-2000:])


def _ready(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server says that it is ready; False where it ended."""
    end = time.monotonic() + 60
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end and server.poll() is None:
        try:
            with direct.open(f"http://127.0.0.1:{port}/-/ready", timeout=2) as answer:
                if answer.status == 200:
                    return True
        except OSError:
            time.sleep(0.05)
    return False
