"""The page about capacity, measures and drivers: its documents are read, its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

from forecasting.adapters._catalogue_fields import BLOCKS, MODELS, words_of
from forecasting.adapters.catalogues import YamlFolder
from forecasting.adapters.openslo import export_openslo
from forecasting.terms.history import Metric, MetricKind

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "catalogue-changes.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
SERVICES = "\n---\n".join(
    f"apiVersion: openslo/v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{description: {name}}}"
    for name in ("shop", "desk")
)
METRICS = {
    name: Metric(name=name, kind=MetricKind.NON_NEGATIVE)
    for name in ("used_tb", "calls", "requests", "nodes", "gbps", "tickets")
}


def test_its_documents_are_a_catalogue_that_survives_the_round_trip(tmp_path: Path) -> None:
    blocks = BLOCK.findall(PAGE)
    assert len(blocks) == 5
    (tmp_path / "first").mkdir()
    for number, text in enumerate([SERVICES, *blocks]):
        (tmp_path / "first" / f"{number}.yaml").write_text(text, encoding="utf-8")
    first = YamlFolder(tmp_path / "first", METRICS, currency="EUR", name="c").load()
    found = (first.resources, first.measures, first.horizon_drivers, first.scenarios)
    assert [len(one) for one in found] == [5, 2, 1, 2]
    storage = next(r for r in first.resources if r.name == "storage-tb")
    assert storage.lead_time.days == 14 * 7
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "all.yaml").write_text(export_openslo(first, ours=True), encoding="utf-8")
    again = YamlFolder(tmp_path / "again", METRICS, currency="EUR", name="c").load()
    assert (again.resources, again.measures, again.horizon_drivers, again.scenarios) == found


def test_its_tables_name_every_kind_and_every_field() -> None:
    table = PAGE.split("## Models of capacity")[1].split("```")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*?)\|", table, re.MULTILINE))
    rows.pop("kind")
    assert set(rows) == set(MODELS)
    for kind, row in rows.items():
        fields = set(re.findall(r"`(\w+)`", row)) - {"erlang_c"}
        known = set(MODELS[kind]) - (set(MODELS["erlang_c"]) if "as `erlang_c`" in row else set())
        assert fields == known, kind
    measures = PAGE.split("## A measure")[1].split("## A driver")[0]
    named = re.findall(r"^\| `(\w+)` \|", measures, re.MULTILINE)
    assert sorted(named) == sorted(["kind", *words_of("Measure", "kind")])
    driver = PAGE.split("## A driver")[1].split("## A scenario")[0]
    kinds = {*words_of("driverEffect", "kind"), *words_of("driverResourceEffect", "kind")}
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", driver, re.MULTILINE)))) - {"kind"} == kinds
    for block in ("Resource", "leadStep", "Measure", "HorizonDriver", "signpost", "outcome", "Scenario"):
        assert {name for name in BLOCKS[block] if not re.search(rf"\b{name}\b", PAGE)} == set(), block


def test_what_it_says_of_the_demo_is_so() -> None:
    folder = ROOT / "examples" / "meridian" / "catalogue"
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("2*.yaml")))
    kinds = re.findall(r"^kind: (\w+)$", text, re.MULTILINE)
    assert [kinds.count(kind) for kind in ("HorizonDriver", "Measure", "Scenario")] == [12, 10, 3]
    assert "twelve drivers, ten measures and three scenarios" in PAGE
