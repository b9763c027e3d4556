"""The catalogue as a folder of YAML documents: OpenSLO v1 plus our own kinds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from forecasting.adapters._catalogue_checks import agreement_problems, find_cycle, reference_problems
from forecasting.adapters._catalogue_documents import READERS, Reader
from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._fields import Fields, listed, nearest
from forecasting.adapters._input_file import inside, read_stable
from forecasting.adapters._planned_parts import hierarchy_problems
from forecasting.adapters._strict_yaml import MAX_BYTES, Node, decode_yaml, json_as_yaml, parse_yaml
from forecasting.adapters.openslo import VERSIONS, prepare, repeated_names, unused_indicators
from forecasting.terms.catalogue import Catalogue, Notice
from forecasting.terms.errors import CatalogueError, ForecastingError, InputError
from forecasting.terms.history import Metric

_SHARED_NAMES = {
    "SLO": "SLO",
    "Agreement": "agreement",
    "Service": "service",
    "Customer": "customer",
    "Calendar": "calendar",
    "Resource": "resource",
    "HorizonDriver": "horizon driver",
}
_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(kw_only=True)
class _Document:
    """A document whose kind is known."""

    file: str
    kind: str
    name: str
    display: str
    reader: Reader
    metadata: Fields
    top: Fields


class YamlFolder:
    """Catalogue source: every ``*.yaml``, ``*.yml`` and ``*.json`` file below a folder.

    A file holds one document, several, or a list of them; what OpenSLO documents are read like is told in
    `forecasting.adapters.openslo`.

    Parameters
    ----------
    folder : Path
        The folder, or one file.
    metrics : mapping or None
        The project's metrics by name; no other may be used. None = documents without a project: any name may be used.
    currency : str or None
        The project's currency; amounts in another one are refused.
    name : str
        Name of the catalogue; the folder's own where empty.
    strict : bool
        Whether OpenSLO documents must keep the reference rules; otherwise breaches that can be read in one sensible way
        are `Catalogue.notices`.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> text = "apiVersion: openslo/v1\\nkind: Service\\nmetadata: {name: shop}\\nspec: {description: Web shop}"
    >>> _ = (folder / "shop.yaml").write_text(text)
    >>> YamlFolder(folder, {}).load().services["shop"].description
    'Web shop'
    """

    def __init__(
        self,
        folder: Path,
        metrics: Mapping[str, Metric] | None,
        *,
        currency: str | None = None,
        name: str = "",
        strict: bool = False,
    ) -> None:
        self.folder, self.metrics, self.currency = folder, metrics or {}, currency
        self.any_metric = metrics is None
        self.name, self.strict = name or folder.name, strict

    def load(self) -> Catalogue:
        """Return the catalogue.

        Raises
        ------
        CatalogueError
            With every problem found in any file, in the order of the files.
        """
        draft = Draft(metrics=self.metrics, currency=self.currency, strict=self.strict)
        contents = self._read(draft.problems)
        documents = [
            document
            for file, nodes in contents
            for node in nodes
            for one in (node.items if node.kind == "list" else [node])
            for document in _identify(one, file, draft)
        ]
        declared = _declared(documents, draft)
        for api_kind in READERS:
            for document in documents:
                if document.kind == api_kind[1]:
                    document.reader(draft, document.name, document.display, document.metadata, document.top)
        unused_indicators(draft)
        known: dict[str, Collection[str]] = {
            **declared,
            "service": declared["service"] | set(draft.services),
            "metric": set(self.metrics) | set(draft.outside_metrics) | self._undeclared(draft),
            "alert policy": set(draft.alert_policies) | {n for k, n in draft.damaged if k == "AlertPolicy"},
        }
        draft.problems += reference_problems(draft.references, known)
        draft.problems += _left_out(draft)
        draft.problems += _repeated(draft, documents)
        draft.problems += _cycles(draft, documents)
        draft.problems += agreement_problems(draft)
        draft.problems += hierarchy_problems(draft)
        order = {file: index for index, (file, _) in enumerate(contents)}
        if draft.problems:
            draft.problems.sort(key=lambda p: (order.get(p.file or "", -1), p.line or 0))
            raise CatalogueError.of(draft.problems)
        plain = [[file, [node.plain() for node in nodes]] for file, nodes in contents]
        canonical = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return Catalogue(
            name=self.name,
            services=draft.services,
            metrics={**draft.outside_metrics, **self.metrics},
            objectives=tuple(objective for group in draft.objectives.values() for objective in group),
            agreements=tuple(draft.agreements.values()),
            resources=tuple(draft.resources.values()),
            drivers=draft.drivers,
            customers=draft.customers,
            covariates=tuple(draft.covariates.values()),
            version=hashlib.sha256(canonical.encode()).hexdigest(),
            calendars=draft.calendars,
            scenarios=tuple(draft.scenarios.values()),
            alert_policies=draft.alert_policies,
            alert_conditions=draft.alert_conditions,
            notification_targets=draft.notification_targets,
            data_sources=draft.data_sources,
            queries=tuple(draft.queries.values()),
            events=tuple(draft.events.values()),
            hierarchies=tuple(draft.hierarchies.values()),
            measures=tuple(draft.measures.values()),
            horizon_drivers=tuple(draft.horizon_drivers.values()),
            notices=tuple(sorted(draft.notices, key=lambda n: (order.get(n.file, -1), n.line or 0))),
        )

    def _undeclared(self, draft: Draft) -> set[str]:
        """Return the metrics that are used without being declared, where there is no project to declare them."""
        return {r.name for r in draft.references if r.kind == "metric"} if self.any_metric else set()

    def _read(self, problems: list[ForecastingError]) -> list[tuple[str, list[Node]]]:
        """Return the documents of each file, sorted by name."""
        root, alone = (self.folder.parent, self.folder.name) if self.folder.is_file() else (self.folder, "")
        if not root.is_dir():
            raise _whole(str(root.name), "no such folder", "the catalogue's folder", "correct `catalogue:`")
        names = (
            [alone]
            if alone
            else sorted(
                path.relative_to(root).as_posix()
                for path in root.rglob("*")
                if path.suffix in _SUFFIXES and not path.is_dir()
            )
        )
        if not names:
            raise _whole(self.folder.name, "no *.yaml file", "at least one document", "add a Service document")
        contents = []
        for name in names:
            shown = name if alone else f"{root.name}/{name}"
            try:
                data = read_stable(inside(root, name, file=shown), shown=shown, largest=MAX_BYTES)
                text = decode_yaml(data, file=shown)
                nodes, found = parse_yaml(json_as_yaml(text) if name.endswith(".json") else text, file=shown)
            except InputError as problem:
                nodes, found = [], [problem]
            problems += found
            contents.append((shown, nodes))
        return contents


def _whole(file: str, came: str, allowed: str, try_instead: str) -> CatalogueError:
    """Make the error for a folder that cannot be read at all."""
    problem = InputError(argument="catalogue", came=came, allowed=allowed, try_instead=try_instead, file=file)
    return CatalogueError.of([problem])


def _identify(node: Node, file: str, draft: Draft) -> list[_Document]:
    """Find out what a document is and what it is called; a document of an OpenSLO draft may be several."""
    problems = draft.problems
    if node.kind != "map":
        came, allowed = node.shown(), "a mapping with apiVersion, kind, metadata and spec"
        problem = InputError(
            argument="document", came=came, allowed=allowed, try_instead="kind: Service", file=file, line=node.line
        )
        problems.append(problem)
        return []
    before = len(problems)
    top = Fields(node, "", file, problems, list(node.fields))
    kinds = [kind for _, kind in READERS]
    kind = top.scalar("kind", " | ".join(kinds), required=True)
    if kind is None or kind not in kinds:
        if kind is not None:
            top.note("kind", kind, listed(kinds, 20), nearest(kind, kinds) or "Service")
        return []
    api, reader = next((api, reader) for (api, name), reader in READERS.items() if name == kind)
    versions = VERSIONS if api in VERSIONS else (api,)
    version = top.scalar("apiVersion", " | ".join(versions), required=True)
    if version is None or version not in versions:
        if version is not None:
            top.note("apiVersion", version, " | ".join(versions), api)
        # Read on as the current version: a document is better told all its problems at once.
        version = api
    if api in VERSIONS:
        return [
            _Document(
                file=file,
                kind=kind,
                name=one.name,
                display=one.display,
                reader=reader,
                metadata=one.metadata,
                top=one.top,
            )
            for one in prepare(draft, node, kind=kind, version=version, file=file)
        ]
    top = Fields(node, "", file, problems, ["apiVersion", "kind", "metadata", "spec"])
    metadata = top.mapping("metadata", ["name", "displayName", "annotations", "labels"], required=True)
    if metadata is None:
        return []
    name, display = metadata.name("name"), metadata.text("displayName", longest=200)
    metadata.mapping("annotations", list(_keys(metadata, "annotations")))
    if len(problems) > before and not name:
        return []
    return [_Document(file=file, kind=kind, name=name, display=display, reader=reader, metadata=metadata, top=top)]


def _keys(fields: Fields, name: str) -> tuple[str, ...]:
    """Return the keys a mapping has (people may annotate as they like)."""
    node = fields.node.fields.get(name)
    return tuple(node.fields) if node is not None and node.fields else ("key",)


def _declared(documents: list[_Document], draft: Draft) -> dict[str, set[str]]:
    """Return the declared names by kind, dropping documents that declare a name again."""
    first: dict[tuple[str, str], _Document] = {}
    dropped: list[_Document] = []
    for document in documents:
        other = first.setdefault((document.kind, document.name), document)
        if other is document:
            continue
        dropped.append(document)
        line = other.metadata.line("name")
        place = f"{other.file}:{line}"
        if document.kind == "Service" and _said(document) == _said(other):
            message = f"the Service '{document.name}' is declared alike at {place}; this one is not used"
            draft.notices.append(
                Notice(rule="declared-twice", file=document.file, line=document.metadata.line("name"), message=message)
            )
            continue
        allowed = f"one {document.kind} of that name (first at {place})"
        document.metadata.note("name", document.name, allowed, "rename or remove one of the two")
    gone = {id(document) for document in dropped}
    documents[:] = [document for document in documents if id(document) not in gone]
    known: dict[str, set[str]] = {word: set() for word in _SHARED_NAMES.values()}
    for kind, name in first:
        if kind in _SHARED_NAMES:
            known[_SHARED_NAMES[kind]].add(name)
    return known


def _said(document: _Document) -> tuple[object, ...]:
    """Return what of a Service document is used: labels and others' annotations are not."""
    notes = document.metadata.node.fields.get("annotations")
    ours = {k: n.plain() for k, n in notes.fields.items() if k.startswith("forecasting/")} if notes else {}
    spec = document.top.node.fields.get("spec")
    described = spec.fields.get("description") if spec is not None else None
    return document.display, ours, described.plain() if described is not None else None


def _left_out(draft: Draft) -> list[ForecastingError]:
    """Refuse agreements that rest on an SLO that could not be read to the end."""
    return [
        InputError(
            argument=reference.path,
            came=reference.name,
            allowed=f"an SLO that can be judged ({draft.left_out[reference.name]})",
            try_instead="complete the SLO, or write the indicator here",
            file=reference.file,
            line=reference.line,
        )
        for reference in draft.references
        if reference.kind == "SLO" and reference.name in draft.left_out
    ]


def _repeated(draft: Draft, documents: list[_Document]) -> list[ForecastingError]:
    """Refuse two SLO documents that give an objective of the same name (the second target of `a` is `a-2`)."""
    problems: list[ForecastingError] = []
    for name in repeated_names(draft):
        at = next((d for d in documents if d.kind == "SLO" and d.name == name), None)
        if at is None:
            owner = next(slo for slo, group in draft.objectives.items() if any(o.name == name for o in group))
            at = next(d for d in documents if d.kind == "SLO" and d.name == owner)
        problems.append(
            InputError(
                argument="metadata.name",
                came=name,
                allowed="a name that no target of another SLO has (targets are called NAME, NAME-2, ...)",
                try_instead=f"{name}-slo"[:63],
                file=at.file,
                line=at.metadata.line("name"),
            )
        )
    return problems


def _cycles(draft: Draft, documents: list[_Document]) -> list[ForecastingError]:
    """Refuse services that depend on themselves and agreements that rely on themselves, showing the path."""
    graphs = {
        "Service": (
            "metadata.annotations.forecasting/depends-on",
            {s.name: s.depends_on for s in draft.services.values()},
        ),
        "Agreement": ("spec.reliesOn", {a.id: a.relies_on for a in draft.agreements.values()}),
    }
    problems: list[ForecastingError] = []
    for kind, (path, edges) in graphs.items():
        cycle = find_cycle(edges)
        if cycle is None:
            continue
        at = next(d for d in documents if d.kind == kind and d.name == cycle[0])
        came = " -> ".join(cycle)
        problems.append(
            InputError(
                argument=path,
                came=came,
                allowed="no cycle",
                try_instead="remove one of these links",
                file=at.file,
                line=at.metadata.line("name"),
            )
        )
    return problems
