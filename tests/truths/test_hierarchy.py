"""Reconciliation against closed forms, textbook matrices, exact least squares and simulation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.forecasts._hierarchy_covariance import ShrunkCovariance, shrinkage_intensity
from forecasting.forecasts.hierarchy import MIN_ORIGINS, align_paths, forecast_hierarchy, reconcile, shared_errors
from forecasting.terms.errors import InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.hierarchy import Hierarchy, NodeKey, ReconcileMethod
from forecasting.terms.history import Metric, MetricKind

Array = NDArray[np.float64]
PAIR = Hierarchy(bottom=("b", "c"), aggregates=("a",), members=(("b", "c"),))
# The two-level example of Hyndman et al. (2011) and of "Forecasting: principles and practice": total; A, B; AA … BB.
BOOK = Hierarchy.of(
    {"total": ["A", "B"], "A": ["AA", "AB", "AC"], "B": ["BA", "BB"]}, bottom=["AA", "AB", "AC", "BA", "BB"]
)
BOOK_S = [
    [1, 1, 1, 1, 1],
    [1, 1, 1, 0, 0],
    [0, 0, 0, 1, 1],
    [1, 0, 0, 0, 0],
    [0, 1, 0, 0, 0],
    [0, 0, 1, 0, 0],
    [0, 0, 0, 1, 0],
    [0, 0, 0, 0, 1],
]


def by_node(tree: Hierarchy, values: Array) -> dict[NodeKey, Array]:
    """(..., nodes) to a mapping of (...)."""
    return {node: values[..., i] for i, node in enumerate(tree.nodes)}


def errors_for(tree: Hierarchy, origins: int, k: int, seed: int) -> Array:
    """Correlated errors of very different size, shape (origins, k, nodes)."""
    rng = np.random.default_rng(seed)
    n = len(tree.nodes)
    mix = rng.normal(size=(n, n)) + np.eye(n)
    return np.asarray(rng.normal(size=(origins, k, n)) @ mix * np.exp(rng.normal(size=n)))


def projection(tree: Hierarchy, method: ReconcileMethod, errors: Array | None) -> Array:
    """The matrix that takes base to reconciled forecasts, one unit vector a path."""
    unit = np.eye(len(tree.nodes))[:, None, :]
    given = None if errors is None else by_node(tree, errors)
    done = reconcile(by_node(tree, unit), tree, method=method, errors=given, align=False)
    assert done.fallback is None
    return np.stack([done.paths[node][:, 0] for node in tree.nodes])


def test_summing_matrix_of_the_textbook_tree() -> None:
    assert BOOK.nodes == ("total", "A", "B", "AA", "AB", "AC", "BA", "BB")
    assert BOOK.summing_matrix().tolist() == BOOK_S


def test_ols_of_three_nodes_shares_the_gap_in_three() -> None:
    paths = {"a": np.array([[13.0, 0.0]]), "b": np.array([[4.0, 3.0]]), "c": np.array([[6.0, -6.0]])}
    done = reconcile(paths, PAIR, method="ols").paths
    np.testing.assert_allclose([done[n][0] for n in "abc"], [[12.0, -1.0], [5.0, 4.0], [7.0, -5.0]], atol=1e-12)


def test_wls_of_three_nodes_shares_the_gap_by_variance() -> None:
    """Error variances 1, 2, 5 (a, b, c): gap 8 is shared 1 : 2 : 5."""
    signs = np.array([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]])
    signs = np.hstack([signs, -signs])
    errors = {n: s[:, None] * np.sqrt(v) for n, s, v in zip("abc", signs, (1.0, 2.0, 5.0), strict=True)}
    paths = {"a": np.array([[18.0]]), "b": np.array([[4.0]]), "c": np.array([[6.0]])}
    done = reconcile(paths, PAIR, method="wls_variance", errors=errors)
    assert [round(float(done.paths[n][0, 0]), 12) for n in "abc"] == [17.0, 6.0, 11.0]
    assert done.shrinkage is None


@pytest.mark.parametrize("method", ["ols", "wls_variance", "mint_shrink"])
def test_projection_is_the_textbook_formula_and_keeps_what_is_coherent(method: ReconcileMethod) -> None:
    """S (S'W⁻¹S)⁻¹ S'W⁻¹; P P = P and P S = S (unbiased forecasts stay unbiased)."""
    errors = errors_for(BOOK, 30, 4, 5)
    rows = errors.reshape(-1, 8)
    sample = rows.T @ rows / len(rows)
    lam = shrinkage_intensity(errors / np.sqrt(np.diag(sample)))
    share = {"ols": 0.0, "wls_variance": 1.0, "mint_shrink": lam}[method]
    w = np.eye(8) if method == "ols" else share * np.diag(np.diag(sample)) + (1 - share) * sample
    s = np.array(BOOK_S, dtype=float)
    inverse = np.linalg.inv(w)
    book = s @ np.linalg.inv(s.T @ inverse @ s) @ s.T @ inverse
    p = projection(BOOK, method, None if method == "ols" else errors)
    np.testing.assert_allclose(p, book, atol=1e-10)
    np.testing.assert_allclose(p @ p, p, atol=1e-10)
    np.testing.assert_allclose(p @ s, s, atol=1e-10)


def published_intensity(x: Array) -> float:
    """The published estimator, written pair by pair as in Schäfer and Strimmer (2005) and the R package hts."""
    n, p = x.shape
    xs = x / np.sqrt(np.mean(x**2, axis=0))
    top = bottom = 0.0
    for i in range(p):
        for j in range(p):
            if i != j:
                w = xs[:, i] * xs[:, j]
                top += n / (n - 1) ** 3 * np.sum((w - w.mean()) ** 2) * ((n - 1) / n) ** 2
                bottom += w.mean() ** 2
    return float(min(max(top / bottom, 0.0), 1.0))


@pytest.mark.parametrize(("origins", "nodes"), [(12, 5), (6, 20), (80, 3)])
def test_shrinkage_intensity_is_the_published_one(origins: int, nodes: int) -> None:
    rng = np.random.default_rng(origins)
    x = rng.normal(size=(origins, nodes)) + 0.7 * rng.normal(size=(origins, 1))
    estimate = ShrunkCovariance.of(x[:, None, :])
    assert estimate.shrinkage == pytest.approx(published_intensity(x), rel=1e-9)
    assert 0 < estimate.shrinkage < 1
    sample = x.T @ x / origins
    expected = estimate.shrinkage * np.diag(np.diag(sample)) + (1 - estimate.shrinkage) * sample
    np.testing.assert_allclose(estimate.times(np.eye(nodes)), expected, atol=1e-12)


def test_steps_of_one_origin_count_as_one_observation() -> None:
    """Repeating every error at 24 steps adds no information, so the intensity stays the same."""
    one = np.random.default_rng(2).normal(size=(10, 1, 6))
    scaled = one / np.sqrt(np.mean(one**2, axis=(0, 1)))
    assert shrinkage_intensity(np.repeat(scaled, 24, axis=1)) == pytest.approx(shrinkage_intensity(scaled), rel=1e-9)


@pytest.mark.parametrize("rho", [0.1, 0.6])
def test_mint_lowers_the_expected_squared_error(rho: float) -> None:
    """Total squared error ÷ variance over nodes, 40 histories of 20 origins: mint < wls < base, mint < bottom-up."""
    rng = np.random.default_rng(7)
    names = [f"s{i}" for i in range(12)]
    regions: dict[NodeKey, list[NodeKey]] = {f"r{j}": list(names[4 * j : 4 * j + 4]) for j in range(3)}
    tree = Hierarchy.of({"all": list(regions), **regions}, bottom=names)
    top = tree.aggregation_matrix()
    methods: tuple[ReconcileMethod, ...] = ("bottom_up", "wls_variance", "mint_shrink")
    total = dict.fromkeys(methods, 0.0)
    for _ in range(40):
        sd = np.exp(rng.normal(0, 0.7, 12))

        def drawn(origins: int, sd: Array = sd) -> Array:
            own = rng.normal(size=(origins, 4, 12))
            low = sd * (np.sqrt(rho) * rng.normal(size=(origins, 1, 1)) + np.sqrt(1 - rho) * own)
            high = 0.6 * low @ top.T + 0.3 * np.sqrt(top @ sd**2) * rng.normal(size=(origins, 4, 4))
            return np.concatenate([high, low], axis=2)

        past, future = by_node(tree, drawn(20)), by_node(tree, -drawn(100))  # the truth is 0
        base = {node: np.mean(v**2) for node, v in future.items()}
        for method in total:
            kept = {n: v for n, v in future.items() if method != "bottom_up" or n in tree.bottom}
            done = reconcile(kept, tree, method=method, errors=past, align=False)
            total[method] += (
                sum(float(np.mean(done.paths[n] ** 2) / base[n]) for n in tree.nodes) / len(tree.nodes) / 40
            )
    assert total["mint_shrink"] < 0.95 * total["wls_variance"]
    assert total["wls_variance"] < 0.99  # the base forecasts are at 1
    assert total["mint_shrink"] < 0.8 * total["bottom_up"]


def normal_paths(n: int, seed: int) -> Array:
    """Standard normal quantiles in random order, shape (n, 1)."""
    z = np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])
    return np.random.default_rng(seed).permutation(z)[:, None]


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.8])
def test_aligned_sums_have_the_variance_of_correlated_normals(rho: float) -> None:
    """Var(b + c) = 2 (1 + ρ); independence would say 2."""
    rng = np.random.default_rng(11)
    first = rng.normal(size=(1000, 1))
    errors: dict[NodeKey, Array] = {
        "b": first,
        "c": 5 * (rho * first + np.sqrt(1 - rho**2) * rng.normal(size=(1000, 1))),
    }
    paths = {"b": normal_paths(2000, 1), "c": normal_paths(2000, 2)}
    done = reconcile(paths, PAIR, errors=errors)
    assert float(done.paths["a"].var()) == pytest.approx(2 * (1 + rho), abs=0.12)
    assert done.dependence == "back_test_errors"
    assert np.array_equal(np.sort(done.paths["c"], axis=0), np.sort(paths["c"], axis=0))
    alone = reconcile(paths, PAIR)
    assert float(alone.paths["a"].var()) == pytest.approx(2, abs=0.15)
    assert alone.dependence == "independence_assumed"
    assert "independent" in alone.statement


def test_aligned_paths_follow_the_trajectories_of_the_past() -> None:
    """Errors that keep their sign over 6 steps and series: the sum over 12 values has the spread of 12 equal ones."""
    rng = np.random.default_rng(4)
    level = np.repeat(rng.normal(size=(40, 1)), 6, axis=1)
    paths = {n: np.hstack([normal_paths(800, s + i) for i in range(6)]) for s, n in ((0, "b"), (9, "c"))}
    done = align_paths(paths, {"b": level, "c": 3 * level})
    spread = float((done["b"] + done["c"]).sum(axis=1).std())
    assert 0.95 * 12 < spread < 12.01
    assert float((paths["b"] + paths["c"]).sum(axis=1).std()) < 4


def test_paths_beyond_the_errors_follow_another_origin() -> None:
    """Errors of 2 steps for a horizon of 5: within a block together, between blocks not; the steps start again."""
    level = np.repeat(np.random.default_rng(5).normal(size=(50, 1)), 2, axis=1)
    paths = {"b": np.hstack([normal_paths(1000, i) for i in range(5)])}
    r = np.asarray(np.corrcoef(align_paths(paths, {"b": level})["b"].T))
    assert min(r[0, 1], r[2, 3]) > 0.98
    assert abs(r[1, 2]) < 0.12


def test_the_second_block_begins_with_the_first_step_again() -> None:
    """Step 1 of both series errs together, step 2 against each other; so do slices 3 and 4."""
    e = np.random.default_rng(14).normal(size=(50, 2))
    paths = {n: np.hstack([normal_paths(1000, s + i) for i in range(4)]) for s, n in ((0, "b"), (9, "c"))}
    done = align_paths(paths, {"b": e, "c": e * np.array([1.0, -1.0])})
    r = [float(np.asarray(np.corrcoef(done["b"][:, i], done["c"][:, i]))[0, 1]) for i in range(4)]
    assert np.sign(r).tolist() == [1, -1, 1, -1]
    assert min(np.abs(r)) > 0.95


def test_too_few_origins_order_nothing() -> None:
    """Ranks of four origins would be chance: the paths stay as they came, and the result says so."""
    rng = np.random.default_rng(15)
    paths = {"b": rng.normal(size=(40, 3)), "c": rng.normal(size=(40, 3))}
    few = {n: rng.normal(size=(MIN_ORIGINS - 1, 3)) for n in "bc"}
    enough = {n: rng.normal(size=(MIN_ORIGINS, 3)) for n in "bc"}
    done = reconcile(paths, PAIR, errors=few)
    assert np.array_equal(done.paths["b"], paths["b"])
    assert (done.dependence, done.origins) == ("independence_assumed", MIN_ORIGINS - 1)
    assert reconcile(paths, PAIR, errors=enough).dependence == "back_test_errors"
    assert reconcile(paths, PAIR, errors=enough, align=False).dependence == "as_given"


def test_paths_of_one_origin_keep_their_own_order() -> None:
    """With a single origin there is nothing to learn, so nothing moves."""
    paths = {"b": np.random.default_rng(6).normal(size=(50, 3))}
    assert np.array_equal(align_paths(paths, {"b": np.ones((1, 3))})["b"], paths["b"])


def test_non_negative_least_squares_by_hand() -> None:
    """(1, −3, 1): the projection is (0, −2, 2); the closest with b ≥ 0 is (1, 0, 1), clipping would give (2, 0, 2)."""
    paths = {"a": np.array([[1.0]]), "b": np.array([[-3.0]]), "c": np.array([[1.0]])}
    done = reconcile(paths, PAIR, method="ols", non_negative=True)
    assert [round(float(done.paths[n][0, 0]), 9) + 0.0 for n in "abc"] == [1.0, 0.0, 1.0]
    assert done.non_negativity == "nnls"


def test_non_negative_least_squares_in_the_metric_of_the_covariance() -> None:
    """Karush–Kuhn–Tucker: gradient 0 where positive, not below 0 where 0; untouched where nothing is negative."""
    errors = errors_for(BOOK, 40, 1, 8)
    rng = np.random.default_rng(9)
    s = np.array(BOOK_S, dtype=float)
    base = (rng.normal(2.0, 1.5, size=(60, 5)) @ s.T + 0.2 * rng.normal(size=(60, 8)))[:, None, :]
    past = by_node(BOOK, errors)
    done = reconcile(by_node(BOOK, base), BOOK, method="mint_shrink", errors=past, non_negative=True, align=False)
    plain = reconcile(by_node(BOOK, base), BOOK, method="mint_shrink", errors=past, align=False)
    inverse = np.linalg.inv(ShrunkCovariance.of(errors).times(np.eye(8)))
    b = np.stack([done.paths[n][:, 0] for n in BOOK.bottom])
    before = np.stack([plain.paths[n][:, 0] for n in BOOK.bottom])
    gradient = s.T @ inverse @ (s @ b - base[:, 0].T)
    size = np.abs(s.T @ inverse @ base[:, 0].T).max()
    assert done.non_negativity == "nnls"
    assert b.min() >= 0
    assert np.abs(gradient[b > 0]).max() < 1e-8 * size
    assert gradient.min() > -1e-8 * size
    fine = (before >= 0).all(axis=0)
    assert 0 < fine.sum() < 60
    assert np.array_equal(b[:, fine], before[:, fine])


def test_negative_values_are_clipped_where_exact_least_squares_would_take_minutes() -> None:
    names = [f"s{i}" for i in range(400)]
    tree = Hierarchy(bottom=tuple(names), aggregates=("all",), members=(tuple(names),))
    base = np.random.default_rng(1).normal(0.5, 1.0, size=(50, 30, 401))
    done = reconcile(by_node(tree, base), tree, method="ols", non_negative=True)
    assert done.non_negativity == "clipped"
    assert min(p.min() for p in done.paths.values()) >= 0
    np.testing.assert_allclose(done.paths["all"], sum(done.paths[n] for n in names), rtol=1e-12)


def test_a_series_without_error_stays_as_it_is() -> None:
    errors = by_node(PAIR, errors_for(PAIR, 20, 2, 3))
    errors["b"] = np.zeros((20, 2))
    paths = {"a": np.array([[13.0]]), "b": np.array([[4.0]]), "c": np.array([[6.0]])}
    done = reconcile(paths, PAIR, method="mint_shrink", errors=errors)
    assert done.fallback is None
    assert done.paths["b"][0, 0] == pytest.approx(4.0, abs=1e-12)


@pytest.mark.parametrize("method", ["wls_variance", "mint_shrink"])
def test_a_covariance_that_cannot_be_used_is_recorded(method: ReconcileMethod) -> None:
    paths = {"a": np.array([[13.0]]), "b": np.array([[4.0]]), "c": np.array([[6.0]])}
    few = by_node(PAIR, errors_for(PAIR, MIN_ORIGINS - 1, 3, 3))
    none: dict[NodeKey, Array] = {n: np.zeros((20, 3)) for n in "abc"}
    for errors, word in (
        (few, f"{MIN_ORIGINS - 1} back-test origins"),
        (none, "singular"),
        (None, "0 back-test origins"),
    ):
        done = reconcile(paths, PAIR, method=method, errors=errors)
        assert (done.asked, done.method, done.shrinkage) == (method, "bottom_up", None)
        assert done.fallback is not None
        assert word in done.fallback
        assert done.fallback in done.statement
        assert done.paths["a"][0, 0] == 10.0


def test_shared_errors_keep_complete_origins_in_order() -> None:
    errors = {"b": np.array([[3.0, 9], [1, 9], [2, 9]]), "c": np.array([[10.0], [20], [np.nan], [40]])}
    origins = {"b": np.array([30, 10, 20]), "c": np.array([10, 20, 30, 40])}
    shared = shared_errors(origins, errors)
    assert {n: v.tolist() for n, v in shared.items()} == {"b": [[1.0], [2.0]], "c": [[10.0], [20.0]]}


@pytest.mark.parametrize(
    ("bottom", "aggregates", "members", "word"),
    [
        ((), (), (), "at least one bottom"),
        (("b", "b"), (), (), "every node once"),
        (("b", "c"), ("b",), (("c",),), "every node once"),
        (("b", "c"), ("a",), (("b", "x"),), "a bottom node"),
        (("b", "c"), ("a",), (("b", "b"),), "every node once"),
        (("b", "c"), ("a",), ((),), "at least one bottom"),
        (("b", "c"), ("a",), (), "one for each aggregate"),
    ],
)
def test_a_hierarchy_that_is_none_is_refused(
    bottom: tuple[str, ...], aggregates: tuple[str, ...], members: tuple[tuple[str, ...], ...], word: str
) -> None:
    with pytest.raises(InputError, match=word):
        Hierarchy(bottom=bottom, aggregates=aggregates, members=members)


def test_circles_unknown_children_and_double_counts_are_refused() -> None:
    with pytest.raises(InputError, match="no circle"):
        Hierarchy.of({"a": ["x"], "x": ["a"]}, bottom=["b"])
    with pytest.raises(InputError, match="'z'"):
        Hierarchy.of({"a": ["z"]}, bottom=["b"])
    with pytest.raises(InputError, match="bottom nodes under 'a'"):
        Hierarchy.of({"a": ["x", "b"], "x": ["b"]}, bottom=["b"])
    with pytest.raises(InputError, match="every node once"):
        Hierarchy.of({"b": ["c"]}, bottom=["b", "c"])


START = datetime(2027, 1, 1, tzinfo=UTC)
KEYS = Hierarchy(bottom=(("w", "n"), ("v", "n")), aggregates=(("all", "n"),), members=((("w", "n"), ("v", "n")),))


def forecast(service: str, paths: Array, kind: MetricKind = MetricKind.COUNT) -> Forecast:
    metric = Metric(name="n", kind=kind)
    return Forecast(
        service=service, metric=metric, start=START, step=timedelta(hours=1), zone="UTC", paths=paths, model="m",
        cut_off=START, seed=1,
    )  # fmt: skip


def test_forecasts_add_up_and_stay_in_their_bounds() -> None:
    rng = np.random.default_rng(12)
    made = [forecast("all", np.abs(rng.normal(1, 3, (80, 4)))), forecast("w", np.abs(rng.normal(2, 2, (80, 4))))]
    made.append(forecast("v", np.abs(rng.normal(1, 1, (80, 4)))))
    done = forecast_hierarchy(made, KEYS, method="ols")
    w, v, top = (done.forecasts[k].paths for k in (("w", "n"), ("v", "n"), ("all", "n")))
    assert min(w.min(), v.min()) >= 0
    assert done.reconciliation.non_negativity == "nnls"
    np.testing.assert_allclose(top, w + v, rtol=1e-12)
    assert done.forecasts["w", "n"].model == "m"


def test_a_level_that_may_be_negative_is_not_bounded_by_its_neighbour() -> None:
    """One bottom node is a REAL one: only the other is kept at 0 or more, exactly."""
    made = [
        forecast("all", np.array([[1.0]]), MetricKind.REAL),
        forecast("w", np.array([[-3.0]]), MetricKind.REAL),
        forecast("v", np.array([[0.5]])),
    ]
    free = forecast_hierarchy(made, KEYS, method="ols").forecasts
    assert [round(float(free[k, "n"].paths[0, 0]), 9) for k in ("all", "w", "v")] == [
        -0.166666667,
        -1.833333333,
        1.666666667,
    ]
    made[0] = forecast("all", np.array([[-9.0]]), MetricKind.REAL)
    bound = forecast_hierarchy(made, KEYS, method="ols").forecasts
    assert [round(float(bound[k, "n"].paths[0, 0]), 9) + 0.0 for k in ("all", "w", "v")] == [-6.0, -6.0, 0.0]


def test_a_missing_aggregate_is_made_and_a_fallback_is_in_every_forecast() -> None:
    parts = [forecast("w", np.full((2, 3), 2.0)), forecast("v", np.full((2, 3), 3.0))]
    made = forecast_hierarchy(parts, KEYS).forecasts["all", "n"]
    assert (made.service, made.model, made.fallback, made.paths.tolist()) == ("all", "bottom_up", None, [[5.0] * 3] * 2)
    whole = [*parts, replace(forecast("all", np.full((2, 3), 9.0)), fallback="too short")]
    fallen = forecast_hierarchy(whole, KEYS, method="mint_shrink").forecasts
    assert all("bottom-up instead of mint_shrink" in (f.fallback or "") for f in fallen.values())
    assert (fallen["all", "n"].fallback or "").startswith("too short; ")
    with pytest.raises(InputError, match="all"):
        forecast_hierarchy(parts, KEYS, method="ols")


def test_forecasts_that_do_not_fit_are_refused() -> None:
    w, v = forecast("w", np.ones((2, 3))), forecast("v", np.ones((2, 3)))
    w = replace(w, metric=replace(w.metric, unit="calls"))
    wrong = {
        "kind": replace(v, metric=replace(v.metric, kind=MetricKind.RATIO)),
        "unit": replace(v, metric=replace(v.metric, unit="ms")),
        "start": replace(v, start=START + timedelta(hours=1)),
        "step": replace(v, step=timedelta(hours=2)),
        "cut_off": replace(v, cut_off=START - timedelta(hours=1)),
        "paths": replace(v, paths=np.ones((2, 4))),
    }
    for word, other in wrong.items():
        with pytest.raises(InputError, match=word):
            forecast_hierarchy([w, other], KEYS)
    with pytest.raises(InputError, match="one forecast for each node"):
        forecast_hierarchy([w, v, v], KEYS)
    with pytest.raises(InputError, match="every bottom node"):
        forecast_hierarchy([w], KEYS)
    with pytest.raises(InputError, match="nodes of the hierarchy"):
        forecast_hierarchy([w, v, forecast("x", np.ones((2, 3)))], KEYS)
    with pytest.raises(InputError, match="0 or more"):
        forecast_hierarchy(
            [w, replace(v, metric=replace(v.metric, kind=MetricKind.REAL)), forecast("all", np.ones((2, 3)))], KEYS
        )


def test_long_horizons_are_worked_out_in_blocks_of_paths() -> None:
    """600 paths of 5,000 slices do not fit into one block; every block has the closed form."""
    base = np.random.default_rng(13).normal(size=(600, 5000, 3))
    done = reconcile(by_node(PAIR, base), PAIR, method="ols").paths
    gap = (base[..., 0] - base[..., 1] - base[..., 2]) / 3
    for i, (node, sign) in enumerate((("a", -1), ("b", 1), ("c", 1))):
        np.testing.assert_allclose(done[node], base[..., i] + sign * gap, atol=1e-12)
