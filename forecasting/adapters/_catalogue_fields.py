"""The fields of our own catalogue kinds, one line a block: readers and the JSON Schema use the same table.

A field's type is a word (``text``, ``name``, ``names``, ``number``, ``whole``, ``percent``, ``day``, ``instant``,
``moment`` for a day or an instant, ``duration``, ``flag``, ``zone``, ``clock``, ``span``, ``spans``, ``start``),
``a | b`` for one of several words, ``{block}`` for a mapping, ``[block]`` for a list of mappings, ``{*}`` for a mapping
with keys of its own, or ``<name>`` for what the schema describes by itself. A trailing ``!`` marks a field that must be
there.
"""

from __future__ import annotations

from typing import Final

MODES: Final = "remove | drop_events | count_as_good"

BLOCKS: Final[dict[str, dict[str, str]]] = {
    "Customer": {"displayName": "text", "description": "text"},
    "DemandDriver": {"service": "name!", "metric": "text!", "description": "text"},
    "Covariate": {"service": "name!", "metric": "text!", "knownAhead": "flag", "description": "text"},
    "PlannedEvent": {
        "description": "text", "services": "<names or all>", "metrics": "<names or all>",
        "occurrences": "[occurrence]!", "effect": "{statedEffect}",
    },
    "occurrence": {"from": "moment!", "until": "moment", "announced": "moment"},
    "statedEffect": {"percent": "number!", "source": "text!"},
    "Hierarchy": {
        "description": "text", "metric": "text!", "total": "name!", "parts": "names!", "method": "mint | bottom-up",
    },
    "Resource": {
        "description": "text", "services": "names!", "use": "{use}!", "unit": "text!", "unitsNow": "number!",
        "perUnit": "number", "usablePercent": "percent", "stepUnits": "number", "maxUnits": "number",
        "redundantUnits": "number", "minUnits": "number", "model": "<model>!", "capexPerUnit": "number",
        "orderCost": "number", "costPerUnitMonth": "number", "leaseMonths": "whole", "kwhPerUnitMonth": "number",
        "co2KgPerUnitMonth": "number", "currency": "text", "priceDate": "day", "leadTime": "duration",
        "leadSteps": "[leadStep]",
    },
    "leadStep": {
        "name": "text!", "low": "duration!", "mode": "duration!", "high": "duration!", "beforeOrder": "flag",
    },
    "Measure": {
        "kind": "tune | shift_demand | shape_demand | change_supplier | commit | retire | improve_monitoring"
        " | add_redundancy!",
        "label": "text!", "services": "names!", "resource": "name", "demandMultiplier": "number",
        "peakMultiplier": "number", "perUnitMultiplier": "number", "badMultiplier": "number",
        "badMultiplierLow": "number", "badMultiplierHigh": "number", "promisedPercent": "percent",
        "supplierAgreement": "name", "capex": "number", "opexPerMonth": "number", "savesOpexOfResource": "flag",
        "leadTime": "duration", "availableFrom": "day", "currency": "text", "priceDate": "day",
        "kwhPerMonth": "number", "co2KgPerMonth": "number", "reversibility": "text", "risk": "text",
        "sideEffects": "text",
    },
    "HorizonDriver": {
        "category": "technical | market | industrial | socio-economic | legislative | sustainability | internal!",
        "statement": "text!", "evidence": "text", "evidenceDate": "day", "likelihoodPercent": "percent",
        "horizon": "H1 | H2 | H3", "status": "watch | plan | act | retired", "owner": "text", "services": "names",
        "effects": "[driverEffect]", "resourceEffects": "[driverResourceEffect]", "signposts": "[signpost]",
        "plannedUntil": "day", "outcome": "{outcome}",
    },
    "driverEffect": {
        "service": "name!", "metric": "text!", "kind": "multiplier | step | trend!", "start": "day!", "end": "day",
        "low": "number!", "mode": "number!", "high": "number!", "rampDays": "whole", "statement": "text",
    },
    "driverResourceEffect": {
        "resource": "name!",
        "kind": "price_multiplier | units_multiplier | units_step | lead_time_multiplier | usable_multiplier!",
        "start": "day!", "end": "day", "low": "number!", "mode": "number!", "high": "number!", "statement": "text",
    },
    "signpost": {
        "statement": "text!", "service": "name", "metric": "text", "above": "number", "below": "number", "due": "day",
    },
    "outcome": {"happened": "flag!", "on": "day!", "size": "number", "note": "text"},
    "use": {"service": "name!", "metric": "text!"},
    "Calendar": {
        "description": "text", "zone": "zone!", "weekly": "<weekly>", "holidays": "{holidays}", "dates": "<dates>",
        "versions": "[version]",
    },
    "version": {"validFrom": "day", "weekly": "<weekly>!", "holidays": "{holidays}", "dates": "<dates>"},
    "holidays": {"country": "text!", "subdivision": "text", "hours": "spans"},
    "Scenario": {
        "description": "text", "effects": "[effect]", "resourceEffects": "[resourceEffect]", "drivers": "names",
        "without": "names", "probabilityPercent": "percent",
    },
    "effect": {
        "driver": "text!", "service": "name!", "metric": "text!", "kind": "multiplier | step | trend!", "start": "day!",
        "end": "day", "low": "number!", "mode": "number!", "high": "number!", "rampDays": "whole",
        "likelihoodPercent": "percent", "statement": "text",
    },
    "resourceEffect": {
        "driver": "text!", "resource": "name!",
        "kind": "price_multiplier | units_multiplier | units_step | lead_time_multiplier | usable_multiplier!",
        "start": "day!", "end": "day", "low": "number!", "mode": "number!", "high": "number!",
        "likelihoodPercent": "percent", "statement": "text",
    },
    "Agreement": {
        "kind": "SLA | OLA | UC!", "version": "text", "replaces": "name", "service": "name!", "customer": "name!",
        "provider": "text!", "promise": "text", "validFrom": "day!", "validUntil": "day", "currency": "text",
        "priceDate": "day", "serviceHours": "name", "maintenance": "[maintenance]", "exclusions": "[exclusion]",
        "grace": "duration", "reviewMonths": "whole", "lastReview": "day", "budgetPolicy": "text",
        "confidential": "flag", "objectives": "[objective]!", "credits": "{credits}", "lossPerBadEvent": "number",
        "workloadLimit": "{workloadLimit}", "reliesOn": "<reliesOn>", "owner": "text",
    },
    "maintenance": {
        "weekdays": "<weekdays>!", "span": "span!", "zone": "zone!", "nthOfMonth": "<nth>", "validFrom": "day",
        "validUntil": "day", "reason": "text", "mode": MODES,
    },
    "exclusion": {
        "from": "instant!", "until": "instant!", "reason": "text!", "approvedBy": "text", "evidence": "text",
        "mode": MODES,
    },
    "reliance": {"agreements": "names!", "required": "whole", "independent": "flag"},
    "workloadLimit": {
        "metric": "text!", "perSlice": "number!", "effect": "target suspended | target scaled | priced",
    },
    "objective": {
        "name": "name!", "displayName": "text", "description": "text", "slo": "name", "indicator": "<indicator>",
        "target": "number", "targetPercent": "percent", "op": "lt | lte | gt | gte", "value": "number",
        "window": "{window}!", "minimumEvents": "whole", "minimumCoveragePercent": "percent",
        "method": "Occurrences | Timeslices | RatioTimeslices", "sliceWindow": "duration",
        "sliceTargetPercent": "percent", "noTraffic": "exclude | good | bad | carry",
        "noData": "unknown | exclude | good | bad", "strict": "flag", "rounding": "{rounding}",
        "alertPolicies": "names",
    },
    "window": {
        "calendar": "day | week | month | quarter | year", "rolling": "text", "zone": "zone", "count": "whole",
        "anchor": "start",
    },
    "rounding": {"decimals": "whole!", "mode": "half_up | half_even | down | up"},
    "credits": {
        "feePerPeriod": "number!", "capPercent": "percent", "capPerYear": "number", "tiers": "[tier]",
        "perHourPercent": "percent", "repeat": "{repeat}", "earnBack": "{earnBack}", "proration": "time | none",
        "claimWithin": "duration", "termination": "{termination}", "joint": "flag",
    },
    "tier": {"belowPercent": "percent!", "creditPercent": "percent", "amount": "number"},
    "repeat": {"multiplier": "number!", "within": "whole!", "compounding": "flag"},
    "earnBack": {"windows": "whole!", "reachPercent": "percent!", "sharePercent": "percent"},
    "termination": {"misses": "whole!", "within": "whole!"},
    "availability": {
        "metric": "text", "measures": "up | up_seconds | down_seconds", "outages": "names", "logMetric": "text",
    },
    "quantile": {
        "metric": "text!", "quantilePercent": "percent!", "op": "lt | lte | gt | gte!", "value": "number!",
        "slice": "duration!",
    },
    "deadline": {
        "metric": "text!", "by": "clock!", "calendar": "name", "start": "clock", "startDay": "previous | same",
    },
    "ticket": {
        "stage": "response | resolution!", "within": "duration!", "calendar": "name", "kinds": "names",
        "priorities": "names", "pauses": "flag", "countedAt": "due | opened | done",
    },
    "rawRatio": {"metric": "text!", "counts": "success | failure"},
    "ratio": {"total": "text!", "good": "text", "bad": "text", "cumulative": "flag"},
    "threshold": {"metric": "text!"},
    "composite": {"required": "whole", "components": "[component]!"},
    "component": {"objective": "name!", "weight": "number"},
}  # fmt: skip
"""Fields of each block (the ones with a capital are the `spec` of a kind), in the order in which people write them."""

_CALLS: Final = {
    "handlingTimeSeconds": "number!", "answerWithinSeconds": "number!", "targetPercent": "percent!",
    "intervalMinutes": "whole",
}  # fmt: skip
_STAFF: Final = {"occupancyLimitPercent": "percent", "shrinkagePercent": "percent"}
MODELS: Final[dict[str, dict[str, str]]] = {
    "erlang_c": {**_CALLS, **_STAFF},
    "erlang_a": {**_CALLS, "patienceSeconds": "number!", **_STAFF},
    "erlang_b": {"holdingTimeSeconds": "number!", "targetPercent": "percent!", "intervalMinutes": "whole"},
    "ggc": {
        "serviceTimeSeconds": "number!", "withinSeconds": "number!", "targetPercent": "percent!", "arrivalCv": "number",
        "serviceCv": "number", "intervalMinutes": "whole",
    },
    "usl": {
        "gamma": "number", "alpha": "number", "beta": "number", "unitsMetric": "text", "throughputMetric": "text",
    },
    "redundancy": {
        "unitAvailabilityPercent": "percent!", "targetPercent": "percent!", "commonCausePercent": "percent",
        "domains": "whole",
    },
    "backlog": {"within": "duration!", "targetPercent": "percent!", "calendar": "name"},
    "time_varying": {**_CALLS, "patienceSeconds": "number", **_STAFF},
    "response_curve": {"good": "text", "bad": "text", "total": "text!"},
    "growing_stock": {},
}  # fmt: skip
"""Fields of ``model:`` of a Resource by its kind, beside ``kind`` itself."""

INDICATORS: Final = ("ratio", "threshold", "availability", "quantile", "deadline", "ticket", "rawRatio", "composite")
"""Blocks that are an indicator of our own: exactly one of them stands in ``indicator:``."""


def fields_of(block: str) -> list[str]:
    """Return the field names of a block.

    Examples
    --------
    >>> fields_of("rounding")
    ['decimals', 'mode']
    """
    return list(BLOCKS[block])


def words_of(block: str, field: str) -> list[str]:
    """Return the words that a field may be.

    Examples
    --------
    >>> words_of("Agreement", "kind")
    ['SLA', 'OLA', 'UC']
    """
    return BLOCKS[block][field].rstrip("!").split(" | ")
