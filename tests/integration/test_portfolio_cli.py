"""What to fund, from the command line, on real proposals."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import AS_OF, digest, quick, run

pytestmark = pytest.mark.usefixtures("quick_models")
QUICK = ("--paths", "200", "--jobs", "1", "--as-of", AS_OF, "--seed", "3")


def test_the_budget_is_kept_and_more_of_it_never_hurts(workspace: Path) -> None:
    before = digest(workspace)
    spent = []
    for budget in (0, 1_000_000_000):
        answer = run("portfolio", "-w", workspace, "--budget", budget, *QUICK, "--json")
        assert answer.code == 0, answer.err
        found = answer.document["data"]
        assert sum(found["spent"]) <= budget + 1e-6
        assert found["proposals"]
        assert sorted(p["rank"] for p in found["proposals"] if p["rank"]) == list(
            range(1, 1 + sum(p["rank"] is not None for p in found["proposals"]))
        )
        spent.append(sum(found["spent"]))
    assert spent[0] <= spent[1]
    assert digest(workspace) == before


def test_the_tables_say_what_is_funded_and_what_is_not(workspace: Path) -> None:
    answer = run("portfolio", "-w", workspace, "--budget", 10, *QUICK)
    assert answer.code == 0, answer.err
    assert "budget 10 USD" in answer.out


def test_a_negative_budget_is_refused(workspace: Path) -> None:
    answer = run("portfolio", "-w", workspace, "--budget", "-5", *QUICK)
    assert answer.code == 2
    assert "0 or more" in " ".join(answer.err.split())


def test_a_resource_says_how_much_more_of_its_business_driver_it_carries(workspace: Path) -> None:
    plan = quick(workspace).compute(AS_OF, depth="proposals")
    need = next(r for r in plan.requirements if r.resource == "lga-departure-capacity")
    own = next(d for d in need.driver_capacity if d.driver == "lga-departures")
    # A resource that carries in proportion: what is left of it is what is left of the driver.
    assert own.residual / own.now == pytest.approx(need.headroom_now / need.use_now, rel=1e-9)
    assert 200 < own.now < 400  # departures on a busy day at LaGuardia
    assert need.decide_by is None or need.order_by is None or need.decide_by <= need.order_by
    assert [t.preset for t in need.time_remaining] == ["conservative", "expected", "aggressive"]
    assert need.swings
