"""Checks that a text is one SELECT that only reads, before any database sees it."""

from __future__ import annotations

import re

from forecasting.terms.errors import InputError

PARAMETERS = frozenset({"since", "until"})

# What is quoted or a comment says nothing about what the statement does.
_QUOTED = re.compile(
    r"(?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*')|(?P<text>'(?:[^']|'')*')|(?P<name>\"(?:[^\"]|\"\")*\"|`[^`]*`)"
    r"|(?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)|(?P<line>--[^\n]*)|(?P<block>/\*.*?\*/)",
    re.DOTALL,
)
_WRITES = (
    "alter", "analyze", "attach", "begin", "call", "commit", "copy", "create", "declare", "delete", "detach", "do",
    "drop", "exec", "execute", "explain", "grant", "insert", "into", "load", "lock", "merge", "pragma", "reindex",
    "rename", "reset", "revoke", "rollback", "truncate", "update", "vacuum",
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z_]\w*")
_PARAMETER = re.compile(r"(?<![:\w\\]):([A-Za-z_]\w*)(?!:)")


def check_select(query: str, source: str) -> frozenset[str]:
    """Return the parameters (``since``, ``until``) that a query uses.

    Words such as ``update`` or ``into`` are refused anywhere outside quotes; a column of that name is written in
    double quotes. This catches mistakes; what keeps the data safe is that the database is opened for reading only.

    Raises
    ------
    InputError
        For anything that is not one SELECT (or WITH ... SELECT), or uses another parameter.

    Examples
    --------
    >>> sorted(check_select("SELECT * FROM t WHERE at >= :since -- not :this", "sales"))
    ['since']
    >>> check_select("SELECT 1; DROP TABLE t", "sales")
    Traceback (most recent call last):
    ...
    forecasting.terms.errors.InputError: sales: query: got '; DROP TABLE t'; allowed: one SELECT; try: remove ...
    """

    def refuse(came: str, allowed: str, hint: str) -> InputError:
        return InputError(argument="query", came=came[:100], allowed=allowed, try_instead=hint, file=source)

    bare = _QUOTED.sub(" ", query)
    if any(mark in bare for mark in ("'", '"', "`", "/*")) or "\0" in query:
        raise refuse(query, "one SELECT with all quotes and comments closed", "close the quote or comment")
    bare = re.sub(r"[\s;]+\Z", "", bare)
    words = [word.lower() for word in _WORD.findall(bare)]
    if not words or words[0] not in ("select", "with"):
        raise refuse(query, "one SELECT", "SELECT service, metric, at, value FROM ... WHERE at >= :since")
    if ";" in bare:
        raise refuse(bare[bare.index(";") :], "one SELECT", "remove everything after it")
    writes = [word for word in words if word in _WRITES]
    if writes:
        raise refuse(writes[0], "a SELECT that only reads", f'"{writes[0]}" in double quotes if it is a column')
    used = frozenset(_PARAMETER.findall(bare))
    unknown = sorted(used - PARAMETERS)
    if unknown:
        raise refuse(f":{unknown[0]}", ":since and :until", "one of them, or \\: for a colon that is no parameter")
    return used


def escaped(query: str) -> str:
    """Return the query with every colon that is no parameter marked as such for SQLAlchemy.

    Examples
    --------
    >>> escaped("SELECT ':x' WHERE at > :since")
    "SELECT '\\\\:x' WHERE at > :since"
    """
    parts, end = [], 0
    for quoted in _QUOTED.finditer(query):
        parts += [query[end : quoted.start()], _PARAMETER.sub(r"\\:\1", quoted.group())]
        end = quoted.end()
    return "".join([*parts, query[end:]])
