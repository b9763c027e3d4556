"""Checks of a catalogue as a whole: every name that is used is declared, and nothing depends on itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from forecasting.adapters._catalogue_draft import Reference
from forecasting.adapters._fields import listed, nearest
from forecasting.terms.errors import ForecastingError, InputError


def reference_problems(references: list[Reference], known: Mapping[str, Collection[str]]) -> list[ForecastingError]:
    """Return a problem for each name that is not declared, with the nearest one that is.

    Parameters
    ----------
    references : list of Reference
        Names used, with where.
    known : mapping
        Declared names by kind.

    Examples
    --------
    >>> used = Reference(kind="service", name="shp", file="a.yaml", line=3, path="spec.service")
    >>> print(reference_problems([used], {"service": ["shop"]})[0])
    a.yaml:3: spec.service: got 'shp'; allowed: a declared service (shop); try: shop
    """
    problems: list[ForecastingError] = []
    for reference in references:
        names = known[reference.kind]
        if reference.name in names:
            continue
        problems.append(
            InputError(
                argument=reference.path,
                came=reference.name,
                allowed=f"a declared {reference.kind} ({listed(names)})",
                try_instead=nearest(reference.name, names) or f"declare the {reference.kind}",
                file=reference.file,
                line=reference.line,
            )
        )
    return problems


def find_cycle(edges: Mapping[str, Collection[str]]) -> tuple[str, ...] | None:
    """Return a path that ends where it began, or None where there is no cycle.

    Examples
    --------
    >>> find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]})
    ('b', 'c', 'b')
    >>> find_cycle({"a": ["b"], "b": []}) is None
    True
    """
    done: set[str] = set()
    for start in sorted(edges):
        path: list[str] = []
        waiting = [(start, iter(sorted(edges.get(start, ()))))] if start not in done else []
        on_path = {start} if waiting else set()
        path = [start] if waiting else []
        while waiting:
            node, following = waiting[-1]
            step = next(following, None)
            if step is None:
                waiting.pop()
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif step in on_path:
                return (*path[path.index(step) :], step)
            elif step not in done:
                waiting.append((step, iter(sorted(edges.get(step, ())))))
                path.append(step)
                on_path.add(step)
    return None
