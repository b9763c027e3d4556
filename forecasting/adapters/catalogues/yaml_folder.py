"""The catalogue as a folder of YAML documents: OpenSLO v1 plus our own kinds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from forecasting.adapters._catalogue_checks import find_cycle, reference_problems
from forecasting.adapters._catalogue_documents import READERS, UNSUPPORTED_KINDS, Reader
from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._fields import Fields, listed, nearest
from forecasting.adapters._input_file import inside, read_stable
from forecasting.adapters._strict_yaml import MAX_BYTES, Node, decode_yaml, parse_yaml
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import CatalogueError, ForecastingError, InputError
from forecasting.terms.history import Metric

_SHARED_NAMES = {"SLO": "SLO", "Agreement": "agreement", "Service": "service", "Customer": "customer"}


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
    """Catalogue source: every ``*.yaml`` and ``*.yml`` file below a folder.

    Parameters
    ----------
    folder : Path
        The folder.
    metrics : mapping
        The project's metrics by name; no other may be used.
    currency : str or None
        The project's currency; amounts in another one are refused.
    name : str
        Name of the catalogue; the folder's own where empty.

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
        self, folder: Path, metrics: Mapping[str, Metric], *, currency: str | None = None, name: str = ""
    ) -> None:
        self.folder, self.metrics, self.currency = folder, metrics, currency
        self.name = name or folder.name

    def load(self) -> Catalogue:
        """Return the catalogue.

        Raises
        ------
        CatalogueError
            With every problem found in any file, in the order of the files.
        """
        draft = Draft(metrics=self.metrics, currency=self.currency)
        contents = self._read(draft.problems)
        documents = [
            found
            for file, nodes in contents
            for node in nodes
            if (found := _identify(node, file, draft.problems)) is not None
        ]
        declared = _declared(documents)
        for api_kind in READERS:
            for document in documents:
                if document.kind == api_kind[1]:
                    document.reader(draft, document.name, document.display, document.metadata, document.top)
        known = {**declared, "metric": set(self.metrics)}
        draft.problems += reference_problems(draft.references, known)
        draft.problems += _cycles(draft, documents)
        if draft.problems:
            order = {file: index for index, (file, _) in enumerate(contents)}
            draft.problems.sort(key=lambda p: (order.get(p.file or "", -1), p.line or 0))
            raise CatalogueError.of(draft.problems)
        plain = [[file, [node.plain() for node in nodes]] for file, nodes in contents]
        canonical = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return Catalogue(
            name=self.name,
            services=draft.services,
            metrics=dict(self.metrics),
            objectives=tuple(objective for group in draft.objectives.values() for objective in group),
            agreements=tuple(draft.agreements.values()),
            resources=tuple(draft.resources.values()),
            drivers=draft.drivers,
            customers=draft.customers,
            covariates=tuple(draft.covariates.values()),
            version=hashlib.sha256(canonical.encode()).hexdigest(),
        )

    def _read(self, problems: list[ForecastingError]) -> list[tuple[str, list[Node]]]:
        """Return the documents of each file, sorted by name."""
        if not self.folder.is_dir():
            raise _whole(str(self.folder.name), "no such folder", "the catalogue's folder", "correct `catalogue:`")
        names = sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.suffix in (".yaml", ".yml") and not path.is_dir()
        )
        if not names:
            raise _whole(self.folder.name, "no *.yaml file", "at least one document", "add a Service document")
        contents = []
        for name in names:
            shown = f"{self.folder.name}/{name}"
            try:
                data = read_stable(inside(self.folder, name, file=shown), shown=shown, largest=MAX_BYTES)
                nodes, found = parse_yaml(decode_yaml(data, file=shown), file=shown)
            except InputError as problem:
                nodes, found = [], [problem]
            problems += found
            contents.append((shown, nodes))
        return contents


def _whole(file: str, came: str, allowed: str, try_instead: str) -> CatalogueError:
    """Make the error for a folder that cannot be read at all."""
    problem = InputError(argument="catalogue", came=came, allowed=allowed, try_instead=try_instead, file=file)
    return CatalogueError.of([problem])


def _identify(node: Node, file: str, problems: list[ForecastingError]) -> _Document | None:
    """Find out what a document is and what it is called."""
    if node.kind != "map":
        came, allowed = node.shown(), "a mapping with apiVersion, kind, metadata and spec"
        problem = InputError(
            argument="document", came=came, allowed=allowed, try_instead="kind: Service", file=file, line=node.line
        )
        problems.append(problem)
        return None
    before = len(problems)
    top = Fields(node, "", file, problems, ["apiVersion", "kind", "metadata", "spec"])
    kinds = [kind for _, kind in READERS]
    kind = top.scalar("kind", " | ".join(kinds), required=True)
    if kind in UNSUPPORTED_KINDS:
        top.note("kind", kind, listed(kinds), "remove the document (this kind is not supported yet)")
    elif kind is not None and kind not in kinds:
        top.note("kind", kind, listed(kinds), nearest(kind, kinds) or "Service")
    if kind not in kinds:
        return None
    api, reader = next((api, reader) for (api, name), reader in READERS.items() if name == kind)
    version = top.scalar("apiVersion", api, required=True)
    if version is not None and version != api:
        top.note("apiVersion", version, api, api)
    metadata = top.mapping("metadata", ["name", "displayName", "annotations", "labels"], required=True)
    if metadata is None:
        return None
    name, display = metadata.name("name"), metadata.text("displayName", longest=200)
    metadata.mapping("annotations", list(_keys(metadata, "annotations")))
    if len(problems) > before and not name:
        return None
    return _Document(file=file, kind=kind, name=name, display=display, reader=reader, metadata=metadata, top=top)


def _keys(fields: Fields, name: str) -> tuple[str, ...]:
    """Return the keys a mapping has (people may annotate as they like)."""
    node = fields.node.fields.get(name)
    return tuple(node.fields) if node is not None and node.fields else ("key",)


def _declared(documents: list[_Document]) -> dict[str, set[str]]:
    """Return the declared names by kind, dropping documents that declare a name again."""
    first: dict[tuple[str, str], _Document] = {}
    for document in list(documents):
        other = first.setdefault((document.kind, document.name), document)
        if other is not document:
            line = other.metadata.line("name")
            allowed = f"one {document.kind} of that name (first at {other.file}:{line})"
            document.metadata.note("name", document.name, allowed, "rename or remove one of the two")
            documents.remove(document)
    known: dict[str, set[str]] = {word: set() for word in _SHARED_NAMES.values()}
    for kind, name in first:
        if kind in _SHARED_NAMES:
            known[_SHARED_NAMES[kind]].add(name)
    return known


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
