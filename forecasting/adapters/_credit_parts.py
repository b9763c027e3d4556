"""Parts of an Agreement about money: the ladder of service credits, and the demand up to which the target holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, cast

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import fields_of, words_of
from forecasting.adapters._fields import Fields
from forecasting.adapters._indicator_parts import read_length, read_whole
from forecasting.terms.agreement import Credits, CreditTier, EarnBack, RepeatRule, Termination, WorkloadLimit
from forecasting.terms.service_level import AvailabilityIndicator, Objective, RollingWindow


def percent_text(share: Decimal) -> str:
    """Return a share as a percentage without trailing zeros.

    Examples
    --------
    >>> percent_text(Decimal("0.9990")), percent_text(Decimal("0.1"))
    ('99.9', '10')
    """
    return f"{(share * 100).normalize():f}"


def read_credits(spec: Fields, objectives: list[Objective]) -> Credits | None:
    """Read the service credits: a ladder or a share an hour, with caps, repeats, earn-back and claims."""
    fields = spec.mapping("credits", fields_of("credits"))
    if fields is None:
        return None
    fee = fields.decimal("feePerPeriod", "an amount above 0", required=True, above=0)
    cap = fields.share("capPercent")
    cap = Decimal(1) if cap is None else cap
    per_year = fields.decimal("capPerYear", "an amount above 0", above=0)
    if fields.has("tiers") == fields.has("perHourPercent"):
        came = "tiers and perHourPercent" if fields.has("tiers") else None
        fields.note("tiers", came, "exactly one of tiers and perHourPercent", "keep one of them")
    tiers = _tiers(fields, objectives, cap, fee) if fields.has("tiers") else ()
    per_hour = _per_hour(fields, objectives, cap)
    proration = fields.choice("proration", words_of("credits", "proration"), default="time") or "time"
    repeat, earn_back, termination = _repeat(fields), _earn_back(fields, objectives), _termination(fields)
    if per_year is not None and fee is not None and per_year < fee * max((t.share_of_fee for t in tiers), default=0):
        allowed = f"at least the largest credit of one window ({fee * max(t.share_of_fee for t in tiers):f})"
        fields.note("capPerYear", fields.node.fields["capPerYear"].text, allowed, "raise capPerYear or lower the tiers")
    if any(isinstance(o.window, RollingWindow) for o in objectives):
        # Rolling windows overlap: one outage would be paid, repeated, earned back or counted to the end in many.
        allowed = "credits only where every objective has a calendar window (rolling ones overlap)"
        spec.note("credits", "credits on a rolling window", allowed, "window: {calendar: month}, or another agreement")
        for key in ("repeat", "earnBack", "termination"):
            if fields.has(key):
                fields.note(key, key, f"{key} only with calendar windows", "window: {calendar: month}, or remove it")
    claim = read_length(fields, "claimWithin")
    joint = fields.flag("joint", default=False)
    if fee is None:
        return None
    return Credits(
        fee_per_period=fee,
        tiers=tiers,
        cap_share=cap,
        cap_per_year=per_year,
        per_hour_share=per_hour or Decimal(0),
        repeat=repeat,
        earn_back=earn_back,
        proration=cast(Literal["time", "none"], proration),
        claim_within=claim,
        termination=termination,
        joint=joint,
    )


def _tiers(fields: Fields, objectives: list[Objective], cap: Decimal, fee: Decimal | None) -> tuple[CreditTier, ...]:
    """Read the ladder: falling thresholds, rising credits, all below the target and the cap."""
    tiers: list[CreditTier] = []
    highest = max((o.target for o in objectives), default=None)
    for tier in fields.mappings("tiers", fields_of("tier"), required=True):
        below = tier.share("belowPercent", required=True)
        if tier.has("creditPercent") == tier.has("amount"):
            came = "creditPercent and amount" if tier.has("amount") else None
            tier.note("creditPercent", came, "exactly one of creditPercent and amount", "creditPercent: 5")
            continue
        key = "amount" if tier.has("amount") else "creditPercent"
        amount = tier.decimal("amount", "an amount above 0", above=0)
        credit = tier.share("creditPercent")
        if below is None or (amount is None and credit is None):
            continue
        came = tier.node.fields["belowPercent"].text
        if tiers and below >= tiers[-1].below:
            tier.note("belowPercent", came, "tiers from the highest belowPercent to the lowest", "reorder the tiers")
        if highest is not None and below > highest:
            allowed = f"at most the target ({percent_text(highest)})"
            tier.note("belowPercent", came, allowed, "a credit starts below the target")
        size, before = _size(credit, amount, fee), _size_of(tiers[-1], fee) if tiers else None
        written = tier.node.fields[key].text
        if size is not None and before is not None and size <= before:
            tier.note(key, written, "more credit the lower the tier", "raise it or reorder the tiers")
        if size is not None and fee is not None and size > cap * fee:
            most = percent_text(cap)
            allowed = f"at most capPercent ({most})" if amount is None else f"at most capPercent ({most}) of the fee"
            tier.note(key, written, allowed, "raise capPercent")
        tiers.append(CreditTier(below=below, share_of_fee=credit or Decimal(0), amount=amount))
    return tuple(tiers)


def _size(share: Decimal | None, amount: Decimal | None, fee: Decimal | None) -> Decimal | None:
    """Return what a tier pays, so that shares and amounts can be compared."""
    return amount if amount is not None else None if share is None or fee is None else share * fee


def _size_of(tier: CreditTier, fee: Decimal | None) -> Decimal | None:
    return _size(tier.share_of_fee, tier.amount, fee)


def _per_hour(fields: Fields, objectives: list[Objective], cap: Decimal) -> Decimal | None:
    """Read the credit for each begun hour beyond the budget, which needs an indicator that measures time."""
    share = fields.share("perHourPercent")
    if share is None:
        return None
    other = next((o for o in objectives if not isinstance(o.indicator, AvailabilityIndicator)), None)
    if other is not None:
        allowed = f"perHourPercent only with availability indicators ({other.name} measures something else)"
        fields.note("perHourPercent", fields.node.fields["perHourPercent"].text, allowed, "tiers, or availability: ...")
    if share > cap:
        text = fields.node.fields["perHourPercent"].text
        fields.note("perHourPercent", text, f"at most capPercent ({percent_text(cap)})", "raise capPercent")
    return share


def _repeat(fields: Fields) -> RepeatRule | None:
    """Read what a repeated miss costs."""
    rule = fields.mapping("repeat", fields_of("repeat"))
    if rule is None:
        return None
    multiplier = rule.decimal("multiplier", "a factor above 1 and at most 100", required=True, above=1, at_most=100)
    within = read_whole(rule, "within", "a whole number of windows from 1 to 120", at_least=1, at_most=120)
    compounding = rule.flag("compounding", default=False)
    if multiplier is None or within is None:
        return None
    return RepeatRule(multiplier=multiplier, within=within, compounding=compounding)


def _earn_back(fields: Fields, objectives: list[Objective]) -> EarnBack | None:
    """Read when a credit is given back, which needs more than the target."""
    rule = fields.mapping("earnBack", fields_of("earnBack"))
    if rule is None:
        return None
    windows = read_whole(rule, "windows", "a whole number of windows from 1 to 60", at_least=1, at_most=60)
    reach, share = rule.share("reachPercent", required=True), rule.share("sharePercent")
    lowest = min((o.target for o in objectives), default=None)
    if reach is not None and lowest is not None and reach < lowest:
        allowed = f"at least the target ({percent_text(lowest)})"
        rule.note("reachPercent", rule.node.fields["reachPercent"].text, allowed, percent_text(lowest))
    if windows is None or reach is None:
        return None
    return EarnBack(windows=windows, reach=reach, share=Decimal(1) if share is None else share)


def _termination(fields: Fields) -> Termination | None:
    """Read after how many misses the customer may leave."""
    rule = fields.mapping("termination", fields_of("termination"))
    if rule is None:
        return None
    misses = read_whole(rule, "misses", "a whole number of misses from 1 to 120", at_least=1, at_most=120)
    within = read_whole(rule, "within", "a whole number of windows from 1 to 120", at_least=1, at_most=120)
    if misses is None or within is None:
        return None
    if misses > within:
        came = rule.node.fields["misses"].text
        rule.note("misses", came, f"at most `within` ({within}): a window has one miss", "lower misses or raise within")
    return Termination(misses=misses, within=within)


def read_workload_limit(draft: Draft, spec: Fields) -> WorkloadLimit | None:
    """Read the demand up to which the target holds."""
    fields = spec.mapping("workloadLimit", fields_of("workloadLimit"))
    if fields is None:
        return None
    metric = fields.text("metric", required=True)
    draft.refer("metric", metric, fields, "metric")
    per_slice = fields.decimal("perSlice", "a number above 0", required=True, above=0)
    words = words_of("workloadLimit", "effect")
    effect = fields.choice("effect", words, default=words[0])
    if per_slice is None or effect is None:
        return None
    return WorkloadLimit(metric=metric, per_slice=per_slice, effect=effect)
