"""Plans for the early-warning page: many warnings of every severity, and one whose every text is hostile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import cycle

from plan_fixture import AS_OF, make_plan

from forecasting.terms.plan import ObjectiveOutlook, Plan, ServiceOutlook
from forecasting.terms.warning import EarlyWarning, RankedAction, Severity

STATES = ("new", "acknowledged", "acting", "standing")
COPIES = 6

_WRAPS = (
    "{}", '"{}', "'{}", "`{}", '">{}', "'>{}", "</td>{}", "</script>{}", "</style>{}", "</title>{}", "--><!--{}",
    "]]>{}", "&lt;{}", "\\{}", "\n{}",
)  # fmt: skip
_CORES = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "<svg onload=window.pwned=1>",
    " onfocus=window.pwned=1 autofocus tabindex=0 ",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "<a href=javascript:window.pwned=1>x</a>",
    "<style>*{display:none}</style>",
)
_OTHERS = (
    "{{7*7}}", "{% raw %}", "{{ ''.__class__.__mro__ }}", "${7*7}", "<%= 7*7 %>", "\u202etxt.exe", "a\x00b\x1b[31m",
    "<meta http-equiv=refresh content=0;url=http://evil.example>", "<base href=http://evil.example/>",
    "<link rel=stylesheet href=http://evil.example/x.css>", "<form action=http://evil.example><input autofocus>",
    "<object data=http://evil.example>", "<math><mi//xlink:href='javascript:window.pwned=1'>", "x" * 50_000, "",
    "\ud800", "<b", "&#60;script&#62;window.pwned=1&#60;/script&#62;",
)  # fmt: skip
PAYLOADS = (*(wrap.format(core) for core in _CORES for wrap in _WRAPS), *_OTHERS)


def _action(label: str, cost: float) -> RankedAction:
    return RankedAction(label=label, probability_after=0.1, cost_over_horizon=cost)


def many_plan() -> Plan:
    """Return a plan with a dozen warnings that differ in all that can be sorted and filtered."""
    plan = make_plan(copies=COPIES)
    severities, states = cycle(Severity), cycle(STATES)
    warnings = [
        replace(
            w,
            severity=next(severities),
            state=next(states),
            probability=w.probability - 0.013 * i,
            expected_loss=w.expected_loss * (1 + (i * 7) % 5),
            decide_by=None if i % 4 == 3 else date(2013, 9, 14) + timedelta(days=(i * 5) % 11),
            actions=() if i % 4 == 3 else (_action(f"Act {i}", 1000.0 * i),),
            note=f"Reference R{i:03d}. " + w.note,
        )
        for i, w in enumerate(plan.warnings)
    ]  # fmt: skip
    rank = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}
    warnings.sort(key=lambda w: (rank[w.severity], -w.expected_loss))
    return replace(plan, warnings=tuple(warnings))


def histories(plan: Plan) -> dict[str, list[tuple[datetime, float]]]:
    """Return three earlier probabilities of every second warning."""
    return {
        w.id: [(AS_OF - timedelta(days=7 * k), max(w.probability - 0.1 * k, 0.01)) for k in (3, 2, 1)]
        for w in plan.warnings[::2]
    }


def hostile_plan(payloads: tuple[str, ...] = PAYLOADS) -> Plan:
    """Return a plan with one service and one warning for each payload, which is in every text of both."""
    plan = make_plan()
    template, warning = plan.services[0], plan.warnings[0]
    pairs = [_hostile(template, warning, p, i) for i, p in enumerate(payloads)]
    first = payloads[0]
    return replace(
        plan,
        organisation=first,
        services=tuple(s for s, _ in pairs),
        warnings=tuple(w for _, w in pairs),
        manifest=replace(plan.manifest, run_id=first),
    )


def _hostile(s: ServiceOutlook, w: EarlyWarning, payload: str, number: int) -> tuple[ServiceOutlook, EarlyWarning]:
    """Put a payload into every text of a service and of a warning of it; the number keeps names apart."""
    title = f"{number} {payload}"
    o = s.objectives[0]
    assert o.agreement is not None
    period = replace(o.risks[0].period, label=payload)
    risk = replace(
        o.risks[0], service=title, objective=title, agreement=title, period=period, basis=payload,
        currency=payload[:12],
        causes=tuple(replace(c, name=payload, evidence=payload) for c in o.risks[0].causes),
    )  # fmt: skip
    promised = replace(o.agreement, id=title, promise=payload, customer=payload, owner=payload)
    objective = replace(o.objective, service=title, name=title, display_name=payload, description=payload)
    outlook: ObjectiveOutlook = replace(o, agreement=promised, objective=objective, risks=(risk,))
    silent = replace(
        o, objective=replace(objective, name="silent"), risks=(), agreement=None, attainments=(),
        excuse=None,
    )  # fmt: skip
    service = replace(
        s,
        service=replace(s.service, name=title, display_name=payload, owner=payload, tier=payload),
        objectives=(outlook, silent),
        quality=tuple(
            replace(q, metric=payload, service=title, last=datetime(2013, 1, 1, tzinfo=UTC)) for q in s.quality
        ),
    )  # fmt: skip
    hostile = replace(
        w,
        id=payload,
        service=title,
        objective=title,
        agreement=title,
        period=period,
        customers=(payload, title),
        inform=(payload,),
        note=payload,
        confidence=payload,
        state=payload,
        currency=payload[:12],
        main_cause=replace(w.main_cause, name=payload, evidence=payload),
        actions=(_action(payload, 1.0),),
        decide_by=date(2013, 9, 20),
    )
    return service, hostile
