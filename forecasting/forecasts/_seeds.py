"""Seeds of single things derived from the seed of a run."""

from __future__ import annotations

from hashlib import sha256


def seed_of(seed: int, *names: str) -> int:
    """Return a seed of its own for something named, the same in every process and order.

    Examples
    --------
    >>> seed_of(1, "lga", "departures") == seed_of(1, "lga", "departures") != seed_of(1, "jfk", "departures")
    True
    """
    text = "\x1f".join((str(seed), *names))
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big")
