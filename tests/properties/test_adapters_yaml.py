"""The strict YAML reader: a table of what people write and what it must mean."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.adapters._strict_yaml import decode_yaml, parse_yaml
from forecasting.terms.errors import InputError

SCALARS = {
    "no": "text", "off": "text", "on": "text", "yes": "text", "Y": "text", "n": "text", "NO": "text",
    "1:30": "text", "12:30:45": "text", "2013-01-01": "text", "2013-01-01 00:00:00": "text", "99.9%": "text",
    "1_000": "text", "0x1F": "text", "0o17": "text", "1M": "text", "30d": "text", "=": "text", "99,9": "text",
    "true": "bool", "False": "bool", "TRUE": "bool", "tRue": "text",
    "null": "null", "~": "null", "Null": "null", "NULL": "null", "none": "text", "NA": "text", "nan": "text",
    "012": "number", "007": "number", "1e3": "number", "0.80": "number", "-1": "number", "+1": "number",
    ".5": "number", "5.": "number", ".inf": "number", "-.INF": "number", ".nan": "number", "1.10": "number",
    "99.999999999999999999": "number", "1e": "text", "1.2.3": "text", "0.1e-3": "number",
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), SCALARS.items())
def test_plain_scalars_follow_yaml_1_2_and_keep_their_text(text: str, kind: str) -> None:
    documents, problems = parse_yaml(f"a: {text}\nb: '{text}'\n", file="x.yaml")
    assert problems == []
    assert documents[0].fields["a"].kind == kind
    assert documents[0].fields["a"].text == text
    assert (documents[0].fields["b"].kind, documents[0].fields["b"].text) == ("text", text)


REFUSED = [
    ("a: 1\nb: 2\na: 3\n", 3, "first on line 1"),
    ("a:\n  b: 1\n  c: 2\n  b: 3\n", 4, "first on line 2"),
    ("a: !!python/object/apply:os.system ['echo x']\n", 1, "no tags"),
    ("a: !!timestamp 2013-01-01\n", 1, "no tags"),
    ("\na: !mine {b: 1}\n", 2, "no tags"),
    ("a: &x [*x]\n", 1, "complete"),
    ("a: *nowhere\n", 1, "anchor"),
    ("base: &b {x: 1}\nuse:\n  <<: *b\n", 3, "merge keys"),
    ("a: 'open\n", 1, "YAML"),
    ("a: 1\n  b: 2\n", 2, "YAML"),
    ("a:\n\t- b\n", 2, "not tabs"),
    ("? [1, 2]\n: b\n", 1, "text as a key"),
    ("a: \x01\n", 1, "printable"),
    ("- 1\n] \n", 2, "YAML"),
    ("[" * 2000, 1, "depth"),
    ("".join(" " * i + "a:\n" for i in range(60)), 51, "depth"),
    ("- " * 60 + "x\n", 1, "depth"),
]


@pytest.mark.parametrize(("text", "line", "said"), REFUSED)
def test_what_yaml_would_guess_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    _, problems = parse_yaml(text, file="x.yaml")
    assert problems[0].line == line
    assert said in str(problems[0])
    assert str(problems[0]).startswith(f"x.yaml:{line}: ")


def test_aliases_are_expanded_up_to_a_limit_and_a_bomb_costs_nothing() -> None:
    documents, problems = parse_yaml("a: &a {x: 1}\nb: *a\n", file="x.yaml")
    assert problems == []
    assert documents[0].plain() == {"a": {"x": "1"}, "b": {"x": "1"}}
    bomb = "a0: &a0 [" + "x," * 9 + "x]\n"
    bomb += "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
    began = time.process_time()
    _, problems = parse_yaml(bomb, file="x.yaml")
    assert "10000 nodes" in str(problems[0])
    assert time.process_time() - began < 0.5


def test_nesting_through_aliases_counts_as_depth() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 80))
    _, problems = parse_yaml(chain, file="x.yaml")
    assert "depth" in str(problems[0])


def test_many_documents_with_lines_and_byte_order_mark() -> None:
    text = decode_yaml(b"\xef\xbb\xbfa: 1\r\n---\r\n# only a comment\r\n---\r\nb: 2\r\n", file="x.yaml")
    documents, problems = parse_yaml(text, file="x.yaml")
    assert problems == []
    assert [(d.line, d.plain()) for d in documents] == [(1, {"a": "1"}), (5, {"b": "2"})]


@pytest.mark.parametrize("data", [b"a: \xff\n", "a: ü".encode("latin-1"), b"a: 1\n" * 1_100_000])
def test_other_encodings_and_huge_files_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        decode_yaml(data, file="x.yaml")


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{},&*!?|>'\"#% \n\t0.~<=@`\\é", max_size=40))
def test_any_text_is_read_or_refused_and_never_crashes(text: str) -> None:
    documents, problems = parse_yaml(text, file="x.yaml")
    for document in documents:
        document.plain()
    assert all(problem.line and problem.line >= 1 for problem in problems)
