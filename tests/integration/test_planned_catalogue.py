"""Planned events and hierarchies as documents: what is read, what is refused and where, what is written back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from forecasting.adapters.catalogues import YamlFolder
from forecasting.adapters.openslo import export_openslo
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.covariate import Occurrence, PlannedEvent
from forecasting.terms.errors import CatalogueError, InputError
from forecasting.terms.hierarchy import DeclaredSum, trees_of
from forecasting.terms.history import Metric, MetricKind
from forecasting.workflows.planned_events import events_for
from forecasting.workspace.template import CATALOGUE

METRICS = {
    "orders": Metric(name="orders", kind=MetricKind.COUNT),
    "visits": Metric(name="visits", kind=MetricKind.COUNT),
    "share": Metric(name="share", kind=MetricKind.RATIO),
}
ZONES = {"shop": "Europe/Berlin", "north": "Europe/Berlin", "south": "Europe/Berlin", "asia": "Asia/Tokyo"}
SERVICES = "\n---\n".join(
    f"apiVersion: openslo/v1\nkind: Service\nmetadata:\n  name: {name}\n"
    f"  annotations: {{forecasting/zone: {zone}}}\nspec: {{description: {name}}}"
    for name, zone in ZONES.items()
)
EVENT = """\
apiVersion: forecasting/v1
kind: PlannedEvent
metadata: {name: spring-sale, displayName: Spring sale}
spec:
  description: Everything at half the price
  services: [shop, asia]
  metrics: [orders]
  occurrences:
    - {from: 2026-03-02, until: 2026-03-08}
    - {from: "2027-03-01T08:00:00+01:00", until: "2027-03-07T22:00:00+01:00", announced: 2027-01-15}
    - {from: 2027-11-26}
  effect: {percent: 62.5, source: Marketing plan of 2027}
"""
TREE = """\
apiVersion: forecasting/v1
kind: Hierarchy
metadata: {name: all-orders}
spec:
  description: All shops
  metric: orders
  total: shop
  parts: [north, south]
  method: bottom-up
---
apiVersion: forecasting/v1
kind: Hierarchy
metadata: {name: northern-orders}
spec: {metric: orders, total: north, parts: [asia], method: bottom-up}
"""
FILES = {"services.yaml": SERVICES, "event.yaml": EVENT, "tree.yaml": TREE}


def load(folder: Path, files: dict[str, str]) -> Catalogue:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return YamlFolder(folder, METRICS, currency="EUR", name="c").load()


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    catalogue = load(tmp_path, FILES)
    assert catalogue.events == (
        PlannedEvent(
            name="spring-sale",
            services=("shop", "asia"),
            metrics=("orders",),
            occurrences=(
                Occurrence(start=date(2026, 3, 2), end=date(2026, 3, 8)),
                Occurrence(
                    start=datetime(2027, 3, 1, 7, tzinfo=UTC),
                    end=datetime(2027, 3, 7, 21, tzinfo=UTC),
                    announced=date(2027, 1, 15),
                ),
                Occurrence(start=date(2027, 11, 26), end=date(2027, 11, 26)),
            ),
            stated_percent=Decimal("62.5"),
            source="Marketing plan of 2027",
            display_name="Spring sale",
            description="Everything at half the price",
        ),
    )
    assert catalogue.events[0].stated == 1.625
    assert catalogue.hierarchies == (
        DeclaredSum(name="all-orders", metric="orders", total="shop", parts=("north", "south"), method="bottom-up",
                    description="All shops"),
        DeclaredSum(name="northern-orders", metric="orders", total="north", parts=("asia",), method="bottom-up"),
    )  # fmt: skip
    (tree,) = trees_of(catalogue.hierarchies)
    assert tree.names == ("all-orders", "northern-orders")
    assert dict(zip(tree.hierarchy.aggregates, tree.hierarchy.members, strict=True)) == {
        ("shop", "orders"): (("south", "orders"), ("asia", "orders")),
        ("north", "orders"): (("asia", "orders"),),
    }


def test_export_gives_the_same_terms_again(tmp_path: Path) -> None:
    first = load(tmp_path, FILES)
    text = export_openslo(first, ours=True)
    again = tmp_path / "again"
    again.mkdir()
    second = load(again, {"all.yaml": text})
    assert (second.events, second.hierarchies) == (first.events, first.hierarchies)
    assert export_openslo(second, ours=True) == text
    assert "PlannedEvent" not in export_openslo(first), "not a kind of the standard"


def test_days_are_those_of_each_service_and_instants_are_not(tmp_path: Path) -> None:
    events = events_for(load(tmp_path, FILES), ZONES)
    found = {(event.service, event.start, event.end, event.known_from) for event in events}
    assert len(events) == 6
    assert ("shop", datetime(2026, 3, 1, 23, tzinfo=UTC), datetime(2026, 3, 8, 23, tzinfo=UTC), None) in found
    assert ("asia", datetime(2026, 3, 1, 15, tzinfo=UTC), datetime(2026, 3, 8, 15, tzinfo=UTC), None) in found
    instants = datetime(2027, 3, 1, 7, tzinfo=UTC), datetime(2027, 3, 7, 21, tzinfo=UTC)
    assert ("asia", *instants, datetime(2027, 1, 14, 15, tzinfo=UTC)) in found
    assert {event.stated for event in events} == {1.625}
    assert {event.metric for event in events} == {"orders"}


def test_all_services_and_metrics_are_what_nothing_says(tmp_path: Path) -> None:
    plain = EVENT.replace("  services: [shop, asia]\n  metrics: [orders]\n", "")
    said = EVENT.replace("[shop, asia]", "all").replace("metrics: [orders]", "metrics: all")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = load(tmp_path / "a", {**FILES, "event.yaml": plain})
    assert one.events == load(tmp_path / "b", {**FILES, "event.yaml": said}).events
    assert one.events[0].concerns("north", "share")
    together = events_for(one, ["shop", "north"])
    assert {event.service for event in together} == {None}, "one zone: once for all"
    assert {event.service for event in events_for(one, ["shop", "asia"])} == {"shop", "asia"}


def test_a_catalogue_without_them_has_none_and_asks_nothing(tmp_path: Path) -> None:
    catalogue = load(tmp_path, {"services.yaml": SERVICES})
    assert (catalogue.events, catalogue.hierarchies, trees_of(())) == ((), (), ())
    assert events_for(catalogue, ZONES) == ()
    assert export_openslo(catalogue, ours=True).count("kind:") == len(ZONES)


MISTAKES = [
    # file, old, new, line, field, hint
    ("event.yaml", "occurrences:", "occurences:", 8, "spec.occurences", "occurrences"),
    ("event.yaml", "percent: 62.5", "percnt: 62.5", 12, "spec.effect.percnt", "percent"),
    ("event.yaml", "until: 2026-03-08}", "untill: 2026-03-08}", 9, "spec.occurrences[0].untill", "until"),
    ("event.yaml", "[shop, asia]", "[shp, asia]", 6, "spec.services", "shop"),
    ("event.yaml", "[orders]", "[order]", 7, "spec.metrics", "orders"),
    ("event.yaml", "[shop, asia]", "[]", 6, "spec.services", "services: [...]"),
    ("event.yaml", "[shop, asia]", "shop", 6, "spec.services", "services: [shop]"),
    ("event.yaml", "[shop, asia]", "[shop, shop]", 6, "spec.services[1]", "remove it"),
    ("event.yaml", "until: 2026-03-08", "until: 2026-03-01", 9, "spec.occurrences[0].until", "correct the dates"),
    ("event.yaml", "2026-03-02,", "2026-02-30,", 9, "spec.occurrences[0].from", "2027-03-31"),
    ("event.yaml", "08:00:00+01:00", "08:00:00", 10, "spec.occurrences[1].from", "+01:00, with the offset"),
    ("event.yaml", ', until: "2027-03-07T22:00:00+01:00"', "", 10, "spec.occurrences[1].until", "add until"),
    ("event.yaml", "{from: 2027-11-26}", "{from: 2026-03-08}", 11, "spec.occurrences[2].from", "join them"),
    ("event.yaml", "{from: 2027-11-26}", "{until: 2027-11-26}", 11, "spec.occurrences[2].from", "add from"),
    ("event.yaml", "{from: 2027-11-26}", "2027-11-26", 11, "spec.occurrences[2]", "a mapping"),
    ("event.yaml", "percent: 62.5", "percent: -101", 12, "spec.effect.percent", "40"),
    ("event.yaml", "percent: 62.5", "percent: much", 12, "spec.effect.percent", "a number"),
    ("event.yaml", ", source: Marketing plan of 2027", "", 12, "spec.effect.source", "add source"),
    (
        "event.yaml",
        "{percent: 62.5, source: Marketing plan of 2027}",
        "62.5",
        12,
        "spec.effect",
        "effect: {percent: ...}",
    ),
    ("tree.yaml", "parts: [north, south]", "part: [north, south]", 8, "spec.part", "parts"),
    ("tree.yaml", "metric: orders\n  total", "metric: order\n  total", 6, "spec.metric", "orders"),
    (
        "tree.yaml",
        "metric: orders\n  total",
        "metric: share\n  total",
        6,
        "spec.metric",
        "the good and the total events",
    ),
    ("tree.yaml", "total: shop", "total: shopp", 7, "spec.total", "shop"),
    ("tree.yaml", "[north, south]", "[north, soth]", 8, "spec.parts", "south"),
    ("tree.yaml", "[north, south]", "[]", 8, "spec.parts", "parts: [...]"),
    ("tree.yaml", "[north, south]", "[north, north]", 8, "spec.parts[1]", "remove it"),
    ("tree.yaml", "[north, south]", "[north, shop]", 8, "spec.parts", "remove it"),
    ("tree.yaml", "method: bottom-up\n---", "method: bottom\n---", 9, "spec.method", "bottom-up"),
    ("tree.yaml", "method: bottom-up\n---", "method: mint\n---", 14, "spec.method", "method: mint"),
    ("tree.yaml", "parts: [asia]", "parts: [south]", 14, "spec.parts", "remove it from one of the two"),
    ("tree.yaml", "parts: [asia]", "parts: [shop]", 14, "spec.parts", "remove one of these links"),
    ("tree.yaml", "total: north", "total: shop", 14, "spec.total", "join the two"),
]


@pytest.mark.parametrize(("file", "old", "new", "line", "field", "hint"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_named_with_its_place(
    file: str, old: str, new: str, line: int, field: str, hint: str, tmp_path: Path
) -> None:
    assert FILES[file].count(old) == 1
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, {**FILES, file: FILES[file].replace(old, new)})
    named = [p for p in caught.value.problems if p.argument == field and hint in p.try_instead]
    assert named, [str(p) for p in caught.value.problems]
    assert named[0].file is not None
    assert named[0].file.endswith(f"/{file}")
    assert named[0].line == line


@pytest.mark.parametrize(
    ("sums", "words"),
    [
        ([("a", ("b",)), ("b", ("a",))], "no circle"),
        ([("a", ("b", "c")), ("d", ("c",))], "every node once"),
        ([("a", ("b",)), ("a", ("c",))], "every node once"),
    ],
)
def test_sums_made_in_code_are_checked_too(sums: list[tuple[str, tuple[str, ...]]], words: str) -> None:
    made = [DeclaredSum(name=f"h{i}", metric="orders", total=t, parts=p) for i, (t, p) in enumerate(sums)]
    with pytest.raises(InputError, match=words):
        trees_of(made)


def test_trees_of_two_metrics_do_not_touch() -> None:
    made = [DeclaredSum(name=m, metric=m, total="shop", parts=("north", "south")) for m in ("orders", "visits")]
    assert [tree.metric for tree in trees_of(made)] == ["orders", "visits"]


def test_the_examples_of_the_page_and_of_the_template_are_read(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "forecasting.md").read_text(encoding="utf-8")
    text = page.split("```yaml\n")[1].split("```")[0]
    catalogue = load(tmp_path, {"services.yaml": SERVICES, "page.yaml": text.replace("west", "asia")})
    assert [len(event.occurrences) for event in catalogue.events] == [3]
    assert [one.total for one in catalogue.hierarchies] == ["shop"]

    named = [line[2:] for line in CATALOGUE.splitlines() if line.startswith("# ")]
    lines = [line for line in named if not line.endswith(".")]
    template = "\n".join(lines).replace("[web-shop-de, web-shop-at]", "[north, south]").replace("web-shop", "shop")
    folder = tmp_path / "template"
    folder.mkdir()
    found = load(folder, {"services.yaml": SERVICES, "new.yaml": template.replace("requests, total", "orders, total")})
    assert (len(found.events), len(found.hierarchies)) == (1, 1)
    assert found.events[0].stated == 1.4
