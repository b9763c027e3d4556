"""The sources of a project file: which fields each kind has, and that no secret stands in them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal, cast
from urllib.parse import parse_qsl, urlsplit

from forecasting.adapters._fields import Fields, listed, nearest
from forecasting.adapters._input_file import inside
from forecasting.adapters._service_time_parts import read_instant
from forecasting.terms.errors import InputError
from forecasting.terms.project import QuerySpec, SourceSpec
from forecasting.terms.ticket import TICKET_COLUMNS

Kind = Literal["file", "tickets", "sql", "prometheus", "openmetrics"]

_ROWS = ("layout", "columns", "metrics", "zone", "duplicates")
_SERVER = ("url", "urlEnv", "since", "overlap")
SOURCE_FIELDS: dict[str, tuple[str, ...]] = {
    "file": ("name", "kind", "path", *_ROWS, "corrections"),
    "tickets": ("name", "kind", "path", "columns", "zone", "corrections"),
    "sql": ("name", "kind", *_SERVER, "query", *_ROWS, "corrections"),
    "prometheus": ("name", "kind", *_SERVER, "tokenEnv", "queries", "zone", "corrections"),
    "openmetrics": ("name", "kind", "path", "columns", "metrics", "zone", "duplicates", "queries", "corrections"),
}
"""Fields by kind of source, one line a kind."""

COLUMNS = {
    "long": ("service", "metric", "at", "value"),
    "wide": ("service", "at"),
    "tickets": (*TICKET_COLUMNS, "paused_from", "paused_until"),
}
QUERY_FIELDS = ("metric", "query", "service", "serviceLabel", "cumulative")
_EVERY = tuple(dict.fromkeys(name for names in SOURCE_FIELDS.values() for name in names))
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_SECRET = re.compile(r"pass(word|wd)?|pwd|secret|token|api[-_]?key|access[-_]?key|auth|credential|sig(nature)?", re.I)
_ENV_HINT = "put it into an environment variable and name that"


def read_sources(
    spec: Fields, root: Path, metrics: Collection[str], suffixes: tuple[str, ...] | None
) -> tuple[SourceSpec, ...]:
    """Read where the rows are."""
    sources: dict[str, SourceSpec] = {}
    for fields in spec.mappings("sources", _EVERY, required=True):
        kind = cast(Kind, fields.choice("kind", list(SOURCE_FIELDS), default="file") or "file")
        for key in fields.node.fields:
            if key in _EVERY and key not in SOURCE_FIELDS[kind]:
                fits = [other for other, names in SOURCE_FIELDS.items() if key in names]
                allowed = f"a field of kind {kind} ({', '.join(SOURCE_FIELDS[kind])})"
                fields.note(key, key, allowed, f"remove it (it belongs to kind {' or '.join(fits)})",
                            fields.node.key_lines[key])  # fmt: skip
        name = fields.name("name")
        if name in sources:
            fields.note("name", name, "a name used once", f"{name}-2")
        sources[name] = _source(fields, kind, name, root, metrics, suffixes)
    return tuple(sources.values())


def _source(
    fields: Fields, kind: Kind, name: str, root: Path, metrics: Collection[str], suffixes: tuple[str, ...] | None
) -> SourceSpec:
    """Read one source, whose kind is known."""
    has = SOURCE_FIELDS[kind]
    path = read_path(fields, "path", root) if "path" in has else ""
    if kind in ("file", "tickets") and path and suffixes is not None and not path.endswith(suffixes):
        fields.note("path", path, "a file ending in " + " or ".join(suffixes), "convert it to CSV or Parquet")
    layout = fields.choice("layout", ["long", "wide"], default="long") if "layout" in has else "long"
    layout = layout or "long"
    wanted = fields.words("metrics", required=layout == "wide") if "metrics" in has else []
    for metric, line in wanted:
        _known_metric(fields, "metrics", metric, metrics, line)
    duplicates = fields.choice("duplicates", ["refuse", "last", "mean", "max"], default="refuse")
    corrections = fields.choice("corrections", ["refuse", "restate"], default="refuse")
    url, url_env = _address(fields, kind) if "url" in has else ("", "")
    overlap = fields.duration("overlap") if "overlap" in has else None
    return SourceSpec(
        name=name,
        path=path,
        kind=kind,
        url=url,
        url_env=url_env,
        token_env=read_env(fields, "tokenEnv") if "tokenEnv" in has else "",
        query=_query(fields) if "query" in has else "",
        queries=_queries(fields, metrics, required=kind == "prometheus") if "queries" in has else (),
        since=read_instant(fields, "since") if "since" in has else None,
        overlap=timedelta(hours=1) if overlap is None else overlap,
        corrections=cast(Literal["refuse", "restate"], corrections or "refuse"),
        layout=cast(Literal["long", "wide"], layout),
        columns=_columns(fields, kind, layout, metrics) if "columns" in has else {},
        metrics=tuple(metric for metric, _ in wanted),
        zone=fields.zone("zone"),
        duplicates=cast(Literal["refuse", "last", "mean", "max"], duplicates or "refuse"),
    )


def _known_metric(fields: Fields, key: str, metric: str, metrics: Collection[str], line: int) -> None:
    """Note a metric that the project does not declare."""
    if metric not in metrics:
        allowed = f"a metric declared under spec.metrics ({listed(metrics)})"
        fields.note(key, metric, allowed, nearest(metric, metrics) or f"declare {metric}", line)


def _address(fields: Fields, kind: Kind) -> tuple[str, str]:
    """Read where a server is: a URL without secrets, or the environment variable that holds it."""
    if fields.has("url") == fields.has("urlEnv"):
        came = "url and urlEnv" if fields.has("url") else None
        fields.note("url", came, "exactly one of url and urlEnv", "urlEnv: NAME_OF_A_VARIABLE")
        return "", ""
    if fields.has("urlEnv"):
        return "", read_env(fields, "urlEnv")
    web = kind == "prometheus"
    allowed = "a URL such as http://127.0.0.1:9090" if web else "a URL such as postgresql://db.example.org/metrics"
    text = fields.scalar("url", allowed, required=True) or ""
    try:
        parts = urlsplit(text)
        named = [key for key, _ in parse_qsl(parts.query) if _SECRET.search(key)]
        password, user = parts.password, parts.username
    except ValueError:
        fields.note("url", "a text that is no URL", allowed, "correct it")
        return "", ""
    if password is not None or named or (web and user is not None):
        place = ", ".join(named) or ("a password" if password is not None else "a user")
        fields.note("url", f"a URL with {place} in it", "a URL without secrets", f"{_ENV_HINT} with urlEnv")
        return "", ""
    fits = parts.scheme in ("http", "https") and bool(parts.hostname) if web else bool(parts.scheme) and "://" in text
    if not fits or len(text) > 2000 or any(ord(c) <= 32 for c in text):
        fields.note("url", text, allowed, "http://127.0.0.1:9090" if web else "sqlite:///metrics.db")
        return "", ""
    return text, ""


def read_env(fields: Fields, key: str) -> str:
    """Read the name of an environment variable; what looks like a secret instead is not shown."""
    allowed = "the name of an environment variable: letters, digits and _"
    found = fields.scalar(key, allowed, required=False)
    if found is None:
        return ""
    if not _ENV.fullmatch(found):
        fields.note(key, f"{len(found)} characters that are no such name", allowed, _ENV_HINT)
        return ""
    return found


def _query(fields: Fields) -> str:
    """Read the SELECT of an SQL source."""
    text = fields.text("query", required=True, longest=20_000)
    if text.strip() and not re.match(r"\s*(select|with)\b", text, re.IGNORECASE):
        fields.note("query", text, "one SELECT", "SELECT service, metric, at, value FROM ... WHERE at >= :since")
    return text


def _queries(fields: Fields, metrics: Collection[str], *, required: bool) -> tuple[QuerySpec, ...]:
    """Read the queries to a server; none of them stands for those of the catalogue."""
    node = fields.node.fields.get("queries")
    if node is not None and node.kind == "text":
        if node.text != "catalogue":
            fields.note("queries", node.text, "a list of queries, or catalogue", "queries: catalogue")
        return ()
    found: list[QuerySpec] = []
    for query in fields.mappings("queries", QUERY_FIELDS, required=required):
        metric, text = query.text("metric", required=True), query.text("query", required=True, longest=20_000)
        if metric:
            _known_metric(query, "metric", metric, metrics, query.line("metric"))
        if query.has("service") == query.has("serviceLabel"):
            came = "service and serviceLabel" if query.has("service") else None
            query.note("service", came, "exactly one of service and serviceLabel", "serviceLabel: app")
        service, label = query.name("service", required=False), query.text("serviceLabel", longest=200)
        running = query.flag("cumulative", default=False)
        found.append(QuerySpec(metric=metric, query=text, service=service, service_label=label, cumulative=running))
    return tuple(found)


def _columns(fields: Fields, kind: Kind, layout: str, metrics: Collection[str]) -> Mapping[str, str]:
    """Read the file's names of our columns; of OpenMetrics text, the label of the service and each metric's sample."""
    ours = COLUMNS["tickets" if kind == "tickets" else layout]
    if kind == "openmetrics":
        ours = ("service", *(name for name in metrics if name != "service"))
    table = fields.mapping("columns", ours)
    if table is None:
        return {}
    named = {column: table.text(column, required=True) for column in ours if column in table.node.fields}
    # One sample may become two metrics, such as one of hours and one of days.
    for column, theirs in named.items() if kind != "openmetrics" else ():
        if list(named.values()).count(theirs) > 1:
            table.note(column, theirs, "a different column of the file for each of ours", "correct the names")
            break
    return named


def read_path(fields: Fields, key: str, root: Path) -> str:
    """Read a path that must stay inside the workspace."""
    text = fields.text(key, required=True, longest=500)
    if text.strip():
        try:
            inside(root, text, argument=f"{fields.path}.{key}", file=fields.file, line=fields.line(key))
        except InputError as problem:
            fields.problems.append(problem)
            return ""
    return text
