"""Real servers for tests: a PostgreSQL of its own on a free loopback port, stopped at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NO_POSTGRES = "no PostgreSQL server is installed (Debian: apt-get install postgresql)"
STATE: dict[str, PostgresServer] = {}


def postgres_binaries() -> Path | None:
    """Return the folder of initdb and postgres, the newest version's; None where there is none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: int(folder.parent.name) if folder.parent.name.isdigit() else 0,
        reverse=True,
    )
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        said = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        found.append(Path(said.stdout.strip()))
    on_path = shutil.which("postgres")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    return next((f for f in found if (f / "postgres").exists() and (f / "initdb").exists()), None)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class PostgresServer:
    """A running server; every database of it needs the password."""

    folder: Path
    binaries: Path
    password: str = field(default_factory=lambda: secrets.token_hex(12), repr=False)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    databases: int = 0

    @property
    def account(self) -> dict[str, Any]:
        """Who runs it: PostgreSQL refuses to be run by root."""
        if os.geteuid() != 0:
            return {}
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def create(self) -> None:
        """Make the data folder."""
        account = self.account
        if account:
            os.chown(self.folder, account["user"], account["group"])
        secret = self.folder / "password"
        secret.write_text(self.password)
        if account:
            os.chown(secret, account["user"], account["group"])
        self._run("initdb", "-D", self.folder / "data", "-U", "admin", "--auth=scram-sha-256",
                  f"--pwfile={secret}", "--encoding=UTF8", "--locale=C", "--no-sync")  # fmt: skip

    def _run(self, name: str, *arguments: object) -> None:
        line = [str(self.binaries / name), *map(str, arguments)]
        subprocess.run(line, check=True, capture_output=True, cwd=self.folder, **self.account)

    def start(self, *options: str) -> None:
        """Start it on a free port and wait until it answers; after `stop`, on the same port."""
        for _ in range(5):
            self.port = self.port or free_port()
            line = [self.binaries / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-h", "127.0.0.1"]
            settings = [f"unix_socket_directories={self.folder}", "max_connections=60", "fsync=off", *options]
            flags = [part for setting in settings for part in ("-c", setting)]
            with (self.folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [*map(str, line), *flags], cwd=self.folder, stdout=log, stderr=log, **self.account
                )
            if self._answers():
                return
            self.stop()
            self.port = 0
        raise RuntimeError((self.folder / "log").read_text()[-2000:])

    def _answers(self) -> bool:
        import psycopg

        assert self.process is not None
        end = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < end:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.Error:
                time.sleep(0.05)
            else:
                return True
        return False

    def stop(self, *, quickly: bool = False) -> None:
        """Stop it by its own process id: first asking, then not; quickly = without tidying up."""
        if self.process is None:
            return
        first = signal.SIGQUIT if quickly else signal.SIGINT
        for how, seconds in ((first, 20), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
            if self.process.poll() is not None:
                break
            self.process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self.process = None

    def url(self, database: str = "postgres", *, user: str = "admin", password: str | None = None) -> str:
        """Return the address of one of its databases."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements as the administrator; the rows of the last one."""
        import psycopg

        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def empty_database(self, name: str) -> str:
        """Make a database, or take everything out of one that is there; quicker than a new one for each test."""
        if not self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            self.execute(f"CREATE DATABASE {name}")
            return name
        ours = "nspname = 'public' OR nspname LIKE 'forecasting%'"
        for (schema,) in self.execute(f"SELECT nspname FROM pg_namespace WHERE {ours}", database=name):
            self.execute(f"DROP SCHEMA {schema} CASCADE", database=name)
        self.execute("CREATE SCHEMA public", database=name)
        return name

    def new_database(self) -> str:
        """Make an empty database and return its name."""
        self.databases += 1
        name = f"test_{self.databases}"
        self.execute(f"CREATE DATABASE {name}")
        return name


def start_postgres() -> PostgresServer:
    """Start a new server in a temporary folder of its own; skip the test where PostgreSQL is not installed."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip(NO_POSTGRES)
    # Not below pytest's own folders: those are closed to the account that runs the server.
    server = PostgresServer(folder=Path(tempfile.mkdtemp(prefix="pg-")), binaries=binaries)
    try:
        server.create()
        server.start()
    except BaseException:
        remove(server)
        raise
    return server


def remove(server: PostgresServer) -> None:
    """Stop a server at once and remove its folder."""
    server.stop(quickly=True)
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One running server for the whole session, also where several test files import this fixture."""
    if "shared" not in STATE:
        STATE["shared"] = start_postgres()
    yield STATE["shared"]
    if "shared" in STATE:
        remove(STATE.pop("shared"))


class CutProxy:
    """Passes bytes to a server; while `cuts` is above 0, closes the connection at a message that holds a word."""

    def __init__(self, port: int, *, word: bytes, forward: bool) -> None:
        self.target, self.word, self.forward, self.cuts = port, word, forward, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])

    def __enter__(self) -> CutProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, from_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if from_client and self.cuts and self.word in data:
                    self.cuts -= 1
                    source.shutdown(socket.SHUT_RDWR)  # the client hears nothing more
                    if self.forward:
                        target.sendall(data)
                        time.sleep(0.2)
                    break
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
