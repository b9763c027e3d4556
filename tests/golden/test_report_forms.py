"""The forms of the plan: the same numbers, no holes, inert text, words for every drawing, always the same bytes."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import time
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest
from plan_fixture import CUSTOMERS, HOSTILE, empty_plan, make_plan

from forecasting.reports.render import render_html, render_json, render_markdown, summary_text
from forecasting.terms.plan import Plan

PAYLOADS = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "]]><svg onload=alert(1)>",
    "{{7*7}}", "{% raw %}", "'\" onmouseover=alert(1) x='", "</title></style><script>1</script>", "\u202etxt.exe",
    "a\x00b\x1b[31m", "[x](javascript:alert(1))", "![x](http://evil.example/x.png)", "<http://evil.example>",
    "$x_$", r"$\frac{1}{", "=1+1", "@SUM(A1)", "|a|b|", "# head", "_hidden", "&lt;b&gt;", "<!--", "-->", "x" * 100_000,
)  # fmt: skip


@cache
def forms() -> tuple[str, str, str]:
    plan = make_plan()
    return render_html(plan), render_markdown(plan), render_json(plan)


class Page(HTMLParser):
    """Collects what a browser would act on, and the tables."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.key_figures: list[str] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)
        if tag == "table":
            self.tables.append(("", []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag == "td":
            self.tables[-1][1][-1].append("")
        elif tag == "dd":
            self.key_figures.append("")
        elif tag in {"meta", "col", "br"}:
            self.open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside == "script":
            self.scripts.append(data)
        elif inside == "style":
            self.styles.append(data)
        else:
            self.text.append(data)
        if inside == "td":
            self.tables[-1][1][-1][-1] += data
        elif inside == "caption":
            self.tables[-1] = (self.tables[-1][0] + data, self.tables[-1][1])
        elif inside == "dd":
            self.key_figures[-1] += data


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


def json_blocks(node: object, kind: str) -> list[dict[str, object]]:
    """Return every block of a kind, in document order."""
    found: list[dict[str, object]] = []
    if isinstance(node, dict):
        if node.get("type") == kind:
            found.append(node)
        for key in ("sections", "blocks", "data"):
            found += json_blocks(node.get(key), kind)
    elif isinstance(node, list):
        for item in node:
            found += json_blocks(item, kind)
    return found


def markdown_tables(text: str) -> list[tuple[str, list[list[str]]]]:
    """Return caption and cells of every table of the Markdown form."""
    tables: list[tuple[str, list[list[str]]]] = []
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if line.startswith("| ---"):
            rows = []
            for row in lines[at + 1 :]:
                if not row.startswith("|"):
                    break
                rows.append([plain(c) for c in re.split(r"(?<!\\) \| ", row[2:-2])])
            tables.append((plain(lines[at - 3].strip("*")), rows))
    return tables


def plain(markdown: str) -> str:
    """Undo the escaping of the Markdown form."""
    return html.unescape(re.sub(r"\\(.)", r"\1", markdown))


def test_the_three_forms_print_the_same_tables() -> None:
    page, md, document = parsed(forms()[0]), markdown_tables(forms()[1]), json.loads(forms()[2])
    from_json = [
        (str(t["caption"]), [[str(c["text"]) for c in row] for row in t["rows"]])  # type: ignore[attr-defined]
        for t in json_blocks(document, "table")
    ]
    from_html = [(caption, [row for row in rows if row]) for caption, rows in page.tables]
    assert from_html == from_json
    assert len(from_json) > 30
    short = [t for t in from_json if len(t[1]) <= 40]
    assert md == short
    assert len(short) > 25


def test_the_three_forms_print_the_same_key_figures() -> None:
    page, document = parsed(forms()[0]), json.loads(forms()[2])
    items = [i for b in json_blocks(document, "key_figures") for i in b["items"]]  # type: ignore[attr-defined]
    assert len(items) > 20
    shown = page.key_figures
    for item in items:
        assert item["text"] in shown
        assert f": **{item['text']}**" in plain(forms()[1])


def test_a_changed_number_changes_every_form() -> None:
    plan = make_plan()
    dearer = replace(plan.proposals[0], loss_if_not_decided=987654.0)
    changed = replace(plan, proposals=(dearer, *plan.proposals[1:]))
    for render in (render_html, render_markdown, render_json, summary_text):
        assert "USD 987,654" in render(changed)
        assert "USD 987,654" not in render(plan)


def test_there_is_no_hole_in_the_text() -> None:
    holes = re.compile(r"\b(nan|NaN|None|inf|Infinity|NaT|null|undefined)\b")
    for plan in (make_plan(), empty_plan()):
        page = parsed(render_html(plan))
        assert not holes.search(" ".join(page.text))
        assert not holes.search(render_markdown(plan))
        assert not holes.search(summary_text(plan))
        document = render_json(plan)
        assert not re.search(r"\b(NaN|Infinity|null)\b", document)


def test_json_is_one_document_with_sorted_keys() -> None:
    document = json.loads(forms()[2])
    assert document["schema_version"] == 1
    assert document["data_cut_off"] == "2013-09-11T04:00:00Z"
    assert json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1) + "\n" == forms()[2]


def assert_inert(text: str) -> Page:
    """Check that a page holds no script, handler, style attribute or foreign address but our own."""
    page = parsed(text)
    assert [t for t, _ in page.tags if t == "script"] == ["script"]
    assert [t for t, _ in page.tags if t == "style"] == ["style"]
    assert not {t for t, _ in page.tags} & {
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "form",
        "image",
        "foreignobject",
    }
    for tag, attributes in page.tags:
        for key, value in attributes.items():
            assert not key.startswith("on"), (tag, key)
            assert key != "style", tag
            if key in {"href", "src", "xlink:href", "action"} or "url(" in (value or ""):
                assert re.fullmatch(r"#[\w.-]+|url\(#[\w.-]+\)", value or ""), (tag, key, value)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    return page


def test_the_policy_allows_exactly_our_own_script_and_style() -> None:
    page = assert_inert(forms()[0])
    policy = next(
        a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for content in ("".join(page.scripts), "".join(page.styles)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_hostile_names_of_the_fixture_are_printed_as_they_are() -> None:
    page = assert_inert(forms()[0])
    words = " ".join(page.text)
    for name in (*HOSTILE, CUSTOMERS["hostile"]):
        assert name in words
    assert "<script" not in forms()[1]


def hostile(plan: Plan, payload: str) -> Plan:
    """Put a payload into every kind of text field."""
    s = plan.services[0]
    o = s.objectives[0]
    assert o.agreement is not None
    assert s.forecast is not None
    r = replace(o.risks[0], basis=payload, causes=(replace(o.risks[0].causes[0], name=payload, evidence=payload),))
    outlook = replace(
        o,
        agreement=replace(o.agreement, id=payload, promise=payload, version=payload),
        objective=replace(o.objective, display_name=payload),
        risks=(replace(r, period=replace(r.period, label=payload)), *o.risks[1:]),
    )
    service = replace(
        s,
        service=replace(s.service, display_name=payload, owner=payload, tier=payload, depends_on=(payload,)),
        forecast=replace(s.forecast, service=payload, model=payload, metric=replace(s.forecast.metric, unit=payload)),
        objectives=(outlook,),
        recommendation=payload,
    )
    p = plan.proposals[0]
    proposal = replace(
        p, title=payload, problem=payload, evidence=(payload,), owner=payload, success_measure=payload,
        options=tuple(replace(x, label=payload, side_effects=payload, rejected_because=payload) for x in p.options),
    )  # fmt: skip
    return replace(
        plan, organisation=payload, services=(service,), proposals=(proposal,), assumptions=(payload,),
        requirements=(replace(plan.requirements[0], resource=payload, unit=payload, check=payload),),
        warnings=(replace(plan.warnings[0], note=payload, inform=(payload,), confidence=payload),),
        manifest=replace(plan.manifest, code_version=payload, settings=((payload, payload),)),
    )  # fmt: skip


def test_payloads_in_every_text_field_stay_text() -> None:
    plan = make_plan()
    for at in range(0, len(PAYLOADS), 4):
        payload = " ".join(PAYLOADS[at : at + 4])
        page = hostile(plan, payload)
        shown = assert_inert(render_html(page))
        if "{{7*7}}" in payload:
            assert "{{7*7}}" in " ".join(shown.text)
        md = render_markdown(page)
        assert not re.search(r"<(?!br)[a-zA-Z!/]", md), payload
        assert not re.search(r"(?<!\\)\]\(", md), payload
        assert "\u202e" not in md
        assert "\x1b" not in summary_text(page)
        json.loads(render_json(page))


def test_every_figure_has_words_and_numbers() -> None:
    page = parsed(forms()[0])
    drawings = [a for t, a in page.tags if t == "svg"]
    figures = json_blocks(json.loads(forms()[2]), "figure")
    assert len(drawings) == len(figures) == 8
    for drawing, figure in zip(drawings, figures, strict=True):
        assert drawing["role"] == "img"
        assert drawing["aria-label"] == figure["alt"]
        assert len(str(figure["alt"])) > 40
        assert "Data until 2013-09-11T04:00Z" in str(figure["caption"])
        assert figure["data"]
        assert all(t["rows"] for t in figure["data"])  # type: ignore[attr-defined]


def test_two_renders_are_equal() -> None:
    for render in (render_html, render_markdown, render_json, summary_text):
        assert render(make_plan()) == render(make_plan())


def test_decisions_and_key_figures_come_first() -> None:
    page = forms()[0]
    assert page.index('id="section-1"') < page.index('id="section-2"') < page.index('id="section-4"')
    decisions = json_blocks(json.loads(forms()[2])["sections"][1], "table")[0]
    assert [c["name"] for c in decisions["columns"]] == [  # type: ignore[attr-defined]
        "No.", "Decision", "Decide by", "Cost over the horizon", "P(miss) before", "P(miss) after", "If not decided",
    ]  # fmt: skip
    costs = decisions["rows"][0][3]  # type: ignore[index]
    assert costs["price_date"] == "2013-01-01"


def test_at_most_seven_decisions() -> None:
    plan = make_plan()
    many = tuple(replace(plan.proposals[0], id=f"p{i}") for i in range(12))
    first = json.loads(render_json(replace(plan, proposals=many)))["sections"][1]
    assert len(json_blocks(first, "table")[0]["rows"]) == 7  # type: ignore[arg-type]
    assert "5 further proposals" in json_blocks(first, "paragraph")[0]["text"]  # type: ignore[operator]


def test_the_summary_fits_a_terminal() -> None:
    plan = make_plan()
    many = replace(plan, proposals=tuple(replace(plan.proposals[0], id=f"p{i}") for i in range(12)))
    for shown in (summary_text(plan), summary_text(many), summary_text(empty_plan())):
        lines = shown.splitlines()
        assert len(lines) <= 40
        assert max(map(len, lines)) <= 110


@pytest.mark.nightly
def test_a_plan_of_26_services_is_small_and_quick() -> None:
    plan = make_plan(copies=12)
    begin = time.process_time()
    page = render_html(plan)
    render_markdown(plan)
    document = render_json(plan)
    assert time.process_time() - begin < 10
    assert len(page.encode()) < 6_000_000
    assert len(document.encode()) < 6_000_000
