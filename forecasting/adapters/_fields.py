"""Reads the fields of a YAML mapping one by one and collects every problem with its line and path."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from forecasting.adapters._strict_yaml import Node
from forecasting.terms.errors import ForecastingError, InputError

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DURATION = re.compile(r"([0-9]{1,6})([A-Za-z]+)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
MOST_UNKNOWN = 50
"""Unknown fields of one mapping that are named one by one."""
DURATION_ALLOWED = "a whole number and m (minutes), h, d or w, such as 30d"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `word`, or None where none is like it.

    Examples
    --------
    >>> nearest("objctives", ["objectives", "service"])
    'objectives'
    """
    names = sorted(set(known))
    folded = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(word[:200].casefold(), folded, n=1, cutoff=0.5)
    return folded[found[0]] if found else None


def listed(names: Collection[str], limit: int = 12) -> str:
    """Return the names as text, cut after `limit`.

    Examples
    --------
    >>> listed(["b", "a"])
    'a, b'
    """
    ordered = sorted(names)
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return (", ".join(ordered[:limit]) or "none is declared") + more


def parse_duration(text: str) -> timedelta | None:
    """Return the length that ``90m``, ``24h``, ``7d`` or ``2w`` stands for, or None for anything else.

    Examples
    --------
    >>> parse_duration("2w").days, parse_duration("1M")
    (14, None)
    """
    match = _DURATION.fullmatch(text)
    unit = _UNITS.get(match.group(2)) if match else None
    return int(match.group(1)) * unit if match and unit is not None else None


class Fields:
    """One mapping being read: every getter returns the value, or None after noting what is wrong with it.

    Parameters
    ----------
    node : Node
        The mapping.
    path : str
        Where it is in the document, such as ``spec.objectives[0]``.
    file : str
        Name of the file for messages.
    problems : list of ForecastingError
        Where problems are collected.
    known : sequence of str
        Fields that may occur; any other one is a problem.
    unsupported : sequence of str
        Fields of the standard that this version does not read.

    Examples
    --------
    >>> from forecasting.adapters._strict_yaml import parse_yaml
    >>> problems = []
    >>> fields = Fields(parse_yaml("unit: d\\nunitt: d", file="a.yaml")[0][0], "spec", "a.yaml", problems, ["unit"])
    >>> fields.text("unit")
    'd'
    >>> print(problems[0])
    a.yaml:2: spec.unitt: got 'unitt'; allowed: unit; try: unit
    """

    def __init__(
        self,
        node: Node,
        path: str,
        file: str,
        problems: list[ForecastingError],
        known: Sequence[str],
        unsupported: Sequence[str] = (),
    ) -> None:
        self.node, self.path, self.file, self.problems = node, path, file, problems
        names = set(known)
        unknown = [(key, line) for key, line in node.key_lines.items() if key not in names]
        for index, (key, line) in enumerate(unknown):
            if index == MOST_UNKNOWN:
                self.note("", f"{len(unknown)} unknown fields", listed(known, 30), "remove them", line)
                break
            if key in unsupported:
                self.note(key, key, "a field that is supported", "not supported yet: remove it", line)
            else:
                close = nearest(key, known)
                self.note(key, key, listed(known, 30), close or "remove it", line)

    def note(self, name: str, came: object, allowed: str, try_instead: str, line: int | None = None) -> None:
        """Note a problem with the field `name`."""
        if line is None:
            line = self.node.fields[name].line if name in self.node.fields else self.node.line
        where = f"{self.path}.{name}" if self.path and name else (self.path or name)
        self.problems.append(
            InputError(argument=where, came=came, allowed=allowed, try_instead=try_instead, file=self.file, line=line)
        )

    def has(self, name: str) -> bool:
        """Tell whether the field is there and not null."""
        return name in self.node.fields and self.node.fields[name].kind != "null"

    def line(self, name: str) -> int:
        """Return the line of the field, or that of the mapping where it is missing."""
        return self.node.fields[name].line if name in self.node.fields else self.node.line

    def scalar(self, name: str, allowed: str, *, required: bool) -> str | None:
        """Return the text of a scalar field."""
        if not self.has(name):
            if required:
                self.note(name, None, allowed, f"add {name}")
            return None
        node = self.node.fields[name]
        if node.kind in ("map", "list"):
            self.note(name, node.shown(), allowed, "write one value")
            return None
        return node.text

    def text(self, name: str, *, required: bool = False, longest: int = 2000) -> str:
        """Return a text ("" where it is missing)."""
        allowed = f"text of at most {longest} characters"
        found = self.scalar(name, allowed, required=required)
        if found is None:
            return ""
        if required and not found.strip():
            self.note(name, found, "text that is not empty", f"fill in {name}")
        if len(found) > longest or any(ord(c) < 32 and c not in "\n\t" for c in found):
            self.note(name, found, allowed + " without control characters", "shorten or clean it")
            return ""
        return found

    def name(self, name: str, *, required: bool = True) -> str:
        """Return an RFC 1123 label ("" where it is missing or wrong)."""
        allowed = "1 to 63 lower-case letters, digits and hyphens, a letter or digit at both ends (RFC 1123)"
        found = self.scalar(name, allowed, required=required)
        if found is None:
            return ""
        if not _NAME.fullmatch(found):
            better = re.sub(r"[^a-z0-9]+", "-", found.casefold()).strip("-")[:63].rstrip("-")
            self.note(name, found, allowed, better or "a short name")
            return ""
        return found

    def choice(self, name: str, allowed: Sequence[str], *, default: str | None = None) -> str | None:
        """Return one of the allowed words; without a default the field is required."""
        found = self.scalar(name, " | ".join(allowed), required=default is None)
        if found is None:
            return default
        if found not in allowed:
            self.note(name, found, " | ".join(allowed), nearest(found, allowed) or allowed[0])
            return None
        return found

    def flag(self, name: str, *, default: bool) -> bool:
        """Return true or false."""
        if not self.has(name):
            return default
        node = self.node.fields[name]
        if node.kind != "bool":
            self.note(name, node.shown(), "true | false", "true or false")
            return default
        return node.text.lower() == "true"

    def decimal(
        self,
        name: str,
        allowed: str,
        *,
        required: bool = False,
        above: int | None = None,
        at_least: int | None = None,
        below: int | None = None,
        at_most: int | None = None,
        hint: str = "",
    ) -> Decimal | None:
        """Return a number exactly as written, within the given bounds."""
        found = self.scalar(name, allowed, required=required)
        if found is None:
            return None
        number = _exact(found)
        if number is None:
            self.note(name, found, allowed, _number_hint(name, found))
            return None
        inside = (
            (above is None or number > above)
            and (at_least is None or number >= at_least)
            and (below is None or number < below)
            and (at_most is None or number <= at_most)
        )
        if not inside:
            self.note(name, found, allowed, hint or "a number in that range")
            return None
        return number

    def share(self, name: str, *, required: bool = False, above: int = 0) -> Decimal | None:
        """Return a percentage (0 to 100) as a share (0 to 1), exactly."""
        allowed = f"a percentage above {above} and at most 100"
        number = self.decimal(name, allowed, required=required, above=above, at_most=100)
        return None if number is None else number.scaleb(-2)

    def whole(self, name: str, *, default: int, at_least: int, at_most: int) -> int:
        """Return a whole number."""
        allowed = f"a whole number from {at_least} to {at_most}"
        number = self.decimal(name, allowed, at_least=at_least, at_most=at_most)
        if number is None:
            return default
        if number != number.to_integral_value():
            self.note(name, str(number), allowed, "a whole number")
            return default
        return int(number)

    def day(self, name: str, *, required: bool = False) -> date | None:
        """Return a date written as YYYY-MM-DD, quoted or not."""
        allowed = "a date as YYYY-MM-DD between 1990 and 2100"
        found = self.scalar(name, allowed, required=required)
        if found is None:
            return None
        try:
            day = date.fromisoformat(found) if _DATE.fullmatch(found) else None
        except ValueError:
            day = None
        if day is None or not 1990 <= day.year <= 2100:
            self.note(name, found, allowed, "2027-03-31 for the last day of March 2027")
            return None
        return day

    def duration(self, name: str, *, required: bool = False) -> timedelta | None:
        """Return a length such as ``63d``."""
        found = self.scalar(name, DURATION_ALLOWED, required=required)
        if found is None:
            return None
        length = parse_duration(found)
        if length is None:
            hint = "30d for about a month" if found.endswith(("M", "mo")) else "63d, 2w, 24h or 15m"
            self.note(name, found, DURATION_ALLOWED, hint)
        return length

    def zone(self, name: str, *, required: bool = False, default: str = "UTC") -> str:
        """Return the name of an IANA time zone."""
        found = self.scalar(name, "an IANA time zone", required=required)
        if found is None:
            return default
        problem = zone_problem(found)
        if problem:
            self.note(name, found, "an IANA time zone", problem)
            return default
        return found

    def mapping(
        self, name: str, known: Sequence[str], *, required: bool = False, unsupported: Sequence[str] = ()
    ) -> Fields | None:
        """Return the fields of a mapping below this one."""
        if not self.has(name):
            if required:
                self.note(name, None, "a mapping with " + ", ".join(known), f"add {name}")
            return None
        node = self.node.fields[name]
        if node.kind != "map":
            self.note(name, node.shown(), "a mapping with " + ", ".join(known), f"{name}: {{{known[0]}: ...}}")
            return None
        return Fields(node, f"{self.path}.{name}" if self.path else name, self.file, self.problems, known, unsupported)

    def items(self, name: str, *, required: bool = False) -> list[Node]:
        """Return the nodes of a list."""
        if not self.has(name):
            if required:
                self.note(name, None, "a list with at least one item", f"add {name}")
            return []
        node = self.node.fields[name]
        if node.kind != "list" or (required and not node.items):
            self.note(name, node.shown(), "a list" + (" with at least one item" if required else ""), f"{name}: [...]")
            return []
        return node.items

    def mappings(
        self, name: str, known: Sequence[str], *, required: bool = False, unsupported: Sequence[str] = ()
    ) -> list[Fields]:
        """Return the fields of each mapping in a list."""
        found = []
        for index, node in enumerate(self.items(name, required=required)):
            if node.kind == "map":
                path = f"{self.path}.{name}[{index}]"
                found.append(Fields(node, path, self.file, self.problems, known, unsupported))
            else:
                self.note(
                    f"{name}[{index}]", node.shown(), "a mapping with " + ", ".join(known), "a mapping", node.line
                )
        return found

    def words(self, name: str, *, required: bool = False) -> list[tuple[str, int]]:
        """Return the texts of a list with their lines, each once."""
        found: dict[str, int] = {}
        for index, node in enumerate(self.items(name, required=required)):
            if node.kind in ("map", "list", "null") or not node.text.strip():
                self.note(f"{name}[{index}]", node.shown(), "a name", "one name an item", node.line)
            elif node.text in found:
                self.note(f"{name}[{index}]", node.text, "each name once", "remove it", node.line)
            else:
                found[node.text] = node.line
        return list(found.items())


def zone_problem(zone: str) -> str | None:
    """Return what to try instead of `zone`, or None where it is an IANA time zone.

    Examples
    --------
    >>> zone_problem("Europe/Berlin") is None, zone_problem("Europe/Berln")
    (True, 'Europe/Berlin')
    """
    known = _zones()
    if zone in known:
        return None
    return nearest(zone, known) or "Europe/Berlin, America/New_York or UTC"


@functools.cache
def _zones() -> frozenset[str]:
    """Return every zone name; asking this list keeps names such as ``../x`` away from the file system."""
    import zoneinfo

    return frozenset(zoneinfo.available_timezones())


def _exact(text: str) -> Decimal | None:
    """Return the decimal number `text` stands for; None for anything else and for absurd sizes."""
    if len(text) > 40 or not re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", text):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    _, digits, exponent = number.as_tuple()
    small = isinstance(exponent, int) and -25 <= exponent <= 15
    return number if small and len(digits) <= 25 else None


def _number_hint(name: str, text: str) -> str:
    """Say how to write the number that was probably meant."""
    bare = text.strip().rstrip("%").strip()
    if text.strip().endswith("%") and _exact(bare) is not None:
        return f"{name}Percent: {bare}" if name == "target" else bare
    if re.fullmatch(r"[-+]?[0-9]{1,3}([,_' ][0-9]{3})+(\.[0-9]*)?", bare):
        return re.sub(r"[,_' ]", "", bare) + " (no thousands separator; a decimal comma becomes a point)"
    if re.fullmatch(r"[-+]?[0-9]+,[0-9]+", bare):
        return bare.replace(",", ".") + " (a decimal point)"
    return "a number such as 99.9"
