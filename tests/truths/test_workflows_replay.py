"""The track record: what was said in the past was said with the data of then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from proposals_fixture import agreement, objective

from forecasting.service_levels.breach.score import Decision, climatology
from forecasting.terms.catalogue import Catalogue, Service
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.service_level import CalendarWindow
from forecasting.terms.settings import Settings
from forecasting.workflows.prepare import prepare
from forecasting.workflows.replay import ELAPSED, WARM_DAYS, replay

START = datetime(2027, 1, 1, tzinfo=UTC)
DAYS = 190  # to 10 July
SETTINGS = Settings(paths=200, replay_paths=200)
SERVICES = ("cart", "shop")


def decisions(bad_from: int | None = None, *, days: int = DAYS, seed: int = 3) -> tuple[Decision, ...]:
    """Replay two services judged by the month; from day `bad_from` on everything is other than it was."""
    random = np.random.default_rng(seed)
    frames = []
    for name in SERVICES:
        total = random.integers(300, 500, DAYS)
        level = np.repeat(random.uniform(0.08, 0.12, DAYS // 10 + 1), 10)[:DAYS]
        bad = random.binomial(total, level)
        if bad_from is not None:
            total[bad_from:] *= 3
            bad[bad_from:] = total[bad_from:] * 15 // 100
        for metric, values in (("total", total), ("good", total - bad)):
            at = pd.date_range("2027-01-01", periods=days, freq="D")
            frames.append(
                pd.DataFrame({"service": name, "metric": metric, "at": at, "value": values[:days].astype(float)})
            )
    window = CalendarWindow(unit="month", zone="UTC")
    catalogue = Catalogue(
        name="two",
        services={name: Service(name=name) for name in SERVICES},
        metrics={n: Metric(name=n, kind=MetricKind.COUNT, step=timedelta(days=1)) for n in ("total", "good")},
        objectives=(replace(objective("0.9", name="internal"), window=window),),
        agreements=tuple(
            agreement(replace(objective("0.9", service=name), window=window), id_=f"sla-{name}") for name in SERVICES
        ),
    )
    as_of = START + timedelta(days=days)
    prepared = prepare(
        catalogue, pd.concat(frames), organisation="Two", currency="EUR", zone="UTC", as_of=as_of, settings=SETTINGS,
        code_version="test",
    )  # fmt: skip
    return replay(prepared.promises, catalogue, as_of=as_of, settings=SETTINGS)


def test_later_data_change_no_earlier_statement() -> None:
    june = (datetime(2027, 6, 1, tzinfo=UTC) - START).days
    as_it_was, turned = decisions(), decisions(june)
    cut = START + timedelta(days=june)
    before, same = ([d for d in found if d.window_end <= cut] for found in (as_it_was, turned))
    assert len(before) >= 10
    assert before == same  # to the bit, outcome and climatology too
    then, after = ({(d.service, d.at): d for d in found if d.window_end > cut} for found in (as_it_was, turned))
    assert all(d.breached for d in after.values())  # the change is felt
    for name in SERVICES:  # a statement made as June begins knows nothing of June
        assert after[name, cut].probability == then[name, cut].probability
        quarter = cut + timedelta(days=7.5)
        assert after[name, quarter].probability > then[name, quarter].probability


def test_a_later_cut_off_changes_no_earlier_statement() -> None:
    """What is replayed in July of April and May is what was replayed at the end of May."""
    then, now = decisions(days=(datetime(2027, 6, 1, tzinfo=UTC) - START).days), decisions()
    assert then
    assert tuple(d for d in now if d.window_end <= datetime(2027, 6, 1, tzinfo=UTC)) == then


def test_statements_are_made_at_quarters_of_closed_windows_after_the_warm_up() -> None:
    made = decisions()
    assert {d.service for d in made} == set(SERVICES)
    assert {d.objective for d in made} == {"on-time"}  # the internal objective is not scored
    assert {d.elapsed for d in made} <= set(ELAPSED)
    assert min(d.at for d in made) >= START + timedelta(days=WARM_DAYS)
    assert {d.window for d in made} <= {"2027-04", "2027-05", "2027-06"}  # July has not closed
    for d in made:
        length = d.window_end - datetime(2027, int(d.window[-2:]), 1, tzinfo=UTC)
        assert d.at == d.window_end - (1 - d.elapsed) * length
        assert 0.0 < d.probability < 1.0
        assert 0.0 < d.climatology < 1.0
    assert len({(d.service, d.window, d.at) for d in made}) == len(made)


def test_climatology_counts_windows_that_had_closed_by_then() -> None:
    """At the beginning of April three months of both services are known, whatever came later."""
    made = decisions()
    first = [d for d in made if d.at == datetime(2027, 4, 1, tzinfo=UTC)]
    possible = {climatology(own, 3, fleet, 6) for fleet in range(7) for own in range(min(fleet, 3) + 1)}
    assert first
    assert all(d.climatology in possible for d in first)
