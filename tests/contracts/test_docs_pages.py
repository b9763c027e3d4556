"""Links, code names and numbers in the documentation lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        ROOT / "notebooks" / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "models").rglob("*.md"),
    ]
)
CODE = sorted((ROOT / "forecasting").rglob("*.py"))


def plain(path: Path) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", plain(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", plain(page)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_paths_in_the_text_exist(page: Path) -> None:
    example = "seasonal_mean.md"  # the card a reader of CONTRIBUTING.md writes
    for path in re.findall(r"`((?:forecasting|docs|models|tests|examples|notebooks)/[\w./-]*)`", plain(page)):
        if not path.endswith(example) and "five-first-changes" not in path:
            made = any(f"file `{path}`" in line for line in plain(page).splitlines())
            assert made or (ROOT / path).exists(), f"{page.name}: {path}"


def names_of_the_code() -> set[str]:
    """Every class, function, attribute, constant and string key of a table in the package."""
    found: set[str] = set()
    for file in CODE:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                found.add(node.value)
    return found


def test_the_glossary_names_code_that_exists() -> None:
    known = names_of_the_code()
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", plain(ROOT / "docs" / "glossary.md"), re.MULTILINE)
    assert len(rows) > 60
    for term, where in rows:
        for name in re.findall(r"`([^`]+)`", where):
            if name.startswith("--") or name.endswith(".py"):
                continue
            for part in name.split("."):
                assert part in known | {file.stem for file in CODE}, f"{term}: {name}"


def test_glossary_terms_are_there_once_and_cover_the_practice() -> None:
    text = plain(ROOT / "docs" / "glossary.md")
    terms = [term.strip() for term in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE) if term.strip("- ")]
    terms = [term for term in terms if term != "Term"]
    assert len(terms) == len(set(terms))
    words = (
        "service level|sli|slo|sla|ola|uc|slr|error budget|burn rate|attainment|breach|near miss|workload limit"
        "|service hours|exclusion|service credit|headroom|lead time|order-by date|need-by date|demand driver|scenario"
        "|proposal|early warning|coverage|calibration|forecast value added|data cut-off|signpost|watermelon|window"
        "|period|as-of|own|fleet|carry|conformal|do-nothing case"
    )
    for word in re.split(r"\|", words):
        assert any(word in term.lower() for term in terms), word


def test_every_decision_has_its_five_parts() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{n:04d}" for n in range(1, len(pages) + 1)]
    for page in pages:
        heads = re.findall(r"^## (.+)$", plain(page), re.MULTILINE)
        assert heads == ["Context", "Options that differ in kind", "Decision", "Consequences", "How it was measured"]
        options = plain(page).split("## Options that differ in kind")[1].split("## Decision")[0]
        assert len(re.findall(r"^\d\. \*\*", options, re.MULTILINE)) >= 3, f"{page.name}: options that differ in kind"


def test_principles_are_fifteen_rows() -> None:
    rows = re.findall(r"^\| (\d+) \|", plain(ROOT / "docs" / "principles.md"), re.MULTILINE)
    assert rows == [str(n) for n in range(1, 16)]


def test_daily_quantiles_do_not_add_up_but_paths_do() -> None:
    """The claim of decision 0002, in numbers."""
    days, paths, z90 = 30, 200_000, 1.2815515655446004
    draws = np.random.default_rng(2).standard_normal((paths, days))
    total = draws.sum(axis=1)
    summed = days * z90
    assert (total > summed).mean() < 1e-4, "independent days: the sum of daily 90 % quantiles is hardly ever passed"
    assert abs((total > np.quantile(total, 0.9)).mean() - 0.1) < 1e-3
    same = draws[:, :1].repeat(days, axis=1).sum(axis=1)
    assert abs((same > summed).mean() - 0.1) < 5e-3, "identical days: only then do quantiles add up"


def test_nothing_of_this_machine_is_written() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(work|home|root|tmp|Users)/", text), page.name
