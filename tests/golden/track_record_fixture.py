"""A track record as a plan prints it: three ways of stating P(miss), by horizon and tier."""

from __future__ import annotations

from forecasting.terms.breach import Estimate, ModelScore, ReliabilityBin, StratumScore

BRIER = {"forecasting": 0.171, "extrapolation": 0.189, "climatology": 0.232}
_HORIZONS = (("1 ahead", 60, 30, 0.27), ("0 %", 66, 27, 0.21), ("25 %", 64, 24, 0.17), ("50 %", 62, 22, 0.12),
             ("75 %", 60, 18, 0.08))  # fmt: skip


def _around(value: float, half: float) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half)


def models(scale: float = 1.0, statements: int = 312) -> tuple[ModelScore, ...]:
    return tuple(
        ModelScore(
            name=name,
            kind="product" if name == "forecasting" else "baseline",
            statements=statements,
            brier=brier * scale,
            skill=_around(1 - brier / BRIER["climatology"], 0.12) if name != "climatology" else _around(0.0, 0.0),
            log_loss=2.9 * brier,
            ece=0.021 if name == "forecasting" else 0.06,
            pr_auc=0.9 - brier,
            to_climatology=_around((brier - BRIER["climatology"]) * scale, 0.02 if name != "climatology" else 0.0),
            to_best=_around((brier - BRIER["extrapolation"]) * scale, 0.015 if name != "extrapolation" else 0.0),
            bins=(ReliabilityBin(predicted=0.3, observed=0.32, count=statements),),
        )
        for name, brier in BRIER.items()
    )


def strata() -> tuple[StratumScore, ...]:
    by_horizon = tuple(
        StratumScore(by="horizon", part=part, statements=n, breaches=k, models=models(brier / BRIER["forecasting"], n))
        for part, n, k, brier in _HORIZONS
    )
    tiers = (StratumScore(by="tier", part="carrier", statements=312, breaches=121, models=models()),)
    settled = (StratumScore(by="outcome", part="decided", statements=41, breaches=33, models=models(0.05, 41)),)
    return by_horizon + tiers + settled
