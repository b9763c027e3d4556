"""Collects what an OpenSLO document breaks: problems that cannot be read, and findings with the name of a rule."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from forecasting.adapters._fields import MOST_UNKNOWN, Fields, listed, nearest
from forecasting.adapters._strict_yaml import Node
from forecasting.adapters.openslo.durations import ALLOWED, LONGEST, length_of, parse_shorthand
from forecasting.terms.errors import ForecastingError, InputError

TEXT_LIMIT = 20_000
"""Characters of a text that lenient mode takes; the standard allows 1,050."""

_RFC_1123 = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?")

Severity = Literal["rule", "missing", "suspect", "notice", "advice"]
"""rule: error in strict mode, notice in lenient mode. missing: error, but a notice in documents of the drafts, where it
was not asked for. suspect: error in lenient mode (people do not mean that), notice in strict mode. notice: in both
modes. advice: notice in lenient mode only."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A rule that a document breaks, or something in it that people should know."""

    rule: str
    severity: Severity
    problem: InputError
    """What is wrong, as an error."""
    reading: str
    """How it is read where it is no error."""


def slug(text: str) -> str:
    """Return the RFC 1123 label most like `text`, or nothing where there is none.

    Examples
    --------
    >>> slug("My rad Service"), slug("***")
    ('my-rad-service', '')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:63].rstrip("-")


def is_name(text: str) -> bool:
    """Tell whether `text` is an RFC 1123 label.

    Examples
    --------
    >>> is_name("web-1"), is_name("Web 1")
    (True, False)
    """
    return _RFC_1123.fullmatch(text) is not None


@dataclass(kw_only=True)
class Checker:
    """Collects what a document breaks."""

    file: str
    problems: list[ForecastingError] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def find(
        self,
        severity: Severity,
        rule: str,
        fields: Fields,
        key: str,
        came: object,
        allowed: str,
        hint: str,
        reading: str = "",
        *,
        line: int | None = None,
    ) -> None:
        """Note that the field `key` breaks a rule."""
        path = f"{fields.path}.{key}" if fields.path and key else (fields.path or key)
        at = fields.line(key) if line is None else line
        problem = InputError(argument=path, came=came, allowed=allowed, try_instead=hint, file=self.file, line=at)
        self.findings.append(Finding(rule=rule, severity=severity, problem=problem, reading=reading or hint))

    def open(self, node: Node, path: str, known: Sequence[str]) -> Fields:
        """Return the fields of a mapping, noting those that OpenSLO does not have."""
        fields = Fields(node, path, self.file, self.problems, list(node.fields))
        names = set(known)
        unknown = [(key, line) for key, line in node.key_lines.items() if key not in names]
        for key, line in unknown[:MOST_UNKNOWN]:
            close = _typo_of(key, known)
            vendor = key.startswith(("x-", "X-")) or "/" in key or "." in key
            if close is not None and not vendor:
                fields.note(key, key, listed(known, 30), close, line)
            else:
                reading = "the field is not looked at"
                self.find("rule", "unknown-field", fields, key, key, listed(known, 30), "remove it", reading, line=line)
        if len(unknown) > MOST_UNKNOWN:
            came = f"{len(unknown)} unknown fields"
            fields.note("", came, listed(known, 30), "remove them", unknown[MOST_UNKNOWN][1])
        return fields

    def part(self, fields: Fields, key: str, known: Sequence[str], *, required: bool = False) -> Fields | None:
        """Return the fields of the mapping below `key`."""
        if not fields.has(key):
            if required:
                fields.note(key, None, "a mapping with " + ", ".join(known), f"add {key}")
            return None
        node = fields.node.fields[key]
        if node.kind != "map":
            fields.note(key, node.shown(), "a mapping with " + ", ".join(known), f"{key}: {{{known[0]}: ...}}")
            return None
        return self.open(node, f"{fields.path}.{key}" if fields.path else key, known)

    def text(self, fields: Fields, key: str, *, required: bool = False, longest: int = 1050) -> str:
        """Check a text."""
        found = fields.text(key, required=required, longest=TEXT_LIMIT)
        if found and fields.node.fields[key].kind != "text":
            self.find("rule", "text-expected", fields, key, found, "text", f"'{found}' in quotes", "read as text")
        if len(found) > longest:
            came = f"{len(found)} characters"
            self.find("rule", "text-too-long", fields, key, came, f"at most {longest}", "shorten it", "read in full")
        return found

    def number(self, fields: Fields, key: str, allowed: str, *, required: bool = False) -> Decimal | None:
        """Check a number."""
        found = fields.decimal(key, allowed, required=required)
        if found is not None and fields.node.fields[key].kind != "number":
            text = fields.node.fields[key].text
            self.find("rule", "number-as-text", fields, key, text, "a number", f"{text} without quotes", "read as one")
        return found

    def name(self, fields: Fields, key: str, *, required: bool = True) -> str:
        """Check a name or a reference to one."""
        found = fields.text(key, required=required, longest=TEXT_LIMIT)
        if found and not is_name(found):
            allowed = "1 to 63 lower-case letters, digits and hyphens, a letter or digit at both ends (RFC 1123)"
            better = slug(found)
            if not better:
                fields.note(key, found, allowed, "a short name")
                return ""
            self.find("rule", "name-not-rfc1123", fields, key, found, allowed, better, f"read as '{better}'")
        elif found and fields.node.fields[key].kind != "text":
            self.find("rule", "text-expected", fields, key, found, "text", f"'{found}' in quotes", "read as text")
        return found

    def length(self, fields: Fields, key: str, *, required: bool = False, zero: bool = False) -> None:
        """Check a duration shorthand, above zero unless `zero` may stand for none."""
        found = fields.scalar(key, ALLOWED, required=required)
        if found is None:
            return
        parsed = parse_shorthand(found)
        least = timedelta(0) if zero else timedelta(minutes=1)
        if parsed is None or not least <= length_of(*parsed) <= LONGEST:
            bare = found.isdigit() and len(found) < 7
            fields.note(key, found, f"{ALLOWED}, above 0, at most 100Y", f"{found}m" if bare else "30d, 1M or 5m")

    def flag(self, fields: Fields, key: str) -> bool:
        """Check true or false."""
        return fields.flag(key, default=False)

    def choice(self, fields: Fields, key: str, allowed: Sequence[str], *, required: bool = True) -> str | None:
        """Check one of the allowed words."""
        found = fields.scalar(key, " | ".join(allowed), required=required)
        if found is None or found in allowed:
            return found
        folded = {word.casefold(): word for word in allowed}
        if found.casefold() in folded:
            better = folded[found.casefold()]
            self.find("rule", "letter-case", fields, key, found, " | ".join(allowed), better, f"read as {better}")
            return better
        fields.note(key, found, " | ".join(allowed), nearest(found, allowed) or allowed[0])
        return None

    def items(self, fields: Fields, key: str) -> list[Node]:
        """Return the nodes of a list that may be missing."""
        if not fields.has(key):
            return []
        node = fields.node.fields[key]
        if node.kind == "list":
            return node.items
        if node.kind == "map":
            reading = "read as a list of one"
            self.find("rule", "list-expected", fields, key, node.shown(), "a list", f"{key}: [...]", reading)
            return [node]
        fields.note(key, node.shown(), "a list", f"{key}: [...]")
        return []

    def metadata(self, fields: Fields, *, required: bool) -> None:
        """Check name, displayName, labels and annotations."""
        known = ("name", "displayName", "labels", "annotations")
        if not required and not fields.has("metadata"):
            reading = "the indicator is called like its SLO"
            self.find("rule", "metadata-missing", fields, "metadata", None, "a name", "add metadata", reading)
            return
        metadata = self.part(fields, "metadata", known, required=required)
        if metadata is None:
            return
        self.name(metadata, "name")
        self.text(metadata, "displayName", longest=63)
        labels = self.part(metadata, "labels", keys_of(metadata, "labels"))
        for key, node in labels.node.fields.items() if labels else ():
            assert labels is not None
            fine = node.kind == "text" or (node.kind == "list" and all(item.kind == "text" for item in node.items))
            if not fine or not _LABEL_KEY.fullmatch(key):
                allowed = "a label key with a text or a list of texts"
                self.find("rule", "label-form", labels, key, node.shown(), allowed, "quote it", "labels are not used")
        notes = self.part(metadata, "annotations", keys_of(metadata, "annotations"))
        for key, node in notes.node.fields.items() if notes else ():
            assert notes is not None
            if node.kind != "text" or not _LABEL_KEY.fullmatch(key):
                allowed = "a key such as example.org/key with a text"
                self.find("rule", "annotation-form", notes, key, node.shown(), allowed, "quote it", "read as text")

    def either(self, fields: Fields, one: str, other: str) -> bool:
        """Check that exactly one of two fields is there."""
        if fields.has(one) != fields.has(other):
            return True
        came = f"{one} and {other}" if fields.has(one) else None
        fields.note(one, came, f"exactly one of {one} and {other}", "keep one of them" if came else f"add {one}")
        return False


def _typo_of(word: str, known: Sequence[str]) -> str | None:
    """Return the known field that `word` is probably a slip of, more strictly than a suggestion needs."""
    close = nearest(word, known)
    if close is None:
        return None
    alike = difflib.SequenceMatcher(None, word[:200].casefold(), close.casefold()).ratio()
    return close if alike >= 0.7 else None


def keys_of(fields: Fields, name: str) -> tuple[str, ...]:
    """Return the keys of a mapping in which people may choose them."""
    node = fields.node.fields.get(name)
    return tuple(node.fields) if node is not None and node.fields else ("key",)


def check_reference(
    checker: Checker,
    fields: Fields,
    path: str,
    node: Node,
    ref: str,
    kind: str,
    check: Callable[[Checker, Fields], None],
) -> None:
    """Check a reference to a document, or the document itself in its place."""
    if node.kind == "text" and node.text.strip():
        reading = f"read as {{{ref}: {node.text}}}"
        checker.find(
            "rule", "bare-name", fields, path, node.text, f"{{{ref}: ...}}", reading[8:], reading, line=node.line
        )
        if not slug(node.text):
            fields.note(path, node.text, "a name", "a short name", node.line)
        return
    if node.kind != "map":
        fields.note(path, node.shown(), f"{{{ref}: NAME}} or {kind} in place", f"{{{ref}: ...}}", node.line)
        return
    inner = checker.open(node, f"{fields.path}.{path}", (ref, "kind", "metadata", "spec"))
    if inner.has(ref):
        checker.name(inner, ref)
        for key in ("kind", "metadata", "spec"):
            if inner.has(key):
                inner.note(key, key, f"{ref}, or {kind} in place, not both", "remove one of them")
        return
    if not inner.has("metadata") and not inner.has("spec"):
        inner.note(ref, None, f"{ref}, or {kind} in place", f"add {ref}")
        return
    if not inner.has("kind"):
        checker.find("rule", "kind-missing", inner, "kind", None, kind, f"kind: {kind}", f"read as {kind}")
    elif checker.choice(inner, "kind", (kind,)) is None:
        return
    checker.metadata(inner, required=True)
    check(checker, inner)
