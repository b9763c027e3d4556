"""Section 16: were we right: back-tests, chosen against naive, calibration of probabilities."""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.reports.base import Block, Bullets, Cell, Column, Details, Heading, Paragraph, table
from forecasting.reports.formatting import excuse_sentence, name, number, plural, probability, text
from forecasting.reports.track_record import track_record
from forecasting.terms.forecast import BacktestScore, ModelChoice
from forecasting.terms.plan import Plan


@dataclass(frozen=True, kw_only=True)
class ForecastAccountability:
    """Section 16."""

    number: int = 16
    title: str = "Forecast accountability"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return the score of the breach statements and the back-tests of the demand models."""
        return (*track_record(plan), Heading(text="How good were the demand forecasts"), *_demand(plan))


def _demand(plan: Plan) -> tuple[Block, ...]:
    """Return the back-tests, chosen model against seasonal naive."""
    choices = [s.choice for s in plan.services if s.choice is not None]
    if not choices:
        return (
            Paragraph(
                text="No demand model was back-tested, because no demand series was long enough or declared.",
                tone="muted",
            ),
        )
    scored = [(c, c.score(c.chosen)) for c in choices]
    better = sum(1 for _, s in scored if s is not None and s.sql_vs_naive < 1)
    of_all = f"{better} of {plural(len(scored), 'series', 'series')}"
    words = f"The chosen model beat seasonal naive out of sample (quantile loss) on {of_all}."
    columns = (
        Column(name="Service"),
        Column(name="Metric"),
        Column(name="Chosen"),
        Column(name="MASE", align="right"),
        Column(name="MASE ÷ naive", align="right"),
        Column(name="SQL ÷ naive", align="right"),
        Column(name="80 % band held", align="right"),
        Column(name="95 % band held", align="right"),
        Column(name="Bias", align="right"),
        Column(name="Origins", align="right"),
    )
    rows = [_row(c, s) for c, s in scored]
    note = "Errors are scaled by the in-sample seasonal naive error; lower is better, below 1 beats seasonal naive."
    blocks: list[Block] = [Paragraph(text=words), table("Back-tests of the chosen models", columns, rows, note=note)]
    blocks.append(Details(summary="Every model that ran", blocks=(_all_models(choices),)))
    declined = [f"{name(c.service)}, {name(model)}: {excuse_sentence(e)}" for c in choices for model, e in c.declined]
    if declined:
        blocks.append(Details(summary="Models that did not run", blocks=(Bullets(items=tuple(declined)),)))
    return tuple(blocks)


def _row(c: ModelChoice, s: BacktestScore | None) -> tuple[Cell, ...]:
    """Print the chosen model's back-test."""
    head = (text(c.service), text(c.metric), text(c.chosen))
    if s is None:
        none = text("not available, because it was not back-tested", tone="muted")
        return (*head, none, *(Cell(text="–", tone="muted") for _ in range(6)))
    return (*head, *_numbers(s))


def _numbers(s: BacktestScore) -> tuple[Cell, ...]:
    """Print one back-test."""
    worse = "bad" if s.sql_vs_naive > 1 else "plain"
    return (
        number(s.mase, digits=2),
        number(s.mase_vs_naive, digits=2),
        Cell(text=number(s.sql_vs_naive, digits=2).text, value=s.sql_vs_naive, tone=worse),  # type: ignore[arg-type]
        probability(s.coverage80),
        probability(s.coverage95),
        number(s.bias, digits=2),
        number(s.origins),
    )


def _all_models(choices: list[ModelChoice]) -> Block:
    """Return every model's back-test."""
    columns = (
        Column(name="Service"),
        Column(name="Metric"),
        Column(name="Model"),
        Column(name="MASE", align="right"),
        Column(name="MASE ÷ naive", align="right"),
        Column(name="SQL ÷ naive", align="right"),
        Column(name="80 % band held", align="right"),
        Column(name="95 % band held", align="right"),
        Column(name="Bias", align="right"),
        Column(name="Origins", align="right"),
    )
    rows = [
        (text(c.service), text(c.metric), text(f"{s.model} (chosen)" if s.model == c.chosen else s.model), *_numbers(s))
        for c in choices
        for s in c.scores
    ]
    return table("All back-tests", columns, rows)
