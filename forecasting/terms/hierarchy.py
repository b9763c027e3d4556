"""Which series add up to which: a tree or grouping of series, and what its reconciliation did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NodeKey: TypeAlias = tuple[str, str] | str
"""A node: (service, metric name), or a plain name."""

NodeT = TypeVar("NodeT", bound=NodeKey)
"""The keys of one mapping: mappings of names and of (service, metric name) are both taken."""

ReconcileMethod: TypeAlias = Literal["bottom_up", "ols", "wls_variance", "mint_shrink"]
"""bottom_up: aggregates are the sums of the bottom. The others move every node as little as possible until all add up:
ols counts all nodes alike, wls_variance trusts the accurate ones more, mint_shrink also uses how they err together."""

Dependence: TypeAlias = Literal["back_test_errors", "as_given", "independence_assumed"]
"""Where the dependence between nodes comes from: ranks of past errors, the paths as they came, or nowhere."""

NonNegativity: TypeAlias = Literal["not_asked", "not_needed", "nnls", "clipped"]
"""How bottom paths were kept at 0 or more: non-negative least squares, or set to 0 before adding up."""


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """Bottom series and the aggregates that are sums of them; groupings that cross each other are allowed.

    Examples
    --------
    >>> tree = Hierarchy(bottom=("web", "app"), aggregates=("all",), members=(("web", "app"),))
    >>> tree.nodes
    ('all', 'web', 'app')
    >>> tree.summing_matrix().tolist()
    [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """

    bottom: tuple[NodeKey, ...]
    """Nodes that are not a sum of others, in the order of the columns of the summing matrix."""
    aggregates: tuple[NodeKey, ...]
    """Nodes that are sums of bottom nodes."""
    members: tuple[tuple[NodeKey, ...], ...]
    """For every aggregate the bottom nodes whose sum it is."""

    def __post_init__(self) -> None:
        """Check that every aggregate is a sum of different, known bottom nodes; raises InputError."""
        if not self.bottom:
            raise _wrong("bottom", self.bottom, "at least one bottom node", "name the series that are added up")
        if len(self.members) != len(self.aggregates):
            raise _wrong(
                "members", self.members, f"{len(self.aggregates)} tuples, one for each aggregate", "Hierarchy.of"
            )
        _no_twins("nodes", self.nodes)
        known = frozenset(self.bottom)
        for aggregate, children in zip(self.aggregates, self.members, strict=True):
            if not children:
                raise _wrong(
                    f"members of {aggregate!r}", children, "at least one bottom node", "leave the aggregate out"
                )
            _no_twins(f"members of {aggregate!r}", children)
            unknown = next((child for child in children if child not in known), None)
            if unknown is not None:
                raise _wrong(
                    f"members of {aggregate!r}", unknown, "a bottom node", "add it to bottom, or use Hierarchy.of"
                )

    @classmethod
    def of(cls, children: Mapping[NodeT, Sequence[NodeKey]], *, bottom: Sequence[NodeKey]) -> Hierarchy:
        """Make a hierarchy from the direct children of every aggregate, which may be aggregates themselves.

        Parameters
        ----------
        children : mapping
            Direct children by aggregate.
        bottom : sequence
            The bottom nodes.

        Raises
        ------
        InputError
            A child that is neither an aggregate nor a bottom node, a circle, or a bottom node that would be counted
            twice in one aggregate.

        Examples
        --------
        >>> Hierarchy.of({"all": ["east", "c"], "east": ["a", "b"]}, bottom=["a", "b", "c"]).members
        (('a', 'b', 'c'), ('a', 'b'))
        """
        from graphlib import CycleError, TopologicalSorter

        known = {*bottom, *children}
        for parent, direct in children.items():
            unknown = next((child for child in direct if child not in known), None)
            if unknown is not None:
                raise _wrong(f"children of {parent!r}", unknown, "an aggregate or a bottom node", "add it to bottom")
        try:
            order = tuple(TopologicalSorter(children).static_order())
        except CycleError as error:
            raise _wrong("children", error.args[1], "no circle", "let no aggregate be part of itself") from error
        position = {node: place for place, node in enumerate(bottom)}
        below: dict[NodeKey, tuple[NodeKey, ...]] = {node: (node,) for node in bottom}
        direct_children: dict[NodeKey, Sequence[NodeKey]] = dict(children.items())
        for node in order:
            if node in direct_children:
                found = [leaf for child in direct_children[node] for leaf in below[child]]
                _no_twins(f"bottom nodes under {node!r}", found)
                below[node] = tuple(sorted(found, key=position.__getitem__))
        return cls(bottom=tuple(bottom), aggregates=tuple(children), members=tuple(below[node] for node in children))

    @property
    def nodes(self) -> tuple[NodeKey, ...]:
        """All nodes in the order of the rows of the summing matrix: aggregates, then bottom."""
        return self.aggregates + self.bottom

    def aggregation_matrix(self) -> NDArray[np.float64]:
        """Return the 0/1 matrix of shape (aggregates, bottom): aggregates = matrix @ bottom."""
        import numpy as np

        column = {node: place for place, node in enumerate(self.bottom)}
        matrix = np.zeros((len(self.aggregates), len(self.bottom)))
        for row, children in enumerate(self.members):
            matrix[row, [column[child] for child in children]] = 1.0
        return matrix

    def summing_matrix(self) -> NDArray[np.float64]:
        """Return S of shape (nodes, bottom): all nodes = S @ bottom (Hyndman et al. 2011)."""
        import numpy as np

        return np.vstack([self.aggregation_matrix(), np.eye(len(self.bottom))])


@dataclass(frozen=True, kw_only=True, eq=False)
class Reconciliation:
    """Paths that add up on every path and slice, and how they came to."""

    paths: Mapping[NodeKey, NDArray[np.float64]]
    """Every node of the hierarchy, shape (n_paths, horizon) each; aggregates are the sums of their bottom nodes."""
    asked: ReconcileMethod
    """The method that was asked for."""
    method: ReconcileMethod
    """The method that was used."""
    shrinkage: float | None
    """Share by which correlations were shrunk towards 0, 0 to 1; None where no correlations were used."""
    origins: int
    """Back-test origins whose errors were given; 0 when none were."""
    dependence: Dependence
    """Where the dependence between the nodes' paths comes from."""
    non_negativity: NonNegativity
    """How bottom paths were kept at 0 or more."""
    fallback: str | None = None
    """Why another method than the one asked for was used; None when nothing happened."""

    @property
    def statement(self) -> str:
        """What was done, in plain words for reports."""
        words = {
            "back_test_errors": f"paths ordered by the errors of {self.origins} back-test origins",
            "as_given": "dependence between series as in the paths that came",
            "independence_assumed": f"series assumed independent ({self.origins} back-test origins known), "
            "so the spread of sums may be wrong",
        }
        shrunk = "" if self.shrinkage is None else f" (correlations shrunk by {self.shrinkage:.0%})"
        said = f"{self.method}{shrunk}; {words[self.dependence]}"
        return said if self.fallback is None else f"{said}; instead of {self.asked}: {self.fallback}"


SumMethod: TypeAlias = Literal["mint", "bottom-up"]
"""How a declared hierarchy is made to add up: mint moves all forecasts by how they err together; bottom-up adds up the
parts and leaves them as they are."""


@dataclass(frozen=True, kw_only=True)
class DeclaredSum:
    """A service whose metric is the sum of that of its parts, as the catalogue declares it.

    Examples
    --------
    >>> DeclaredSum(name="nyc-departures", metric="departures", total="nyc", parts=("jfk", "lga")).method
    'mint'
    """

    name: str
    metric: str
    total: str
    """Service that is the sum."""
    parts: tuple[str, ...]
    """Services that add up to it; a part may be the total of another declaration of the same metric."""
    method: SumMethod = "mint"
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class DeclaredTree:
    """Declared sums of one metric that hang together."""

    names: tuple[str, ...]
    """Names of the declarations."""
    metric: str
    method: SumMethod
    hierarchy: Hierarchy
    """Nodes are (service, metric)."""

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Every node as (service, metric): totals, then parts."""
        return tuple(node for node in self.hierarchy.nodes if not isinstance(node, str))


def trees_of(sums: Sequence[DeclaredSum]) -> tuple[DeclaredTree, ...]:
    """Return the trees that declared sums make: those of one metric that share a service hang together.

    Raises
    ------
    InputError
        A circle, a service that would be counted twice, or methods that differ within a tree.

    Examples
    --------
    >>> east = DeclaredSum(name="east", metric="calls", total="east", parts=("a", "b"))
    >>> whole = DeclaredSum(name="all", metric="calls", total="all", parts=("east", "c"))
    >>> tree, = trees_of([east, whole])
    >>> tree.names, [service for service, _ in tree.keys]
    (('all', 'east'), ['all', 'east', 'c', 'a', 'b'])
    """
    groups: list[tuple[set[tuple[str, str]], list[DeclaredSum]]] = []
    for one in sums:
        nodes, members = {(one.total, one.metric), *((part, one.metric) for part in one.parts)}, [one]
        apart = []
        for group in groups:
            if group[0] & nodes:
                nodes, members = nodes | group[0], group[1] + members
            else:
                apart.append(group)
        groups = [*apart, (nodes, members)]
    return tuple(_tree(members) for _, members in sorted(groups, key=lambda group: min(s.name for s in group[1])))


def _tree(sums: list[DeclaredSum]) -> DeclaredTree:
    """One tree; totals before their parts."""
    metric, children = sums[0].metric, {one.total: one.parts for one in sums}
    part_of = [part for one in sums for part in one.parts]
    _no_twins(f"parts of the hierarchies of {metric}", part_of)
    _no_twins(f"totals of the hierarchies of {metric}", [one.total for one in sums])
    other = next((one for one in sums if one.method != sums[0].method), None)
    if other is not None:
        allowed = f"{sums[0].method}, as in {sums[0].name}, with which it shares services"
        raise _wrong(f"method of hierarchy {other.name}", other.method, allowed, "one method for both")
    waiting = [total for total in children if total not in part_of]
    order: list[str] = []
    while waiting:
        order.append(waiting.pop(0))
        waiting += [part for part in children[order[-1]] if part in children]
    missed = next((total for total in children if total not in order), None)
    if missed is not None:
        raise _wrong(f"parts of the hierarchies of {metric}", missed, "no circle", "let no total be part of itself")
    tree = {(total, metric): [(part, metric) for part in children[total]] for total in order}
    bottom = [(part, metric) for total in order for part in children[total] if part not in children]
    names = {one.total: one.name for one in sums}
    return DeclaredTree(
        names=tuple(names[total] for total in order),
        metric=metric,
        method=sums[0].method,
        hierarchy=Hierarchy.of(tree, bottom=bottom),
    )


def _no_twins(argument: str, nodes: Sequence[NodeKey]) -> None:
    """Refuse a node that is named twice."""
    seen: set[NodeKey] = set()
    for node in nodes:
        if node in seen:
            raise _wrong(argument, node, "every node once", "remove the second mention, or split the aggregate")
        seen.add(node)


def _wrong(argument: str, came: object, allowed: str, try_instead: str) -> InputError:
    """Return the error."""
    return InputError(argument=argument, came=came, allowed=allowed, try_instead=try_instead)
