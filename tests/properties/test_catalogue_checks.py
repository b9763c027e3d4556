"""Cycles are found exactly where there are some, and no damage to a catalogue ends in anything but a clear refusal."""

from __future__ import annotations

import random
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from forecasting.adapters._catalogue_checks import find_cycle
from forecasting.adapters.catalogues import YamlFolder
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import CatalogueError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
try:
    from test_catalogue_invalid import FILES, METRICS
finally:
    sys.path.pop(0)


def reaches_itself(edges: dict[str, set[str]]) -> bool:
    """Oracle: the transitive closure by repeated joining has a node that reaches itself."""
    reach = {node: set(following) for node, following in edges.items()}
    for middle in edges:
        for node in edges:
            if middle in reach[node]:
                reach[node] |= reach[middle]
    return any(node in reach[node] for node in edges)


def test_cycles_of_1000_random_graphs_agree_with_the_closure() -> None:
    chance = random.Random(7)
    cyclic = 0
    for _ in range(1000):
        size = chance.randint(1, 9)
        nodes = [f"n{k}" for k in range(size)]
        density = chance.choice([0.05, 0.12, 0.25])
        edges = {a: {b for b in nodes if chance.random() < density} for a in nodes}
        found = find_cycle(edges)
        assert (found is not None) == reaches_itself(edges), edges
        if found is not None:
            cyclic += 1
            assert found[0] == found[-1]
            assert all(b in edges[a] for a, b in pairwise(found)), (edges, found)
            assert len(set(found)) == len(found) - 1
    assert 200 < cyclic < 800


def damaged(text: str, chance: random.Random) -> str:
    """Return the text with one damage that a person or a tool could do."""
    lines = text.splitlines()
    at = chance.randrange(len(lines))
    word = chance.choice(
        ["", "[]", "{}", "null", "-1", "99.9%", "1e99", "2026-02-30", "'", "&a", "*a", "[[]]", "no", "x" * 300]
    )
    match chance.randrange(6):
        case 0:
            del lines[at]
        case 1:
            lines[at] = "  " + lines[at]
        case 2:
            key, colon, _ = lines[at].partition(":")
            lines[at] = f"{key}{colon} {word}"
        case 3:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        case 4:
            start = chance.randrange(max(1, len(lines[at])))
            lines[at] = lines[at][:start] + word + lines[at][start + 1 :]
        case _:
            parts = lines[at].split(",")
            chance.shuffle(parts)
            lines[at] = ",".join(parts[: chance.randint(1, len(parts))])
    return "\n".join(lines) + "\n"


def loaded(folder: Path) -> Catalogue | CatalogueError:
    """Return the catalogue or what is wrong with it; any other exception is a failure of the test."""
    try:
        return YamlFolder(folder, METRICS, currency="EUR").load()
    except CatalogueError as error:
        return error


@pytest.mark.parametrize("count", [120, pytest.param(3000, marks=pytest.mark.nightly)])
def test_a_damaged_catalogue_loads_or_is_refused_with_a_place_and_a_way_out(tmp_path: Path, count: int) -> None:
    chance = random.Random(11)
    refused = 0
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    for _ in range(count):
        name = chance.choice(sorted(FILES))
        (tmp_path / name).write_text(damaged(FILES[name], chance))
        found = loaded(tmp_path)
        if not isinstance(found, Catalogue):
            refused += 1
            assert all(p.file and p.allowed and p.try_instead and p.argument for p in found.problems), found
        (tmp_path / name).write_text(FILES[name])
    assert refused > count / 2
