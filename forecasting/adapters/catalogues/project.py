"""The project file of a workspace, ``forecasting.yaml``."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal, cast

from forecasting.adapters._fields import Fields, listed, nearest
from forecasting.adapters._input_file import inside, read_stable
from forecasting.adapters._strict_yaml import MAX_BYTES, decode_yaml, parse_yaml
from forecasting.terms.errors import CatalogueError, ForecastingError, InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import Project, SourceSpec

FILE_NAME = "forecasting.yaml"

_METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,119}")
_DAY = timedelta(days=1)
_COLUMNS = {"long": ("service", "metric", "at", "value"), "wide": ("service", "at")}


def load_project(path: Path, *, suffixes: tuple[str, ...] | None = None) -> Project:
    """Read the project file.

    Parameters
    ----------
    path : Path
        ``forecasting.yaml``, or the folder it is in (the workspace).
    suffixes : tuple of str or None
        Endings of the files that a source can be; None leaves that to the sources.

    Returns
    -------
    Project
        With paths relative to the file's folder, none of them leading out of it.

    Raises
    ------
    CatalogueError
        With every problem found.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "forecasting.yaml").write_text('''
    ... apiVersion: forecasting/v1
    ... kind: Project
    ... metadata: {name: shop}
    ... spec:
    ...   organisation: Shop
    ...   currency: EUR
    ...   catalogue: catalogue
    ...   metrics: {orders: {kind: count, unit: orders, step: 1h}}
    ...   sources: [{name: orders, path: orders.csv}]
    ... ''')
    >>> load_project(folder).sources[0].layout
    'long'
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        data = read_stable(file, shown=file.name, largest=MAX_BYTES)
        documents, found = parse_yaml(decode_yaml(data, file=file.name), file=file.name)
    except InputError as error:
        raise CatalogueError.of([error]) from error
    problems: list[ForecastingError] = list(found)
    if len(documents) != 1 or documents[0].kind != "map":
        came = f"{len(documents)} documents" if len(documents) != 1 else documents[0].shown()
        problem = InputError(
            argument="document",
            came=came,
            allowed="one document of kind Project",
            try_instead="forecasting init",
            file=file.name,
            line=1,
        )
        raise CatalogueError.of([*problems, problem])
    top = Fields(documents[0], "", file.name, problems, ["apiVersion", "kind", "metadata", "spec"])
    top.choice("apiVersion", ["forecasting/v1"])
    top.choice("kind", ["Project"])
    project = _project(top, file.parent, suffixes)
    if problems:
        problems.sort(key=lambda p: p.line or 0)
        raise CatalogueError.of(problems)
    return project


def _project(top: Fields, root: Path, suffixes: tuple[str, ...] | None) -> Project:
    """Read metadata and spec."""
    metadata = top.mapping("metadata", ["name", "displayName", "labels"], required=True)
    known = ["organisation", "currency", "zone", "catalogue", "metrics", "sources"]
    spec = top.mapping("spec", known, required=True)
    name = metadata.name("name") if metadata else ""
    if spec is None:
        return Project(name=name, organisation="", catalogue="", metrics={}, sources=())
    currency = spec.scalar("currency", "an ISO 4217 code such as EUR", required=False) or "EUR"
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
        spec.note("currency", currency, "an ISO 4217 code such as EUR", "EUR")
    metrics = _metrics(spec)
    return Project(
        name=name,
        organisation=spec.text("organisation", longest=200) or name,
        catalogue=_path(spec, "catalogue", root),
        metrics=metrics,
        sources=_sources(spec, root, metrics, suffixes),
        currency=currency,
        zone=spec.zone("zone"),
    )


def _metrics(spec: Fields) -> dict[str, Metric]:
    """Read what the numbers mean."""
    node = spec.node.fields.get("metrics")
    names = list(node.fields) if node is not None and node.kind == "map" else []
    table = spec.mapping("metrics", names or ["name"], required=True)
    metrics: dict[str, Metric] = {}
    for name in names if table else []:
        assert table is not None
        if not _METRIC.fullmatch(name):
            allowed = "a letter, then letters, digits and _ . : - (at most 120)"
            table.note(name, name, allowed, re.sub(r"[^A-Za-z0-9_.:-]+", "_", name)[:120] or "a name")
        fields = table.mapping(name, ["kind", "unit", "step", "description"], required=True)
        if fields is None:
            continue
        kind = fields.choice("kind", [kind.value for kind in MetricKind])
        step = fields.duration("step") or timedelta(hours=1)
        if step % _DAY if step >= _DAY else _DAY % step:
            text = fields.node.fields["step"].text
            fields.note("step", text, "a part of a day such as 5m, 15m, 1h, or whole days", "1h or 1d")
        metrics[name] = Metric(
            name=name,
            kind=MetricKind(kind or "real"),
            unit=fields.text("unit", longest=60),
            step=step,
            description=fields.text("description"),
        )
    return metrics


def _sources(
    spec: Fields, root: Path, metrics: dict[str, Metric], suffixes: tuple[str, ...] | None
) -> tuple[SourceSpec, ...]:
    """Read where the rows are."""
    known = ["name", "path", "layout", "columns", "metrics", "zone", "duplicates"]
    sources: dict[str, SourceSpec] = {}
    for fields in spec.mappings("sources", known, required=True):
        name, path = fields.name("name"), _path(fields, "path", root)
        if path and suffixes is not None and not path.endswith(suffixes):
            fields.note("path", path, "a file ending in " + " or ".join(suffixes), "convert it to CSV or Parquet")
        layout = fields.choice("layout", ["long", "wide"], default="long") or "long"
        wanted = fields.words("metrics", required=layout == "wide")
        for metric, line in wanted:
            if metric not in metrics:
                allowed = f"a metric declared under spec.metrics ({listed(metrics)})"
                fields.note("metrics", metric, allowed, nearest(metric, metrics) or f"declare {metric}", line)
        if name in sources:
            fields.note("name", name, "a name used once", f"{name}-2")
        sources[name] = SourceSpec(
            name=name,
            path=path,
            layout=cast(Literal["long", "wide"], layout),
            columns=_columns(fields, layout),
            metrics=tuple(metric for metric, _ in wanted),
            zone=fields.zone("zone"),
            duplicates=cast(
                Literal["refuse", "last", "mean", "max"],
                fields.choice("duplicates", ["refuse", "last", "mean", "max"], default="refuse") or "refuse",
            ),
        )
    return tuple(sources.values())


def _columns(fields: Fields, layout: str) -> dict[str, str]:
    """Read the file's names of our columns."""
    ours = _COLUMNS[layout]
    table = fields.mapping("columns", ours)
    if table is None:
        return {}
    named = {column: table.text(column, required=True) for column in ours if column in table.node.fields}
    for column, theirs in named.items():
        if list(named.values()).count(theirs) > 1:
            table.note(column, theirs, "a different column of the file for each of ours", "correct the names")
            break
    return named


def _path(fields: Fields, key: str, root: Path) -> str:
    """Read a path that must stay inside the workspace."""
    text = fields.text(key, required=True, longest=500)
    if text.strip():
        try:
            inside(root, text, argument=f"{fields.path}.{key}", file=fields.file, line=fields.line(key))
        except InputError as problem:
            fields.problems.append(problem)
            return ""
    return text
