"""What the audit of a catalogue found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class CatalogueFinding:
    """One finding of one rule.

    Examples
    --------
    >>> CatalogueFinding(rule="service-without-agreement", severity="gap", subject="gift-cards",
    ...     message="no agreement covers gift-cards", evidence="0 agreements",
    ...     try_instead="an Agreement document").severity
    'gap'
    """

    rule: str
    """Name of the rule, such as ``service-without-agreement``."""
    severity: Literal["gap", "hint"]
    """gap: a promise that cannot be kept or judged as it stands; hint: something a complete catalogue would say."""
    subject: str
    """Service, agreement or objective it is about."""
    message: str
    """What is wrong, in one sentence."""
    evidence: str
    """The numbers and names behind it."""
    try_instead: str
