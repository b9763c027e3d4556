"""Our own annotations in OpenSLO documents, ``forecasting/...``: what the standard has no place for."""

from __future__ import annotations

import re

from forecasting.adapters._fields import Fields
from forecasting.adapters._strict_yaml import Node

PREFIX = "forecasting/"
_SECRET = re.compile(
    r"(secret|passw|passphrase|pwd|token|credential|bearer|cookie|authori[sz]ation|(access|api|app|private|auth)[-_]?key)"
)
KNOWN: dict[str, tuple[str, ...]] = {
    "Service": ("tier", "zone", "country", "depends-on", "owner", "description", "display-name"),
    "SLO": (
        "service-hours",
        "no-traffic",
        "no-data",
        "minimum-events",
        "minimum-coverage-percent",
        "zone",
        "display-name",
        "cumulative",
        "description",
    ),
    "SLI": ("cumulative", "description"),
    "DataSource": ("description",),
    "AlertPolicy": ("description", "more-conditions"),
    "AlertCondition": ("description", "short-lookback", "no-severity"),
    "AlertNotificationTarget": ("description", "nobody"),
}
"""Names of our annotations by kind, without the prefix."""


def our_annotations(metadata: Fields | None, kind: str, *, check: bool = False) -> Fields | None:
    """Return our annotations of a document; None where it has none.

    Parameters
    ----------
    metadata : Fields or None
        The document's metadata.
    kind : str
        Its kind.
    check : bool
        Whether unknown names become problems (once a document).
    """
    node = metadata.node.fields.get("annotations") if metadata is not None else None
    if metadata is None or node is None or node.kind != "map":
        return None
    ours = {key: value for key, value in node.fields.items() if key.startswith(PREFIX)}
    lines = {key: node.key_lines.get(key, node.line) for key in ours}
    mine = Node(kind="map", line=node.line, fields=ours, key_lines=lines)
    known = [PREFIX + key for key in KNOWN[kind]] if check else list(ours)
    return Fields(mine, f"{metadata.path}.annotations", metadata.file, metadata.problems, known)


def described(spec: Fields | None, notes: Fields | None) -> str:
    """Return the description: ours where it is too long for the standard's field."""
    for fields, key in ((notes, PREFIX + "description"), (spec, "description")):
        node = fields.node.fields.get(key) if fields is not None else None
        if node is not None and node.kind not in ("map", "list", "null"):
            return node.text
    return ""


def is_secret(key: str) -> bool:
    """Tell whether a field of a source is called like a secret.

    Examples
    --------
    >>> is_secret("secretAccessKey"), is_secret("api_key"), is_secret("query")
    (True, True, False)
    """
    return _SECRET.search(key.casefold()) is not None
