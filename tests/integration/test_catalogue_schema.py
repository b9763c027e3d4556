"""The JSON Schema of the catalogue: what the loader takes passes it, and it knows every field the readers know."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from forecasting.adapters._catalogue_documents import READERS
from forecasting.adapters._catalogue_fields import BLOCKS
from forecasting.adapters._strict_yaml import Node, decode_yaml, parse_yaml
from forecasting.adapters.catalogue_schema import catalogue_schema

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCHEMA = catalogue_schema()


def plain(node: Node) -> Any:
    """Return what an editor's YAML 1.2 reader makes of a node."""
    if node.kind == "map":
        return {key: plain(value) for key, value in node.fields.items()}
    if node.kind == "list":
        return [plain(item) for item in node.items]
    if node.kind == "number":
        return int(node.text) if re.fullmatch(r"[-+]?[0-9]+", node.text) else float(node.text)
    return {"null": None, "bool": node.text.lower() == "true"}.get(node.kind, node.text)


def wrong(value: Any, schema: dict[str, Any], at: str = "") -> str | None:
    """Say where a value breaks a schema: as much of JSON Schema as the catalogue's uses, written anew."""
    if "$ref" in schema:
        return wrong(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], at)
    for key in ("oneOf", "anyOf"):
        if key in schema:
            passed = [s for s in schema[key] if wrong(value, s, at) is None]
            if not passed or (key == "oneOf" and len(passed) != 1):
                return f"{at}: {len(passed)} of {key}"
    if "const" in schema and value != schema["const"]:
        return f"{at}: not {schema['const']}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{at}: {value!r} not in {schema['enum']}"
    types = schema.get("type", [])
    tests = {
        "object": isinstance(value, dict), "array": isinstance(value, list), "string": isinstance(value, str),
        "boolean": isinstance(value, bool), "null": value is None,
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, (int, float)) and not isinstance(value, bool),
    }  # fmt: skip
    if types and not any(tests[kind] for kind in ([types] if isinstance(types, str) else types)):
        return f"{at}: {value!r} is not {types}"
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        return f"{at}: {value!r} does not match {schema['pattern']}"
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                return f"{at}: {name} is missing"
        for name, item in value.items():
            own = schema.get("properties", {}).get(name)
            rest = schema.get("additionalProperties", True)
            if own is None and rest is False:
                return f"{at}: {name} is not known"
            inner = own if own is not None else rest if isinstance(rest, dict) else {}
            found = wrong(item, inner, f"{at}.{name}")
            if found:
                return found
    if isinstance(value, list):
        for index, item in enumerate(value):
            found = wrong(item, schema.get("items", {}), f"{at}[{index}]")
            if found:
                return found
    return None


def kind_schema(document: dict[str, Any]) -> dict[str, Any]:
    return next(s for s in SCHEMA["oneOf"] if s["title"] == document["kind"])


def documents(folder: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("*.yaml")):
        nodes, problems = parse_yaml(decode_yaml(path.read_bytes(), file=path.name), file=path.name)
        assert problems == []
        found += [plain(node) for node in nodes]
    return found


@pytest.mark.parametrize("example", ["airports", "meridian"])
def test_every_document_of_the_examples_passes(example: str) -> None:
    found = documents(EXAMPLES / example / "catalogue")
    assert len(found) > 30
    for document in found:
        assert wrong(document, kind_schema(document), document["metadata"]["name"]) is None
    assert wrong(found[0], SCHEMA) is None


def test_every_field_of_the_invalid_table_s_catalogue_passes() -> None:
    import sys

    sys.path.insert(0, str(Path(__file__).parent))
    try:
        from test_catalogue_invalid import FILES
    finally:
        sys.path.pop(0)
    for file, text in FILES.items():
        for node in parse_yaml(text, file=file)[0]:
            document = plain(node)
            assert wrong(document, kind_schema(document), document["metadata"]["name"]) is None


def test_typos_and_wrong_types_fail() -> None:
    found = documents(EXAMPLES / "meridian" / "catalogue")
    agreement = next(d for d in found if d["metadata"]["name"] == "sla-web-shop")
    changes: list[dict[str, Any]] = [
        {"povider": "x"}, {"kind": "SLO"}, {"validFrom": "1.1.2026"}, {"confidential": "yes"}, {"grace": "5"},
        {"objectives": "none"}, {"reliesOn": [{"agreement": "x"}]}, {"credits": {"tiers": []}},
    ]  # fmt: skip
    for change in changes:
        broken = copy.deepcopy(agreement)
        broken["spec"] |= change
        assert wrong(broken, kind_schema(broken)) is not None, change


def test_schema_and_readers_know_the_same_kinds() -> None:
    kinds = {(s["properties"]["apiVersion"]["const"], s["title"]) for s in SCHEMA["oneOf"]}
    assert kinds == set(READERS)
    assert {name for name in BLOCKS if name[0].isupper()} == {kind for api, kind in READERS if api == "forecasting/v1"}


def test_it_is_a_valid_schema_for_other_tools() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    document = documents(EXAMPLES / "meridian" / "catalogue")[0]
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
