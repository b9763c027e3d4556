"""How good statements on breaches were: scores of every model on the same statements, with paired intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.metrics import (
    Blocks,
    average_precision,
    brier,
    equal_bins,
    expected_calibration_error,
    like_bins,
    log_loss,
)
from forecasting.terms.breach import Estimate, ModelScore, ReliabilityBin, RiskScore, StratumScore
from forecasting.terms.errors import Excuse
from forecasting.terms.track_record import Statement

if TYPE_CHECKING:
    from numpy.typing import NDArray

OURS = "forecasting"
"""Name of the probability that the product states."""
REFERENCE = "climatology"
FEWEST_STATEMENTS = 20
FEWEST_WINDOWS = 2
BINS = 10
_LEVELS = (0.025, 0.975)
_BIN_LEVELS = (0.05, 0.95)


def evaluate(
    statements: Sequence[Statement],
    *,
    protocol: str,
    seed: int,
    paths: int,
    draws: int = 2000,
    strata: bool = True,
) -> RiskScore | Excuse:
    """Score statements whose outcome was open when they were made, beside every baseline they carry.

    Intervals come from one bootstrap over services × windows (each drawn anew, a statement weighs the product of how
    often its service and its window were drawn), the same draws for every model, so that differences are paired.

    Parameters
    ----------
    statements : sequence of Statement
        Each with the same baselines, ``climatology`` among them. Decided ones and those on windows that somebody
        acted upon are left out of the headline and scored apart.
    protocol : str
        What was replayed, in words.
    seed : int
    paths : int
        Sample paths behind a probability: log loss keeps probabilities 1 ÷ (paths + 2) off 0 and 1.
    draws : int
        Bootstrap draws.
    strata : bool
        Whether horizons, tiers, decided and treated statements are scored apart.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.terms.service_level import Period
    >>> end = [datetime(2027, 1 + w, 1, tzinfo=UTC) for w in range(11)]
    >>> made = [Statement(service=s, agreement=None, objective="o", tier="", kind="month", at=end[w], elapsed=0.0,
    ...                   period=Period(start=end[w], end=end[w + 1], label=str(w)), breached=w % 2 == 1,
    ...                   probability=0.9 if w % 2 else 0.1, baselines=(("climatology", 0.5), ("persistence", 0.4)))
    ...         for s in "ab" for w in range(10)]
    >>> score = evaluate(made, protocol="an example", seed=1, paths=500, draws=50)
    >>> round(score.brier, 4), score.brier_climatology, round(score.skill, 4), score.best_baseline
    (0.01, 0.25, 0.96, 'climatology')
    """
    kept = [s for s in statements if s.open and not s.treated]
    windows = {(s.kind, s.window) for s in kept}
    if len(kept) < FEWEST_STATEMENTS or len(windows) < FEWEST_WINDOWS:
        return Excuse(
            reason=f"{len(kept)} open statements on {len(windows)} closed windows; {FEWEST_STATEMENTS} on "
            f"{FEWEST_WINDOWS} are needed, after the first third of the windows, which calibrates",
            what_would_help="a longer history",
        )
    scores = _Scorer.of(kept, paths=paths, seed=seed, draws=draws)
    if scores.reference <= 0:
        return Excuse(reason="climatology is perfect: every window ended alike", what_would_help="a longer history")
    models = scores.models(scores.everything)
    ours = models[0]
    return RiskScore(
        decisions=len(kept),
        breaches=int(scores.outcome.sum()),
        brier=ours.brier,
        brier_climatology=scores.reference,
        skill=ours.skill.value,
        skill_low=ours.skill.low,
        skill_high=ours.skill.high,
        bins=scores.bins_with_intervals(),
        first=min(s.at for s in kept),
        last=max(s.at for s in kept),
        protocol=protocol,
        ece=ours.ece,
        log_loss=ours.log_loss,
        pr_auc=ours.pr_auc,
        models=models,
        best_baseline=scores.best,
        strata=_strata(statements, kept, scores, paths=paths, seed=seed, draws=draws) if strata else (),
        services=len({s.service for s in kept}),
        windows=len(windows),
        decided=sum(s.decided for s in statements),
        treated=sum(s.treated and s.open for s in statements),
    )


def _strata(
    statements: Sequence[Statement], kept: Sequence[Statement], scores: _Scorer, *, paths: int, seed: int, draws: int
) -> tuple[StratumScore, ...]:
    """Score the parts: horizons and tiers of the headline; decided and treated statements apart from it."""

    def split(by: str, value: Callable[[Statement], object], name: Callable[[object], str]) -> list[StratumScore]:
        values = [value(s) for s in kept]
        return [
            StratumScore(
                by=by,  # type: ignore[arg-type]
                part=name(v),
                statements=int(inside.sum()),
                breaches=int(scores.outcome[inside].sum()),
                models=scores.models(inside),
            )
            for v in sorted(set(values), key=lambda x: (isinstance(x, str), x))
            if (inside := np.array([x == v for x in values])).any()
        ]

    horizon = {s.elapsed: s.horizon for s in kept}
    found = split("horizon", lambda s: s.elapsed, lambda v: horizon[v])  # type: ignore[index]
    found += split("tier", lambda s: s.tier, lambda v: str(v) or "no tier")
    apart = (("outcome", "decided", [s for s in statements if s.decided]),
             ("action", "acted upon", [s for s in statements if s.treated and s.open]))  # fmt: skip
    for by, part, some in apart:
        if some:
            own = _Scorer.of(some, paths=paths, seed=seed, draws=draws, best=scores.best)
            found.append(
                StratumScore(
                    by=by,  # type: ignore[arg-type]
                    part=part,
                    statements=len(some),
                    breaches=int(own.outcome.sum()),
                    models=own.models(own.everything),
                )
            )
    return tuple(found)


class _Scorer:
    """Probabilities of all models on the same statements, and the draws that every interval is made with."""

    def __init__(
        self,
        stated: Mapping[str, NDArray[np.float64]],
        baselines: Sequence[str],
        outcome: NDArray[np.float64],
        blocks: Blocks,
        paths: int,
        best: str,
    ) -> None:
        self.stated, self.baselines, self.outcome, self.blocks, self.paths = stated, baselines, outcome, blocks, paths
        self.loss = {name: (p - outcome) ** 2 for name, p in stated.items()}
        self.everything = np.ones(len(outcome), dtype=np.bool_)
        self.best = best or min(baselines, key=lambda name: float(self.loss[name].mean()))

    @classmethod
    def of(cls, kept: Sequence[Statement], *, paths: int, seed: int, draws: int, best: str = "") -> _Scorer:
        baselines = [name for name, _ in kept[0].baselines]
        candidates = [name for name, _ in kept[0].candidates]
        common = set(candidates).intersection(*(dict(s.candidates) for s in kept))
        stated = {OURS: np.array([s.probability for s in kept])}
        for name in (n for n in candidates if n in common and n not in (OURS, *baselines)):
            stated[name] = np.array([dict(s.candidates)[name] for s in kept])
        table = [dict(s.baselines) for s in kept]
        for name in baselines:
            stated[name] = np.array([row[name] for row in table])
        return cls(
            stated,
            baselines,
            np.array([float(s.breached) for s in kept]),
            Blocks.of([s.service for s in kept], [f"{s.kind} {s.window}" for s in kept], seed=seed, draws=draws),
            paths,
            best,
        )

    @property
    def reference(self) -> float:
        """Brier score of climatology."""
        return float(self.loss[REFERENCE].mean())

    def models(self, inside: NDArray[np.bool_]) -> tuple[ModelScore, ...]:
        """Score every model on some of the statements: ours, candidates, baselines, each by rising Brier score."""
        weights = self.blocks.weights(inside)
        drawn = {name: weights.mean(loss) for name, loss in self.loss.items()}
        found = [self._model(name, inside, drawn) for name in self.stated]
        order = {"product": 0, "candidate": 1, "baseline": 2}
        return tuple(sorted(found, key=lambda m: (order[m.kind], m.brier, m.name)))

    def _model(self, name: str, inside: NDArray[np.bool_], drawn: Mapping[str, NDArray[np.float64]]) -> ModelScore:
        p, y, loss = self.stated[name][inside], self.outcome[inside], self.loss[name][inside]
        reference, best = self.loss[REFERENCE][inside], self.loss[self.best][inside]
        below = float(reference.mean())
        with np.errstate(divide="ignore", invalid="ignore"):
            skills = 1.0 - drawn[name] / drawn[REFERENCE]
        return ModelScore(
            name=name,
            kind="product" if name == OURS else "baseline" if name in self.baselines else "candidate",
            statements=len(p),
            brier=brier(p, y),
            skill=_estimate(1.0 - float(loss.mean()) / below if below > 0 else float("nan"), skills),
            log_loss=log_loss(p, y, paths=self.paths),
            ece=expected_calibration_error(p, y, bins=BINS),
            pr_auc=average_precision(p, y),
            to_climatology=_estimate(float((loss - reference).mean()), drawn[name] - drawn[REFERENCE]),
            to_best=_estimate(float((loss - best).mean()), drawn[name] - drawn[self.best]),
            bins=tuple(
                ReliabilityBin(predicted=float(p[k].mean()), observed=float(y[k].mean()), count=len(k))
                for k in equal_bins(p, BINS)
            ),
        )

    def bins_with_intervals(self) -> tuple[ReliabilityBin, ...]:
        """Return our statements in groups of like probability, with 90 % intervals of what happened."""
        p, found = self.stated[OURS], []
        for k in like_bins(p, bins=BINS):
            inside = np.zeros(len(p), dtype=np.bool_)
            inside[k] = True
            band = _estimate(float(self.outcome[k].mean()), self.blocks.weights(inside).mean(self.outcome), _BIN_LEVELS)
            found.append(
                ReliabilityBin(
                    predicted=float(p[k].mean()), observed=band.value, count=len(k), low=band.low, high=band.high
                )
            )
        return tuple(found)


def _estimate(value: float, drawn: NDArray[np.float64], levels: tuple[float, float] = _LEVELS) -> Estimate:
    """Return a number with the interval of its draws; draws that met no statement are left out."""
    usable = drawn[np.isfinite(drawn)]
    low, high = (float(q) for q in np.quantile(usable, levels)) if len(usable) else (value, value)
    return Estimate(value=value, low=low, high=high)
