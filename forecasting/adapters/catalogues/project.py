"""The project file of a workspace, ``forecasting.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal, cast

from forecasting.adapters._fields import Fields
from forecasting.adapters._input_file import read_stable
from forecasting.adapters._notifier_parts import Form, read_notifiers
from forecasting.adapters._source_parts import read_env, read_path, read_sources
from forecasting.adapters._strict_yaml import MAX_BYTES, decode_yaml, parse_yaml
from forecasting.terms.errors import CatalogueError, ForecastingError, InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import Project

FILE_NAME = "forecasting.yaml"

_METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,119}")
_DAY = timedelta(days=1)
PROJECT_FIELDS = (
    "organisation", "currency", "zone", "catalogue", "mode", "storeUrlEnv", "metrics", "sources", "notifiers"
)  # fmt: skip


def read_project(path: Path, *, suffixes: tuple[str, ...] | None, forms: Mapping[str, Form]) -> Project:
    """Read the project file; see `forecasting.adapters.catalogues.load_project`.

    Parameters
    ----------
    path : Path
        ``forecasting.yaml``, or the folder it is in (the workspace).
    suffixes : tuple of str or None
        Endings of the files that a source can be; None leaves that to the sources.
    forms : mapping
        Kinds of notifiers and the fields of each.

    Raises
    ------
    CatalogueError
        With every problem found.
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
    project = _project(top, file.parent, suffixes, forms)
    if problems:
        problems.sort(key=lambda p: p.line or 0)
        raise CatalogueError.of(problems)
    return project


def _project(top: Fields, root: Path, suffixes: tuple[str, ...] | None, forms: Mapping[str, Form]) -> Project:
    """Read metadata and spec."""
    metadata = top.mapping("metadata", ["name", "displayName", "labels"], required=True)
    spec = top.mapping("spec", PROJECT_FIELDS, required=True)
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
        catalogue=read_path(spec, "catalogue", root),
        metrics=metrics,
        sources=read_sources(spec, root, metrics, suffixes),
        currency=currency,
        zone=spec.zone("zone"),
        mode=cast(Literal["lenient", "strict"], spec.choice("mode", ["lenient", "strict"], default="lenient")),
        store_url_env=read_env(spec, "storeUrlEnv"),
        notifiers=read_notifiers(spec, root, forms),
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
