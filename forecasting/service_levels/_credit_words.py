"""A credit line's arithmetic in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from forecasting.service_levels.credits import Rung, from_units, minor_unit_decimals, to_units
from forecasting.service_levels.rounding import rounded_share
from forecasting.terms.agreement import Credits
from forecasting.terms.credit import ClaimStatus
from forecasting.terms.service_level import Attainment, AttainmentStatus, Objective, Rounding


@dataclass(frozen=True, kw_only=True)
class Reckoning:
    """What a sentence about one credit needs; amounts as int are smallest units of the currency."""

    objective: Objective | None
    """Of a joint credit: the objective that caused it."""
    attainment: Attainment
    terms: Credits
    currency: str
    rung: Rung
    target: Decimal
    rounding: Rounding | None
    fee: Fraction
    covered: Fraction
    factor: Fraction
    by_interval: bool
    gross: int
    capped: int
    window_room: int
    year: int
    back: int
    back_open: bool
    low: int
    high: int
    undetermined: bool
    claim: ClaimStatus
    claim_by: date | None
    ending: bool

    def money(self, units: int) -> str:
        """Return smallest units as text."""
        return f"{self.currency} {from_units(units, self.currency):,.{minor_unit_decimals(self.currency)}f}"

    def exactly(self, amount: Fraction) -> str:
        """Return an amount as text, rounded to the smallest unit."""
        return self.money(to_units(amount, self.currency))


def explain(r: Reckoning) -> str:
    """Return the arithmetic of a credit in words, from the attainment to what is due.

    Examples
    --------
    >>> percent(Decimal("0.99895")), percent(Decimal("0.9")), percent(Decimal("2") / 3)
    ('99.895 %', '90 %', '66.6666 %')
    """
    parts = [_ladder(r)]
    if r.rung.credit and r.covered != 1:
        parts.append(f"the agreement covers {percent(r.covered)} of the window")
    if r.rung.credit and r.factor != 1:
        parts.append(f"times {_number(r.factor)} for a repeated miss = {r.money(r.gross)}")
    if r.capped < r.gross:
        if r.capped == r.window_room:
            cap = f"the cap of {percent(r.terms.cap_share)} of the window's fee"
        else:
            cap = f"the cap of {r.exactly(Fraction(r.terms.cap_per_year or 0))} for {r.year}"
        parts.append(f"{cap} leaves {r.money(r.capped)}")
    rule = r.terms.earn_back
    if rule is not None and r.back:
        windows = "window" if rule.windows == 1 else f"{rule.windows} windows"
        reached = f"because the next {windows} reached {percent(rule.reach)}"
        parts.append(f"{r.money(r.back)} given back {reached}, {r.money(r.capped - r.back)} due")
    if rule is not None and r.back_open:
        windows = "window reaches" if rule.windows == 1 else f"{rule.windows} windows reach"
        parts.append(f"{percent(rule.share)} of it is given back if the next {windows} {percent(rule.reach)}")
    if r.undetermined:
        parts.append(f"missing data leave open between {r.money(r.low)} and {r.money(r.high)}")
    if not r.attainment.final and r.attainment.status is not AttainmentStatus.RUNNING:
        parts.append("late data can still change it")
    if r.claim is ClaimStatus.LAPSED:
        parts.append(f"the last day to claim was {r.claim_by}")
    elif r.claim_by is not None and r.claim is not ClaimStatus.NONE and (r.capped or r.undetermined):
        parts.append(f"to be claimed by {r.claim_by}")
    if r.ending and r.terms.termination is not None:
        rule_ = r.terms.termination
        parts.append(f"{rule_.misses} misses within {rule_.within} windows: the customer may end the agreement")
    head = "" if r.objective is None else f"{r.objective.display_name or r.objective.name}: "
    return head + "; ".join(parts)


def _ladder(r: Reckoning) -> str:
    """Return the sentence from the attainment to the credit before repeats and caps."""
    a = r.attainment
    if a.status is AttainmentStatus.NO_TRAFFIC:
        return "no traffic: nothing is due"
    if a.status is AttainmentStatus.INSUFFICIENT_DATA or a.value is None:
        return "too few data for a verdict: nothing is due"
    value = a.value if not r.by_interval or a.upper is None else a.upper
    shown = percent(value, like=r.target)
    if r.by_interval:
        shown = f"with missing data taken as good {shown}"
    if r.rounding is not None:
        shown += f", rounded {percent(rounded_share(value, r.rounding))},"
    if r.rung.hours:
        hours = "1 begun hour" if r.rung.hours == 1 else f"{r.rung.hours} begun hours"
        times = "" if r.rung.hours == 1 else f"{r.rung.hours} × "
        share = f"{times}{percent(r.terms.per_hour_share)} of {r.exactly(r.fee)}"
        below = f"{shown} is below {percent(r.target)}, {hours} beyond the budget"
        return f"{below}: {share} = {r.exactly(r.rung.credit)}"
    tier = r.rung.tier
    if tier is None:
        verdict = {AttainmentStatus.MET: "target met, ", AttainmentStatus.BREACHED: "target missed, but "}
        return f"{shown} is below no tier: {verdict.get(a.status, '')}nothing is due"
    shown = shown if r.rounding is not None else percent(value, like=tier.below)
    if r.by_interval and r.rounding is None:
        shown = f"with missing data taken as good {shown}"
    below = f"{shown} is below {percent(tier.below)}"
    if tier.amount is None:
        return f"{below}: {percent(tier.share_of_fee)} of {r.exactly(r.fee)} = {r.exactly(r.rung.credit)}"
    part = "" if r.covered == 1 or r.terms.proration == "none" else f"{percent(r.covered)} of "
    amount = r.exactly(Fraction(tier.amount))
    return f"{below}: {part}{amount}" + (f" = {r.exactly(r.rung.credit)}" if part else "")


def percent(share: Decimal | Fraction, *, like: Decimal = Decimal(0)) -> str:
    """Return a share as a percentage, cut (never rounded up) after 4 decimals or as many as `like` has.

    Examples
    --------
    >>> percent(Decimal("0.9989999999"), like=Decimal("0.999"))  # still below 99.9 %
    '99.8999 %'
    """
    exponent = like.as_tuple().exponent
    decimals = max(4, -exponent - 2 if isinstance(exponent, int) else 0)
    scaled = Fraction(share) * 100 * 10**decimals
    cut = -(-scaled // 1) if scaled < 0 else scaled // 1
    return f"{_number(Fraction(cut, 10**decimals))} %"


def _number(value: Fraction) -> str:
    """Return a number whose denominator has no factor but 2 and 5 in plain digits."""
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    return f"{Decimal(f'{(value * 10**digits).numerator}E-{digits}'):f}"
