"""What the agreements that underpin a promise allow it to reach, from how they are linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from forecasting.terms.agreement import Agreement, AgreementKind, Reliance
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    DeadlineIndicator,
    Indicator,
    RatioIndicator,
    RawRatioIndicator,
    TicketIndicator,
)

UNDERPINNING = (AgreementKind.OLA, AgreementKind.UC)


def family(indicator: Indicator) -> str:
    """Return what kind of promise an indicator makes; only promises of one family are compared with each other.

    Examples
    --------
    >>> family(RatioIndicator(total="n", good="g")) == family(AvailabilityIndicator(metric="up"))
    True
    """
    if isinstance(indicator, (RatioIndicator, RawRatioIndicator, AvailabilityIndicator)):
        return "availability"
    if isinstance(indicator, DeadlineIndicator):
        return "deadline"
    return "ticket" if isinstance(indicator, TicketIndicator) else "threshold"


@dataclass(frozen=True, kw_only=True)
class Link:
    """One reliance with the targets of its agreements, all of one family."""

    names: tuple[str, ...]
    targets: tuple[Fraction, ...]
    """Highest target of each agreement."""
    required: int
    """How many of them must hold."""
    independent: bool
    """Whether their failures were declared independent (and those of other such links)."""

    @property
    def redundant(self) -> bool:
        """Whether fewer than all are needed."""
        return self.required < len(self.targets)

    @property
    def ceiling(self) -> Fraction:
        """Largest share of time in which enough of them can hold, however their failures fall together.

        All needed: the weakest. k of n: at most the sum of the shares ÷ k (Markov), and at most 1.
        """
        return min(Fraction(1), sum(self.targets, Fraction(0)) / self.required) if self.redundant else min(self.targets)

    @property
    def product(self) -> Fraction:
        """Probability that enough of them hold where they fail independently."""
        up = [Fraction(1)] + [Fraction(0)] * len(self.targets)  # up[j]: probability that j of those so far hold
        for share in self.targets:
            up = [up[j] * (1 - share) + (up[j - 1] * share if j else 0) for j in range(len(up))]
        return sum(up[self.required :], Fraction(0))

    @property
    def as_one(self) -> Fraction:
        """The same where a redundant group counts as its weakest member alone."""
        return min(self.targets) if self.redundant else self.product


def links_of(agreement: Agreement, known: Mapping[str, Agreement], kind: str) -> tuple[Link, ...]:
    """Return the links of an agreement to OLAs and underpinning contracts that promise something of this family."""
    reliance: Sequence[Reliance] = agreement.reliance or [Reliance(agreements=(key,)) for key in agreement.relies_on]
    found = []
    for link in reliance:
        targets = {}
        for key in link.agreements:
            other = known.get(key)
            if other is None or other.kind not in UNDERPINNING:
                continue
            same = [o.target for o in other.objectives if family(o.indicator) == kind]
            if same:
                targets[key] = Fraction(max(same))
        if targets:
            needed = len(targets) if link.required is None else min(link.required, len(targets))
            found.append(
                Link(
                    names=tuple(targets), targets=tuple(targets.values()), required=needed, independent=link.independent
                )
            )
    return tuple(found)


def product_of(shares: Sequence[Fraction]) -> Fraction:
    """Return the product of shares.

    Examples
    --------
    >>> product_of([Fraction(1, 2), Fraction(1, 2)])
    Fraction(1, 4)
    """
    result = Fraction(1)
    for share in shares:
        result *= share
    return result
