"""Starts a real Alertmanager on loopback for tests, which notifies a webhook of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_server import free_port

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
MISSING = "" if ALERTMANAGER else "the Debian package `prometheus-alertmanager` is not installed"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

CONFIG = """\
route:
  receiver: all
  group_by: [notifier, service, objective, window]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
  routes:
    - {{matchers: ['notifier="page"'], receiver: pager}}
receivers:
  - {{name: all, webhook_configs: [{{url: "{url}/all", send_resolved: true}}]}}
  - {{name: pager, webhook_configs: [{{url: "{url}/pager", send_resolved: true}}]}}
inhibit_rules: []
"""


@dataclass(frozen=True)
class Running:
    """An Alertmanager that answers."""

    port: int

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"

    def alerts(self) -> list[dict[str, Any]]:
        """Its own view: the alerts that fire now."""
        with DIRECT.open(f"{self.url}/api/v2/alerts", timeout=10) as answer:
            found = json.load(answer)
        assert isinstance(found, list)
        return found


@contextmanager
def running(folder: Path, notify: str, *, port: int = 0) -> Iterator[Running]:
    """Start Alertmanager with its notifications going to `notify`, and end that process afterwards; 0 = any port."""
    assert ALERTMANAGER is not None, MISSING
    folder.mkdir(parents=True, exist_ok=True)
    config, log = folder / "alertmanager.yml", folder / "log.txt"
    config.write_text(CONFIG.format(url=notify), encoding="utf-8")
    for _ in range(3):  # a port found free can be taken before the server has it
        at = port or free_port()
        command = [
            ALERTMANAGER,
            f"--config.file={config}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{at}",
            "--cluster.listen-address=",
        ]
        with log.open("ab") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder)
        try:
            if _ready(server, at):
                yield Running(at)
                return
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
    raise RuntimeError("Alertmanager did not start:\n" + log.read_text(encoding="utf-8", errors="replace")[-2000:])


def _ready(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server says that it is ready; False where it ended."""
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            with DIRECT.open(f"http://127.0.0.1:{port}/-/ready", timeout=2) as answer:
                if answer.status == 200:
                    return True
        except OSError:
            time.sleep(0.05)
    return False
