"""Writes documents as YAML: the same plain values always give the same text, and every reader sees the same types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

_LOOKS_TYPED = re.compile(r"[-+.0-9].*|(?i:true|false|yes|no|on|off|null|none|y|n|~|=|<<)?")


def emit(documents: Sequence[object], *, comment: str = "") -> str:
    """Return documents as YAML.

    Parameters
    ----------
    documents : sequence
        Nested dict, list, str, bool, int and Decimal; a Decimal is written with exactly its digits.
    comment : str
        First line, where it is not empty.

    Examples
    --------
    >>> print(emit([{"target": Decimal("0.80"), "zone": "no", "names": ["a"]}]), end="")
    target: 0.80
    zone: 'no'
    names:
    - a
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes every text that some reader takes for a number, a date or a truth value; writes no aliases."""

        def ignore_aliases(self, data: object) -> bool:
            """Never write an alias."""
            return True

    def text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
        style = "'" if _LOOKS_TYPED.fullmatch(data) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def number(dumper: yaml.SafeDumper, data: Decimal) -> yaml.ScalarNode:
        digits = f"{data:f}"
        kind = "float" if "." in digits else "int"
        return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", digits)

    Dumper.add_representer(str, text)
    Dumper.add_representer(Decimal, number)
    body = yaml.dump_all(
        documents, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False
    )
    return (f"# {comment}\n" if comment else "") + body
