"""Writes the tables of docs/reference.md from the code, between its markers; ``--check`` only compares.

``python docs/build.py`` rewrites the file and says whether it changed; ``python docs/build.py --check`` exits 1 where
the file is not what the code says. Text outside the markers is never touched.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference.md"
ABSENT = "*Not in this version.*"

TABLES: dict[str, tuple[str, str, str]] = {
    "demand-models": ("forecasting.forecasts.models", "MODELS", "Demand model"),
    "capacity-models": ("forecasting.capacity.models", "CAPACITY_MODELS", "Capacity model"),
    "proposal-kinds": ("forecasting.proposals.kinds", "KINDS", "Proposal kind"),
    "report-sections": ("forecasting.reports.sections", "SECTIONS", "Report section"),
    "sources": ("forecasting.adapters.sources", "SOURCES", "History source"),
    "catalogues": ("forecasting.adapters.catalogues", "CATALOGUES", "Catalogue source"),
    "metric-stores": ("forecasting.adapters.store", "METRIC_STORES", "Metric store"),
    "ledgers": ("forecasting.adapters.store", "LEDGERS", "Ledger"),
    "report-sinks": ("forecasting.adapters.sinks", "RENDERED_SINKS", "Report sink"),
    "frame-sinks": ("forecasting.adapters.sinks", "FRAME_SINKS", "Frame sink"),
    "notifiers": ("forecasting.adapters.notifiers", "NOTIFIERS", "Notifier"),
    "executors": ("forecasting.adapters.executors", "EXECUTORS", "Executor"),
    "model-logs": ("forecasting.adapters.model_log", "MODEL_LOGS", "Model log"),
    "clocks": ("forecasting.adapters.clock", "CLOCKS", "Clock"),
}
"""Block of the reference → module, table in it, title of its first column."""


def blocks() -> dict[str, str]:
    """Return the Markdown of every block by name."""
    found = {name: item_table(*where) for name, where in TABLES.items()}
    return found | {"metric-kinds": metric_kinds(), "settings": settings(), "commands": commands()}


def item_table(module_name: str, attribute: str, title: str) -> str:
    """Return the table of a folder's items: name, what it is, where it is; `ABSENT` where there is no such table."""
    table = getattr(importlib.import_module(module_name), attribute, None)
    if not table:
        return ABSENT
    entries = table.items() if isinstance(table, Mapping) else [(label(item), item) for item in table]
    rows = []
    for name, item in entries:
        summary, file = describe(item)
        plain = not isinstance(table, Mapping) and not hasattr(item, "name")
        rows.append((name if plain else f"`{name}`", summary, f"`{file}`"))
    return markdown((title, "What it is", "File"), rows)


def label(item: object) -> str:
    """Return the name of an item of a tuple: its `name`, or number and title of a section."""
    name = getattr(item, "name", None)
    return str(name) if name else f"{getattr(item, 'number', '')} {getattr(item, 'title', '')}".strip()


def describe(item: object) -> tuple[str, str]:
    """Return the first sentence of an item's docstring and the file it is in.

    An item is a class, an instance, a function or ``module:Name``, which is read without importing the module, because
    that may import a heavy library. Where its docstring does not say more than its name, the module's does.
    """
    if isinstance(item, str):
        module_name, _, attribute = item.partition(":")
    else:
        named = item if inspect.isclass(item) or inspect.isfunction(item) else type(item)
        module_name, attribute = named.__module__, named.__qualname__
    path = ROOT.joinpath(*module_name.split(".")).with_suffix(".py")
    if not path.is_file():
        path = path.with_suffix("") / "__init__.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name == attribute]
    own = ast.get_docstring(nodes[0]) if nodes and isinstance(nodes[0], ast.ClassDef) else None
    text = own if own and len(own.split("\n\n")[0]) > len("Section 13.") else ast.get_docstring(tree) or own or ""
    return first_paragraph(text), path.relative_to(ROOT).as_posix()


def first_paragraph(text: str) -> str:
    """Return the first paragraph of a docstring on one line, without the number of a section."""
    line = re.sub(r"^Section \d+: ", "", " ".join(text.split("\n\n")[0].split()))
    return line[:1].upper() + line[1:]


def attribute_docs(module_name: str, class_name: str) -> dict[str, str]:
    """Return the docstrings that follow the attributes of a class, by attribute."""
    path = ROOT.joinpath(*module_name.split(".")).with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = next(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == class_name)
    found: dict[str, str] = {}
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name):
                value = following.value if isinstance(following, ast.Expr) else None
                found[target.id] = first_paragraph(str(value.value)) if isinstance(value, ast.Constant) else ""
    return found


def metric_kinds() -> str:
    """Return the table of metric kinds with their bounds."""
    from forecasting.terms.history import MetricKind

    docs = attribute_docs("forecasting.terms.history", "MetricKind")
    rows = []
    for kind in MetricKind:
        low, high = ("none" if bound is None else f"{bound:g}" for bound in kind.bounds)
        rows.append((f"`{kind.value}`", docs[kind.name], low, high))
    return markdown(("Kind", "What it is", "Smallest", "Largest"), rows)


def settings() -> str:
    """Return the table of settings with their defaults."""
    from forecasting.terms.settings import Settings

    docs = attribute_docs("forecasting.terms.settings", "Settings")
    rows = [(f"`{f.name}`", f"`{shown(f.default)}`", docs.get(f.name, "")) for f in dataclasses.fields(Settings)]
    return markdown(("Setting", "Default", "What it is"), rows)


def shown(value: object) -> str:
    """Return a default as a person writes it."""
    if isinstance(value, timedelta):
        return f"{value / timedelta(days=1):g} d" if value >= timedelta(days=1) else f"{value / timedelta(hours=1):g} h"
    if isinstance(value, tuple):
        return ", ".join(shown(v) for v in value)
    if isinstance(value, Enum):
        return str(value.value)
    return str(value)


def commands() -> str:
    """Return the table of commands and their options, `ABSENT` before there is a command line."""
    try:
        cli = importlib.import_module("forecasting.cli")
    except ModuleNotFoundError as error:
        if error.name != "forecasting.cli":
            raise
        return ABSENT
    app = getattr(cli, "app", None)
    if app is None:
        return ABSENT
    import typer

    top = typer.main.get_command(app)
    rows = []
    named = []
    for name, command in getattr(top, "commands", {}).items():
        inner = getattr(command, "commands", None)
        named += [(name, command)] if inner is None else [(f"{name} {sub}", one) for sub, one in inner.items()]
    for name, command in named:
        if command.hidden:
            continue
        options = [p.opts[0] for p in command.params if p.param_type_name == "option" and p.opts[0] != "--help"]
        arguments = [f"{(p.name or '').upper()}" for p in command.params if p.param_type_name == "argument"]
        usage = " ".join(["forecasting", name, *arguments])
        rows.append((f"`{usage}`", first_paragraph(command.help or ""), " ".join(f"`{o}`" for o in options)))
    return markdown(("Command", "What it does", "Options"), rows)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    Double back-ticks of docstrings become single ones, and a bar inside a cell is escaped.
    """
    cells = [[cell.replace("``", "`").replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in cells])


def fill(text: str, contents: Mapping[str, str]) -> str:
    """Return `text` with every block between its markers replaced.

    Raises
    ------
    SystemExit
        Where a block has no markers in the text, or markers name a block that does not exist.
    """
    pattern = re.compile(r"(<!-- begin: ([a-z-]+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)
    named = [m.group(2) for m in pattern.finditer(text)]
    wrong = sorted(set(named) ^ set(contents)) or sorted({n for n in named if named.count(n) > 1})
    if wrong:
        raise SystemExit(f"markers of docs/reference.md: {', '.join(wrong)}: each block of docs/build.py exactly once")
    return pattern.sub(lambda m: f"{m.group(1)}{contents[m.group(2)]}\n{m.group(3)}", text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite or check the reference; return the exit code."""
    parser = argparse.ArgumentParser(description="tables of docs/reference.md from the code")
    parser.add_argument("--check", action="store_true", help="exit 1 where the file is stale, write nothing")
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="another copy of the file")
    options = parser.parse_args(arguments)
    before = options.reference.read_text(encoding="utf-8")
    after = fill(before, blocks())
    if options.check:
        sys.stdout.write("current\n" if before == after else "stale: run make docs\n")
        return int(before != after)
    if before != after:
        options.reference.write_text(after, encoding="utf-8")
    sys.stdout.write("unchanged\n" if before == after else "rewritten\n")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
