"""Checks of a catalogue as a whole: names are declared, nothing depends on itself, promises do not contradict."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta

from forecasting.adapters._catalogue_draft import Draft, Reference
from forecasting.adapters._fields import listed, nearest
from forecasting.terms.agreement import Agreement
from forecasting.terms.catalogue import Notice
from forecasting.terms.errors import ForecastingError, InputError


def reference_problems(references: list[Reference], known: Mapping[str, Collection[str]]) -> list[ForecastingError]:
    """Return a problem for each name that is not declared, with the nearest one that is.

    Parameters
    ----------
    references : list of Reference
        Names used, with where.
    known : mapping
        Declared names by kind.

    Examples
    --------
    >>> used = Reference(kind="service", name="shp", file="a.yaml", line=3, path="spec.service")
    >>> print(reference_problems([used], {"service": ["shop"]})[0])
    a.yaml:3: spec.service: got 'shp'; allowed: a declared service (shop); try: shop
    """
    problems: list[ForecastingError] = []
    for reference in references:
        names = known.get(reference.kind, ())
        if reference.name in names:
            continue
        problems.append(
            InputError(
                argument=reference.path,
                came=reference.name,
                allowed=f"a declared {reference.kind} ({listed(names)})",
                try_instead=nearest(reference.name, names) or f"declare the {reference.kind}",
                file=reference.file,
                line=reference.line,
            )
        )
    return problems


def find_cycle(edges: Mapping[str, Collection[str]]) -> tuple[str, ...] | None:
    """Return a path that ends where it began, or None where there is no cycle.

    Examples
    --------
    >>> find_cycle({"a": ["b"], "b": ["c"], "c": ["b"]})
    ('b', 'c', 'b')
    >>> find_cycle({"a": ["b"], "b": []}) is None
    True
    """
    done: set[str] = set()
    for start in sorted(edges):
        path: list[str] = []
        waiting = [(start, iter(sorted(edges.get(start, ()))))] if start not in done else []
        on_path = {start} if waiting else set()
        path = [start] if waiting else []
        while waiting:
            node, following = waiting[-1]
            step = next(following, None)
            if step is None:
                waiting.pop()
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif step in on_path:
                return (*path[path.index(step) :], step)
            elif step not in done:
                waiting.append((step, iter(sorted(edges.get(step, ())))))
                path.append(step)
                on_path.add(step)
    return None


def agreement_problems(draft: Draft) -> list[ForecastingError]:
    """Return a problem for each pair of agreements that contradict each other in time or in what they replace.

    Two agreements of one kind, service, customer and objective must not apply on the same day; one that replaces
    another is of the same kind and service and begins after the other has ended. Gaps between them and exclusions
    outside an agreement's validity are notices.
    """
    agreements = sorted(draft.agreements.values(), key=lambda a: (a.valid_from, a.id))
    problems = [problem for a in agreements for problem in _replaced(draft, a)]
    cycle = find_cycle({a.id: [a.replaces] for a in agreements if a.replaces})
    if cycle is not None:
        problems.append(_at(draft, cycle[0], "replaces", " -> ".join(cycle), "no cycle", "remove one of these links"))
    for index, later in enumerate(agreements):
        for earlier in agreements[:index]:
            linked = later.replaces == earlier.id or earlier.replaces == later.id
            if not linked and _same_promise(earlier, later) and _both_apply(earlier, later):
                problems.append(_overlap(draft, earlier, later))
    for agreement in agreements:
        _outside_notices(draft, agreement)
    return problems


def _replaced(draft: Draft, agreement: Agreement) -> list[ForecastingError]:
    """Check an agreement against the one that it replaces."""
    other = draft.agreements.get(agreement.replaces)
    if other is None or other.id == agreement.id:
        return []
    if (other.kind, other.service) != (agreement.kind, agreement.service):
        allowed = f"a {agreement.kind} of {agreement.service} ({other.id} is a {other.kind} of {other.service})"
        return [_at(draft, agreement.id, "replaces", other.id, allowed, "name the agreement that this one follows")]
    if agreement.valid_from <= other.valid_from or _both_apply(other, agreement):
        return [_overlap(draft, other, agreement)]
    assert other.valid_until is not None  # else both would apply
    first = other.valid_until + timedelta(days=1)
    if first < agreement.valid_from:
        last = agreement.valid_from - timedelta(days=1)
        _notice(draft, agreement.id, "replaces", "validity-gap",
                f"nothing applies from {first} to {last}, between {other.id} and {agreement.id}")  # fmt: skip
    return []


def _same_promise(one: Agreement, other: Agreement) -> bool:
    """Tell whether two agreements promise the same to the same customer."""
    if (one.kind, one.service, one.customer) != (other.kind, other.service, other.customer):
        return False
    pairs = [(a, b) for a in one.objectives for b in other.objectives]
    same_provider = one.provider == other.provider
    return any(
        (a.name == b.name and (same_provider or a.indicator == b.indicator))
        or (same_provider and a.indicator == b.indicator and a.window == b.window)
        for a, b in pairs
    )


def _both_apply(one: Agreement, other: Agreement) -> bool:
    """Tell whether there is a day on which both apply."""
    ends = [one.valid_until or date.max, other.valid_until or date.max]
    return max(one.valid_from, other.valid_from) <= min(ends)


def days_text(agreement: Agreement) -> str:
    """Return the days on which an agreement applies, in words."""
    until = f"to {agreement.valid_until}" if agreement.valid_until else "on, without an end"
    return f"from {agreement.valid_from} {until}"


def _overlap(draft: Draft, earlier: Agreement, later: Agreement) -> InputError:
    """Make the error for two agreements that apply on one day."""
    before = later.valid_from - timedelta(days=1)
    hint = (
        f"validUntil: {before} in {earlier.id}"
        if before >= earlier.valid_from
        else f"begin {later.id} after {earlier.id}, or remove one of the two"
    )
    came = f"{later.valid_from} ({later.id} applies {days_text(later)})"
    allowed = f"days on which {earlier.id} does not apply (it applies {days_text(earlier)})"
    return _at(draft, later.id, "validFrom", came, allowed, hint)


def _outside_notices(draft: Draft, agreement: Agreement) -> None:
    """Note exclusions that lie wholly outside the days of their agreement."""
    day = timedelta(days=1)
    for exclusion in agreement.time.exclusions:
        early = exclusion.end.date() < agreement.valid_from - day
        late = agreement.valid_until is not None and exclusion.start.date() > agreement.valid_until + day
        if early or late:
            said = f"the exclusion from {exclusion.start:%Y-%m-%d %H:%M} UTC ({exclusion.reason}) lies outside the days"
            _notice(draft, agreement.id, "exclusions", "exclusion-outside-validity",
                    f"{said} of {agreement.id} ({days_text(agreement)})")  # fmt: skip


def _at(draft: Draft, agreement: str, key: str, came: str, allowed: str, hint: str) -> InputError:
    """Make an error at a field of an agreement."""
    spec = draft.places["Agreement", agreement]
    where = f"{spec.path}.{key}"
    return InputError(argument=where, came=came, allowed=allowed, try_instead=hint, file=spec.file, line=spec.line(key))


def _notice(draft: Draft, agreement: str, key: str, rule: str, message: str) -> None:
    """Keep a notice at a field of an agreement."""
    spec = draft.places["Agreement", agreement]
    draft.notices.append(Notice(rule=rule, file=spec.file, line=spec.line(key), message=message))
