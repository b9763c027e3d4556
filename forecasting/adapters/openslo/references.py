"""Names in OpenSLO documents that stand for other documents."""

from __future__ import annotations

import re
from collections.abc import Collection

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._fields import Fields, listed
from forecasting.adapters.openslo.checker import slug

MOST_COMPARED = 50_000
"""Names that references are compared with, to find slips."""


def resolve(draft: Draft, kind: str, name: str, fields: Fields, key: str, declared: Collection[str]) -> str | None:
    """Return the declared name that a reference stands for, or None.

    The reference rules look at one document at a time, so that a name nobody declares is a notice; only one that is
    a slip of a declared name is an error.

    Parameters
    ----------
    draft : Draft
        Takes the notice or the problem.
    kind : str
        Kind of document that is meant.
    name : str
        The reference as written.
    fields, key : Fields, str
        Where it is written.
    declared : collection of str
        Declared names of that kind.
    """
    wanted = slug(name)
    if wanted in declared:
        return wanted
    if (kind, wanted) in draft.damaged or not wanted:
        return None
    close = None
    if draft.compared < MOST_COMPARED:  # beyond that the names are simply others, and time matters more
        draft.compared += len(declared)
        close = next((other for other in sorted(declared) if is_slip(wanted, other)), None)
    if close is not None:
        fields.note(key, name, f"a declared {kind} ({listed(declared)})", close)
        return None
    if kind != "Service":  # a service that is only named is made, and that is said once for all its SLOs
        draft.notice("reference-not-declared", fields, key, f"no document declares the {kind} '{wanted}'")
    return None


def is_slip(word: str, other: str) -> bool:
    """Tell whether `word` is `other` with one letter wrong, too many, missing or swapped (two in long names).

    Names that differ only in their numbers, such as ``api-1`` and ``api-2``, are different names.

    Examples
    --------
    >>> is_slip("lga-d1", "lga-dl"), is_slip("api-1", "api-2"), is_slip("my-test", "my-rad")
    (True, False, False)
    """
    longer = max(len(word), len(other))
    most = 0 if longer < 4 else 1 if longer < 9 else 2
    if abs(len(word) - len(other)) > most or re.sub("[0-9]", "", word) == re.sub("[0-9]", "", other):
        return False
    return _distance(word, other, most) <= most


def _distance(one: str, other: str, most: int) -> int:
    """Return the number of single letters to change, add, drop or swap with their neighbour, up to `most`."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        following = [i]
        for j, against in enumerate(other, start=1):
            cost = min(row[j] + 1, following[-1] + 1, row[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, before[j - 2] + 1)
            following.append(cost)
        if min(following) > most and min(row) > most:
            return most + 1
        before, row = row, following
    return row[-1]
