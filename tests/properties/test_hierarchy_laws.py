"""Reconciliation: adds up, leaves the bottom alone where it says so, and depends on no order, unit or hidden state."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forecasting.forecasts.hierarchy import align_paths, reconcile, shared_errors
from forecasting.terms.errors import InputError
from forecasting.terms.hierarchy import Hierarchy, NodeKey, ReconcileMethod, Reconciliation

Array = NDArray[np.float64]
QUICK = settings(derandomize=True, max_examples=50, deadline=None)
METHODS: tuple[ReconcileMethod, ...] = ("bottom_up", "ols", "wls_variance", "mint_shrink")
method = st.sampled_from(METHODS)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Hierarchy, dict[NodeKey, Array], dict[NodeKey, Array]]:
    """A random grouping (levels may cross), paths and errors of very different sizes."""
    width, count = draw(st.integers(1, 6)), draw(st.integers(0, 4))
    bottom = tuple(f"b{i}" for i in range(width))
    members = tuple(tuple(sorted(draw(st.sets(st.sampled_from(bottom), min_size=1)))) for _ in range(count))
    tree = Hierarchy(bottom=bottom, aggregates=tuple(f"a{i}" for i in range(count)), members=members)
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n_paths, horizon = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    origins, k = draw(st.integers(0, 12)), draw(st.integers(1, 6))
    size = {node: float(np.exp(rng.normal(0, 2))) for node in tree.nodes}
    paths = {node: size[node] * rng.normal(1, 1, (n_paths, horizon)) for node in tree.nodes}
    return tree, paths, {node: size[node] * rng.normal(0, 1, (origins, k)) for node in tree.nodes}


def run(
    tree: Hierarchy,
    paths: dict[NodeKey, Array],
    errors: dict[NodeKey, Array] | None,
    how: ReconcileMethod,
    non_negative: bool = False,
) -> Reconciliation:
    return reconcile(paths, tree, method=how, errors=errors, non_negative=non_negative)


@QUICK
@given(problem=problems(), how=method, known=st.booleans(), non_negative=st.booleans())
def test_everything_adds_up(
    problem: tuple[Hierarchy, dict[NodeKey, Array], dict[NodeKey, Array]],
    how: ReconcileMethod,
    known: bool,
    non_negative: bool,
) -> None:
    tree, paths, errors = problem
    before = {node: p.copy() for node, p in paths.items()}, {node: e.copy() for node, e in errors.items()}
    done = run(tree, paths, errors if known else None, how, non_negative)
    assert tuple(done.paths) == tree.nodes
    for node, parts in zip(tree.aggregates, tree.members, strict=True):
        total = np.sum([done.paths[p] for p in parts], axis=0)
        size = np.sum([np.abs(done.paths[p]) for p in parts], axis=0)
        assert (np.abs(done.paths[node] - total) <= 1e-9 * np.maximum(size, 1e-300)).all()
    assert all(np.isfinite(p).all() and p.shape == paths[node].shape for node, p in done.paths.items())
    if non_negative:
        assert min(p.min() for p in done.paths.values()) >= 0
    assert (done.method == how) == (done.fallback is None)
    for node in tree.nodes:  # inputs are as they were, and the result is not the input
        assert np.array_equal(paths[node], before[0][node])
        assert np.array_equal(errors[node], before[1][node])
        assert not np.shares_memory(done.paths[node], paths[node])


@QUICK
@given(problem=problems())
def test_bottom_up_leaves_the_bottom_as_it_came(
    problem: tuple[Hierarchy, dict[NodeKey, Array], dict[NodeKey, Array]],
) -> None:
    tree, paths, errors = problem
    plain, aligned = run(tree, paths, None, "bottom_up"), run(tree, paths, errors, "bottom_up")
    for node in tree.bottom:
        assert np.array_equal(plain.paths[node], paths[node])
        assert np.array_equal(np.sort(aligned.paths[node], axis=0), np.sort(paths[node], axis=0))


@QUICK
@given(problem=problems(), how=method)
def test_what_adds_up_already_stays(
    problem: tuple[Hierarchy, dict[NodeKey, Array], dict[NodeKey, Array]], how: ReconcileMethod
) -> None:
    tree, paths, errors = problem
    once = run(tree, paths, errors, how)
    twice = reconcile(once.paths, tree, method=how, errors=errors, align=False)
    size = max(float(np.abs(p).max()) for p in once.paths.values())
    for node in tree.nodes:
        np.testing.assert_allclose(twice.paths[node], once.paths[node], rtol=0, atol=1e-9 * size)


@QUICK
@given(problem=problems(), how=method, seed=st.integers(0, 99))
def test_the_order_of_nodes_does_not_matter(
    problem: tuple[Hierarchy, dict[NodeKey, Array], dict[NodeKey, Array]], how: ReconcileMethod, seed: int
) -> None:
    tree, paths, errors = problem
    rng = np.random.default_rng(seed)
    turn = rng.permutation(len(tree.aggregates))
    other = Hierarchy(
        bottom=tuple(tree.bottom[i] for i in rng.permutation(len(tree.bottom))),
        aggregates=tuple(tree.aggregates[i] for i in turn),
        members=tuple(tree.members[i][::-1] for i in turn),
    )
    mixed = {node: paths[node] for node in reversed(tree.nodes)}
    first, second = run(tree, paths, errors, how), run(other, mixed, errors, how)
    assert first.method == second.method
    size = max(float(np.abs(p).max()) for p in first.paths.values())
    for node in tree.nodes:
        np.testing.assert_allclose(second.paths[node], first.paths[node], rtol=0, atol=1e-8 * size)


@QUICK
@given(problem=problems(), how=method, factor=st.sampled_from([1e-6, 0.37, 1e3, 1e7]), non_negative=st.booleans())
def test_another_unit_changes_nothing_but_the_unit(
    problem: tuple[Hierarchy, dict[NodeKey, Array], dict[NodeKey, Array]],
    how: ReconcileMethod,
    factor: float,
    non_negative: bool,
) -> None:
    tree, paths, errors = problem
    first = run(tree, paths, errors, how, non_negative)
    larger = {n: factor * p for n, p in paths.items()}, {n: factor * e for n, e in errors.items()}
    second = run(tree, *larger, how, non_negative)
    assert (first.method, first.non_negativity) == (second.method, second.non_negativity)
    size = max(float(np.abs(p).max()) for p in first.paths.values())
    for node in tree.nodes:
        np.testing.assert_allclose(second.paths[node] / factor, first.paths[node], rtol=0, atol=1e-8 * size)


@QUICK
@given(problem=problems(), how=method)
def test_same_input_same_output(
    problem: tuple[Hierarchy, dict[NodeKey, Array], dict[NodeKey, Array]], how: ReconcileMethod
) -> None:
    tree, paths, errors = problem
    first, second = run(tree, paths, errors, how), run(tree, paths, errors, how)
    assert all(np.array_equal(first.paths[node], second.paths[node]) for node in tree.nodes)


TREE = Hierarchy(bottom=("b", "c"), aggregates=("a",), members=(("b", "c"),))


@pytest.mark.parametrize("how", METHODS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["paths", "errors"])
def test_values_that_are_not_finite_are_refused(how: ReconcileMethod, bad: float, where: str) -> None:
    paths: dict[NodeKey, Array] = {n: np.ones((4, 3)) for n in TREE.nodes}
    errors: dict[NodeKey, Array] = {n: np.ones((6, 2)) for n in TREE.nodes}
    (paths if where == "paths" else errors)["b"][1, 1] = bad
    with pytest.raises(InputError, match=f"{where} of 'b'.*finite"):
        run(TREE, paths, errors, how)


@pytest.mark.parametrize("shape", [(4,), (4, 2), (5, 3), (0, 3), (4, 0), (4, 3, 1)])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    for how in METHODS:
        with pytest.raises(InputError, match="paths of 'c'"):
            run(TREE, {"a": np.ones((4, 3)), "b": np.ones((4, 3)), "c": np.ones(shape)}, None, how)
        past: dict[NodeKey, Array] = {"a": np.ones((4, 3)), "b": np.ones((4, 3)), "c": np.ones(shape)}
        with pytest.raises(InputError, match="errors of 'c'"):
            run(TREE, {n: np.ones((2, 2)) for n in TREE.nodes}, past, how)


def test_missing_and_unknown_nodes_and_methods_are_refused() -> None:
    full: dict[NodeKey, Array] = {n: np.ones((4, 3)) for n in TREE.nodes}
    parts = {n: full[n] for n in TREE.bottom}
    assert run(TREE, parts, None, "bottom_up").paths["a"][0, 0] == 2.0
    with pytest.raises(InputError, match="an entry for 'a'"):
        run(TREE, parts, None, "ols")
    with pytest.raises(InputError, match="an entry for 'a'"):
        run(TREE, full, parts, "mint_shrink")
    with pytest.raises(InputError, match="nodes of the hierarchy"):
        run(TREE, {**full, "x": np.ones((4, 3))}, None, "bottom_up")
    with pytest.raises(InputError, match="method"):
        run(TREE, full, None, "top_down")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="paths of 'c'"):
        run(TREE, {**full, "c": np.full((4, 3), "1")}, None, "bottom_up")
    with pytest.raises(InputError, match="at least one origin"):
        align_paths(full, {n: np.ones((0, 3)) for n in TREE.nodes})
    with pytest.raises(InputError, match="origins of 'b'"):
        shared_errors({"b": np.arange(3)}, {"b": np.ones((4, 3))})
    with pytest.raises(InputError, match="every origin once"):
        shared_errors({"b": np.array([1, 1])}, {"b": np.ones((2, 3))})
