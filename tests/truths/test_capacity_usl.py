"""Universal Scalability Law against published fits."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.capacity.models.usl import ScalabilityLaw, fit_usl, throughput
from forecasting.terms.errors import Excuse, InputError

SDM91 = ((1, 18, 36, 72, 108, 144, 216), (64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2))
RAYTRACER = ((1, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64), (20, 78, 130, 170, 190, 200, 210, 230, 260, 280, 310))


def test_specsdm91() -> None:
    found = fit_usl(*SDM91)
    assert not isinstance(found, Excuse)
    assert found.alpha == pytest.approx(0.0277285, abs=5e-8)
    assert found.beta == pytest.approx(0.0001044, abs=5e-8)
    assert found.gamma == pytest.approx(89.995233, abs=1e-6)
    assert found.peak == pytest.approx(96.51956, abs=5e-6)
    for value, (low, high) in (
        (found.alpha, found.alpha_interval), (found.beta, found.beta_interval), (found.gamma, found.gamma_interval)
    ):  # fmt: skip
        assert low < value < high


def test_the_raytracer_has_no_peak() -> None:
    found = fit_usl(*RAYTRACER)
    assert not isinstance(found, Excuse)
    assert found.peak is None
    assert found.alpha == pytest.approx(0.0577708, abs=5e-8)
    assert found.gamma == pytest.approx(21.84884, abs=5e-6)


def test_made_up_coefficients_come_back() -> None:
    found = fit_usl((1, 2, 4, 6, 8, 10), (1, 1.8868, 3.0769, 3.5294, 3.5398, 3.3557))
    assert not isinstance(found, Excuse)
    assert (found.gamma, found.alpha, found.beta) == pytest.approx((1.0, 0.02, 0.02), abs=2e-4)


def test_required_and_supported_are_inverse_and_the_peak_is_the_end() -> None:
    law = ScalabilityLaw(gamma=90.0, alpha=0.0277285, beta=0.0001044)
    for units in (1, 5, 40, 96):
        assert law.required(None, [law.supported(units, None)])[0] == units
    most = law.supported(1000, None)
    assert most == law.supported(97, None)
    assert law.required(None, [most * 1.0001])[0] == np.inf
    assert law.service_level(1000, [2 * most])[0] == pytest.approx(0.5)
    level = [law.supported(n, None) for n in range(0, 200, 3)]
    assert level == sorted(level)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    sizes, inside = np.array([1, 2, 4, 8, 16, 24, 32, 48, 64] * 2), 0
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(0, 12.0, len(sizes))
        seen = throughput(sizes, gamma=50.0, alpha=0.05, beta=0.0005) + noise
        found = fit_usl(sizes, np.maximum(seen, 0.0))
        assert not isinstance(found, Excuse)
        inside += found.beta_interval[0] <= 0.0005 <= found.beta_interval[1]
    assert 31 <= inside <= 40  # 36 expected


def test_bad_measurements() -> None:
    assert isinstance(fit_usl([1, 2, 4], [1, 2, 3]), Excuse)
    with pytest.raises(InputError, match="as many as units"):
        fit_usl([1, 2, 4, 8], [1, 2, 3])
    with pytest.raises(InputError, match="0 or more"):
        fit_usl([1, 2, 4, -8], [1, 2, 3, 4])
