"""Terms made again from the plain JSON values that `_plain` turned them into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from forecasting.terms.errors import StoreError

T = TypeVar("T")


def typed(kind: type[T], value: object) -> T:
    """Return a dataclass of terms from its plain form; a field that is missing takes its default.

    Parameters
    ----------
    kind : type
        A dataclass made of dataclasses, enums, texts, numbers, instants, days, spans and tuples of them.
    value : object
        What `plain` returned for it. A number that was not finite comes back as NaN.

    Raises
    ------
    StoreError
        Where the value does not fit.

    Examples
    --------
    >>> from forecasting.adapters._plain import plain
    >>> from forecasting.terms.breach import Cause
    >>> cause = Cause(name="evening peak", share=0.4, evidence="40 of 100 bad events")
    >>> typed(Cause, plain(cause)) == cause
    True
    """
    try:
        made = _made(kind, value)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise StoreError(
            argument=f"stored {kind.__name__}",
            came=str(error),
            allowed="what this release stores",
            try_instead="the release that wrote it",
        ) from error
    assert isinstance(made, kind)
    return made


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _made(kind: Any, value: Any) -> Any:
    """Make one value of a type."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        rest = [one for one in get_args(kind) if one is not NoneType]
        return None if value is None else _made(rest[0], value)
    if origin is tuple:
        return tuple(_made(get_args(kind)[0], one) for one in value)
    if is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]
        return kind(**{f.name: _made(hints[f.name], value[f.name]) for f in fields(kind) if f.name in value})  # type: ignore[operator]
    if kind is float:
        return float("nan") if value is None else float(value)
    if kind in (datetime, date):
        return kind.fromisoformat(value)
    if kind is timedelta:
        return timedelta(seconds=value)
    if kind is Decimal or (isinstance(kind, type) and issubclass(kind, Enum)):
        return kind(value)
    if kind in (str, int, bool) and not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
