"""YAML as people mean it: YAML 1.2 core scalars, exact number texts, a line for every node, no surprises."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from forecasting.terms.errors import InputError

MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 50
MAX_ALIAS_NODES = 10_000

_NULL = re.compile(r"(null|Null|NULL|~|)")
_BOOL = re.compile(r"(true|True|TRUE|false|False|FALSE)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))")
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\t')
_PAIR = re.compile(r"(?<=[^\\])\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_STR_TAG = "tag:yaml.org,2002:str"

NodeKind = Literal["null", "bool", "number", "text", "map", "list"]


@dataclass(kw_only=True, eq=False)
class Node:
    """One node of a document; a scalar keeps exactly the text that was written.

    Examples
    --------
    >>> documents, problems = parse_yaml("target: 0.80\\ncountry: NO", file="a.yaml")
    >>> documents[0].fields["target"].text, documents[0].fields["country"].kind
    ('0.80', 'text')
    """

    kind: NodeKind
    """What YAML 1.2 core makes of it."""
    line: int
    """Line in the file, counted from 1."""
    text: str = ""
    """The scalar as written (quotes and escapes resolved)."""
    fields: dict[str, Node] = field(default_factory=dict)
    """map: nodes by key, in the order written."""
    key_lines: dict[str, int] = field(default_factory=dict)
    """map: line of each key."""
    items: list[Node] = field(default_factory=list)
    """list: its nodes."""
    size: int = 1
    """Nodes in it, aliases expanded."""
    height: int = 1
    """Levels in it, aliases expanded."""
    quoted: bool = False
    """scalar: whether it was written in quotes (or as a block)."""

    def plain(self) -> object:
        """Return it as nested dict, list, text (every scalar as its text; null as None), for hashing."""
        if self.kind == "map":
            return {key: node.plain() for key, node in self.fields.items()}
        if self.kind == "list":
            return [node.plain() for node in self.items]
        return None if self.kind == "null" else self.text

    def shown(self) -> object:
        """Return a short form for error messages."""
        if self.kind == "map":
            return "a mapping with " + (", ".join(list(self.fields)[:5]) or "nothing")
        if self.kind == "list":
            return f"a list of {len(self.items)}"
        return None if self.kind == "null" else self.text


def decode_yaml(data: bytes, *, file: str) -> str:
    """Return the text of a YAML file: UTF-8 with or without byte order mark, at most 5 MiB.

    Raises
    ------
    InputError
        For another encoding or a larger file.

    Examples
    --------
    >>> decode_yaml(b"a: 1", file="a.yaml")
    'a: 1'
    """
    if len(data) > MAX_BYTES:
        raise InputError(
            argument="size",
            came=f"{len(data)} bytes",
            allowed=f"at most {MAX_BYTES} bytes",
            try_instead="split the file",
            file=file,
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            argument="encoding",
            came=data[error.start : error.start + 4],
            allowed="UTF-8",
            try_instead="save the file as UTF-8",
            file=file,
            line=line,
        ) from error
    return text


def json_as_yaml(text: str) -> str:
    """Return a JSON text so that a YAML parser takes it: no tabs between tokens, no pairs of half characters.

    Examples
    --------
    >>> json_as_yaml('{\\t"a": "\\\\ud83d\\\\ude00"}')
    '{ "a": "\\\\U0001f600"}'
    """

    def whole(match: re.Match[str]) -> str:
        return f"\\U{0x10000 + (int(match[1], 16) - 0xD800) * 0x400 + int(match[2], 16) - 0xDC00:08x}"

    def token(match: re.Match[str]) -> str:
        found = match[0]
        return " " if found == "\t" else _PAIR.sub(whole, found)

    return _JSON_TOKEN.sub(token, text)


def parse_yaml(text: str, *, file: str) -> tuple[list[Node], list[InputError]]:
    """Parse every document of `text`.

    Booleans and nulls are those of the YAML 1.2 core schema (``no`` and ``1:30`` are text); a key twice in a mapping,
    tags, merge keys, an alias to itself, more than 10,000 nodes through aliases and a depth above 50 are refused.

    Parameters
    ----------
    text : str
        The content of the file.
    file : str
        Name of the file for messages.

    Returns
    -------
    (list of Node, list of InputError)
        Documents up to the first syntax error, empty ones left out, and the problems found.

    Examples
    --------
    >>> documents, problems = parse_yaml("a: 1\\na: 2\\n", file="x.yaml")
    >>> print(problems[0])
    x.yaml:2: a: got 'a'; allowed: each key once (first on line 1); try: remove one of the two
    """
    import yaml

    problems: list[InputError] = []
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    reader = _Reader(file=file, problems=problems)
    try:
        for event in yaml.parse(text, Loader=loader):
            reader.take(event)
    except InputError as problem:
        problems.append(problem)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.append(_problem(file, line, "character", repr(error.character), "printable text", "remove it"))
    except yaml.MarkedYAMLError as error:
        lines = text.splitlines()
        mark = error.problem_mark or error.context_mark
        if mark and mark.line >= len(lines) and error.context_mark:
            mark = error.context_mark  # where the open quote or bracket is, not where the file ends
        said = " ".join(part for part in (error.context, error.problem) if part)
        line = mark.line + 1 if mark else 1
        came = lines[line - 1].strip() if line <= len(lines) else "end of file"
        tabbed = line <= len(lines) and lines[line - 1].startswith("\t")
        hint = "indent with spaces, not tabs" if tabbed else f"correct the syntax ({said})"
        problems.append(_problem(file, line, "YAML", came, "well-formed YAML", hint))
    except yaml.YAMLError as error:
        problems.append(_problem(file, 1, "YAML", str(error), "well-formed YAML", "correct the syntax"))
    return [node for node in reader.documents if node.kind != "null"], problems


def _problem(file: str, line: int, argument: str, came: object, allowed: str, try_instead: str) -> InputError:
    """Shorthand for an error at a line."""
    return InputError(argument=argument, came=came, allowed=allowed, try_instead=try_instead, file=file, line=line)


@dataclass(kw_only=True)
class _Open:
    """A collection whose end has not come yet."""

    node: Node
    anchor: str | None
    key: str | None = None
    """map: the key whose value comes next."""
    key_line: int = 0


class _Reader:
    """Builds nodes from events without recursion, so that depth is a number and not a crash."""

    def __init__(self, *, file: str, problems: list[InputError]) -> None:
        self.file, self.problems = file, problems
        self.documents: list[Node] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._alias_nodes = 0

    def take(self, event: Any) -> None:
        """Take the next event of the parser."""
        import yaml

        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            self._anchors = {}
        elif isinstance(event, yaml.ScalarEvent):
            quoted = event.style is not None and event.style != ""
            node = Node(kind=self._kind(event, line), line=line, text=event.value, quoted=quoted)
            if event.anchor:
                self._anchors[event.anchor] = node
            self._place(node)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event, line, "map" if isinstance(event, yaml.MappingStartEvent) else "list")
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            done = self._stack.pop()
            if done.anchor:
                self._anchors[done.anchor] = done.node
            self._place(done.node)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor or "", line)

    def _kind(self, event: Any, line: int) -> NodeKind:
        """Resolve a scalar by the YAML 1.2 core schema."""
        if event.tag not in (None, "!", _STR_TAG):
            raise self._refused_tag(event.tag, line)
        if event.tag is not None or not event.implicit[0]:
            return "text"
        if _NULL.fullmatch(event.value):
            return "null"
        if _BOOL.fullmatch(event.value):
            return "bool"
        number = _NUMBER.fullmatch(event.value) or _NOT_FINITE.fullmatch(event.value)
        return "number" if number else "text"

    def _open(self, event: Any, line: int, kind: NodeKind) -> None:
        """Start a mapping or a list."""
        if event.tag is not None and event.tag != "!":
            raise self._refused_tag(event.tag, line)
        if len(self._stack) >= MAX_DEPTH:
            raise self._too_deep(line)
        if event.anchor:
            self._anchors[event.anchor] = None
        if self._stack and self._stack[-1].node.kind == "map" and self._stack[-1].key is None:
            raise _problem(self.file, line, "key", f"a {kind}", "text as a key", "write a name before the colon")
        self._stack.append(_Open(node=Node(kind=kind, line=line), anchor=event.anchor))

    def _alias(self, anchor: str, line: int) -> None:
        """Put the node an alias stands for in its place, within the limits."""
        if anchor not in self._anchors:
            raise _problem(self.file, line, "alias", f"*{anchor}", "the name of an anchor above", f"define &{anchor}")
        node = self._anchors[anchor]
        if node is None:
            raise _problem(self.file, line, "alias", f"*{anchor}", "an anchor that is complete", "write it out")
        self._alias_nodes += node.size
        if self._alias_nodes > MAX_ALIAS_NODES:
            allowed = f"at most {MAX_ALIAS_NODES} nodes through aliases"
            raise _problem(self.file, line, "alias", f"*{anchor}", allowed, "write the content out")
        if len(self._stack) + node.height > MAX_DEPTH:
            raise self._too_deep(line)
        self._place(node)

    def _place(self, node: Node) -> None:
        """Put a finished node into the collection that is open."""
        if not self._stack:
            self.documents.append(node)
            return
        top = self._stack[-1]
        if top.node.kind == "list":
            top.node.items.append(node)
        elif top.key is None:
            self._key(top, node)
            return
        else:
            top.node.fields.setdefault(top.key, node)
            top.node.key_lines.setdefault(top.key, top.key_line)
            top.key = None
        top.node.size += node.size
        top.node.height = max(top.node.height, node.height + 1)

    def _key(self, top: _Open, node: Node) -> None:
        """Take a key, refusing one that is there already."""
        if node.kind in ("map", "list"):
            raise _problem(self.file, node.line, "key", node.shown(), "text as a key", "write a name before the colon")
        if node.text == "<<" and node.kind == "text":
            raise _problem(self.file, node.line, "<<", "<<", "no merge keys (YAML 1.2)", "write the fields out")
        top.key, top.key_line = node.text, node.line
        if node.text in top.node.fields:
            first = top.node.key_lines[node.text]
            allowed = f"each key once (first on line {first})"
            self.problems.append(_problem(self.file, node.line, node.text, node.text, allowed, "remove one of the two"))

    def _refused_tag(self, tag: str, line: int) -> InputError:
        """Make the error for a tag: a tag could ask for any Python object."""
        return _problem(self.file, line, "tag", tag, "no tags", "remove the tag")

    def _too_deep(self, line: int) -> InputError:
        """Make the error for too many levels."""
        return _problem(self.file, line, "depth", f"more than {MAX_DEPTH} levels", f"at most {MAX_DEPTH}", "nest less")
