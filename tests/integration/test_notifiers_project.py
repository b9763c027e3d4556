"""The notifiers of a project file: what it says is read exactly, what cannot be used is named with its line."""

# ruff: noqa: E501 - the tables of mistakes read best with one mistake a line

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from forecasting.adapters.catalogues import load_project
from forecasting.adapters.notifiers import NOTIFIERS, build_notifiers
from forecasting.terms.errors import CatalogueError
from forecasting.terms.project import NotifierSpec, Project
from forecasting.terms.warning import Severity

HEAD = """\
apiVersion: forecasting/v1
kind: Project
metadata: {name: shop}
spec:
  organisation: Shop
  currency: EUR
  catalogue: catalogue
  metrics: {orders: {kind: count, unit: orders, step: 1h}}
  sources: [{name: orders, path: orders.csv}]
"""
TEXT = (
    HEAD
    + """\
  notifiers:
    - {name: file, kind: json_lines, path: warnings/all.jsonl}
    - {name: chat, kind: webhook, urlEnv: CHAT_URL, atLeast: warning}
    - {name: desk, kind: webhook, url: "https://desk.example.org/api/v1/early-warnings", tokenEnv: DESK_TOKEN, payload: record}
    - {name: mail, kind: smtp, url: "smtp://mail.example.org:2525", user: ops, tokenEnv: MAIL_PASSWORD, sender: a@example.org, to: [b@example.org, c@example.org]}
    - {name: page, kind: alertmanager, url: "http://127.0.0.1:9093", atLeast: critical, repeatEvery: 5m}
"""
)


def load(tmp_path: Path, text: str) -> Project:
    (tmp_path / "forecasting.yaml").write_text(text)
    return load_project(tmp_path, suffixes=(".csv", ".parquet"))


def test_notifiers_load(tmp_path: Path) -> None:
    project = load(tmp_path, TEXT)
    assert project.notifiers == (
        NotifierSpec(name="file", kind="json_lines", path="warnings/all.jsonl"),
        NotifierSpec(name="chat", kind="webhook", url_env="CHAT_URL", at_least=Severity.WARNING),
        NotifierSpec(name="desk", kind="webhook", url="https://desk.example.org/api/v1/early-warnings", token_env="DESK_TOKEN", payload="record"),
        NotifierSpec(name="mail", kind="smtp", url="smtp://mail.example.org:2525", user="ops", token_env="MAIL_PASSWORD", sender="a@example.org", to=("b@example.org", "c@example.org")),
        NotifierSpec(name="page", kind="alertmanager", url="http://127.0.0.1:9093", at_least=Severity.CRITICAL, repeat_every=timedelta(minutes=5)),
    )  # fmt: skip
    made = build_notifiers(project, tmp_path, environment={})
    assert [(notifier.name, notifier.repeat_every) for notifier in made][-1] == ("page", timedelta(minutes=5))
    assert load(tmp_path, HEAD).notifiers == ()


def test_every_field_of_every_kind_is_tried_here() -> None:
    used = {
        key
        for line in TEXT.splitlines()
        for key in ("url", "urlEnv", "tokenEnv", "user", "sender", "to", "path", "payload", "repeatEvery")
        if f"{key}:" in line
    }
    assert used == {key for kind in NOTIFIERS.values() for key in kind.form.fields}


MISTAKES = [
    ("kind: json_lines", "kind: jsonlines", 11, "try: json_lines"),
    ("path: warnings/all.jsonl", "path: ../all.jsonl", 11, "inside the workspace"),
    ("path: warnings/all.jsonl", "path: /var/log/all.jsonl", 11, "inside the workspace"),
    ("path: warnings/all.jsonl", "path: leak/all.jsonl", 11, "link out of it"),
    ("path: warnings/all.jsonl", "path: forecasting.yaml", 11, "ending in .jsonl"),
    (", path: warnings/all.jsonl", "", 11, "add path"),
    (
        "path: warnings/all.jsonl",
        "path: a.jsonl, url: 'http://127.0.0.1'",
        11,
        "belongs to kind webhook or smtp or alertmanager",
    ),
    ("path: warnings/all.jsonl", "paths: a.jsonl", 11, "try: path"),
    ("name: chat", "name: file", 12, "used once"),
    ("name: chat", "name: Chat room", 12, "RFC 1123"),
    ("name: chat, ", "", 12, "add name"),
    ("urlEnv: CHAT_URL, ", "", 12, "exactly one of url and urlEnv"),
    ("urlEnv: CHAT_URL", "urlEnv: CHAT_URL, url: 'https://h'", 12, "exactly one of url and urlEnv"),
    (
        "urlEnv: CHAT_URL",
        "urlEnv: 'https://hooks.slack.com/services/T0/B0/S3CRET'",
        12,
        "name of an environment variable",
    ),
    ("urlEnv: CHAT_URL", "url: 'https://hooks.slack.com/services/T0/B0/S3CRET'", 12, "which is a secret"),
    ("urlEnv: CHAT_URL", "url: 'https://chat.example.org/hooks/S3CRETa8f2k1x9w7q5r3t1'", 12, "URL without secrets"),
    ("urlEnv: CHAT_URL", "url: 'https://user:S3CRET@chat.example.org/x'", 12, "URL without secrets"),
    ("urlEnv: CHAT_URL", "url: 'https://chat.example.org/x?key=S3CRET'", 12, "URL without secrets"),
    ("urlEnv: CHAT_URL", "url: 'ftp://chat.example.org/x'", 12, "https:// or http://"),
    ("urlEnv: CHAT_URL", "url: 'file:///etc/passwd'", 12, "https:// or http://"),
    ("urlEnv: CHAT_URL", "url: 'http://169.254.169.254/latest'", 12, "metadata"),
    ("urlEnv: CHAT_URL", "url: 'http://2130706433/'", 12, "usual form"),
    ("atLeast: warning", "atLeast: warn", 12, "try: warning"),
    ("atLeast: warning", "atleast: warning", 12, "try: atLeast"),
    ("atLeast: warning", "to: [a@example.org]", 12, "belongs to kind smtp"),
    ("payload: record", "payload: records", 13, "try: record"),
    ("tokenEnv: DESK_TOKEN", "tokenEnv: 'Bearer S3CRET'", 13, "name of an environment variable"),
    ("smtp://mail.example.org:2525", "http://mail.example.org", 14, "smtps:// or smtp://"),
    ("smtp://mail.example.org:2525", "smtp://mail.example.org/x", 14, "without a path"),
    ("smtp://mail.example.org:2525", "smtp+plain://mail.example.org", 14, "where a password is sent"),
    ("user: ops, ", "", 14, "add user"),
    ("tokenEnv: MAIL_PASSWORD, ", "", 14, "add tokenEnv"),
    ("sender: a@example.org, ", "", 14, "add sender"),
    ("sender: a@example.org", "sender: Ops <a@example.org>", 14, "address alone"),
    ("sender: a@example.org", 'sender: "a@example.org\\r\\nBcc: x@y.z"', 14, "control characters"),
    (", to: [b@example.org, c@example.org]", "", 14, "add to"),
    ("to: [b@example.org, c@example.org]", "to: []", 14, "at least one item"),
    ("to: [b@example.org, c@example.org]", "to: b@example.org", 14, "a list"),
    ("to: [b@example.org, c@example.org]", "to: [b@example.org, c]", 14, "address alone"),
    ("to: [b@example.org, c@example.org]", "to: [b@example.org, b@example.org]", 14, "each name once"),
    ("repeatEvery: 5m", "repeatEvery: 30s", 15, "whole number and m"),
    ("repeatEvery: 5m", "repeatEvery: 0m", 15, "from 1m to 1d"),
    ("repeatEvery: 5m", "repeatEvery: 2d", 15, "from 1m to 1d"),
    ("repeatEvery: 5m", "payload: slack", 15, "belongs to kind webhook"),
    ("  notifiers:\n", "  notifier:\n", 10, "try: notifiers"),
]


@pytest.mark.parametrize(("good", "bad", "line", "said"), MISTAKES)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, good: str, bad: str, line: int, said: str) -> None:
    (tmp_path / "leak").symlink_to("/etc")
    assert good in TEXT
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, TEXT.replace(good, bad, 1))
    matching = [problem for problem in caught.value.problems if said in str(problem)]
    assert matching, str(caught.value)
    assert (matching[0].file, matching[0].line) == ("forecasting.yaml", line), str(caught.value)
    assert "S3CRET" not in f"{caught.value} {[problem.as_dict() for problem in caught.value.problems]}"


@pytest.mark.parametrize("text", ["text", "{name: x}", "[1, 2]", "[[]]", "[{}]"])
def test_what_is_no_list_of_notifiers_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CatalogueError, match="notifiers"):
        load(tmp_path, HEAD + f"  notifiers: {text}\n")


def test_an_ordinary_path_is_no_secret(tmp_path: Path) -> None:
    for path in ("/", "/api/v2", "/early-warnings-of-2027/production", "/hooks/service_level_management", "/a1/b2/c3"):
        item = f"  notifiers: [{{name: a, kind: webhook, url: 'https://h.example.org{path}'}}]\n"
        assert load(tmp_path, HEAD + item).notifiers[0].url.endswith(path)
