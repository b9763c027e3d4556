"""The reference rules of an indicator (SLI)."""

from __future__ import annotations

from forecasting.adapters._fields import Fields
from forecasting.adapters.openslo.checker import Checker, keys_of


def check_indicator(checker: Checker, spec: Fields) -> None:
    """Check the spec of an indicator."""
    checker.text(spec, "description")
    if not checker.either(spec, "ratioMetric", "thresholdMetric"):
        return
    if spec.has("thresholdMetric"):
        _metric(checker, spec, "thresholdMetric")
        return
    ratio = checker.part(spec, "ratioMetric", ("counter", "good", "bad", "total", "raw", "rawType"))
    if ratio is None:
        return
    checker.flag(ratio, "counter")
    if not checker.either(ratio, "total", "raw"):
        return
    if ratio.has("raw"):
        for key in ("good", "bad"):
            if ratio.has(key):
                ratio.note(key, key, "no good or bad with raw", "remove it")
        _metric(checker, ratio, "raw")
        checker.choice(ratio, "rawType", ("success", "failure"))
        return
    if checker.either(ratio, "good", "bad"):
        _metric(checker, ratio, "good" if ratio.has("good") else "bad")
    _metric(checker, ratio, "total")
    if ratio.has("rawType"):
        came = ratio.node.fields["rawType"].shown()
        checker.find("notice", "ignored-field", ratio, "rawType", came, "only with raw", "remove it")


def _metric(checker: Checker, fields: Fields, key: str) -> None:
    """Check ``{metricSource: {metricSourceRef, type, spec}}``."""
    holder = checker.part(fields, key, ("metricSource",), required=True)
    known = ("metricSourceRef", "type", "spec")
    source = checker.part(holder, "metricSource", known, required=True) if holder else None
    if source is None:
        return
    checker.name(source, "metricSourceRef", required=False)
    checker.text(source, "type")
    spec = checker.part(source, "spec", keys_of(source, "spec"), required=True)
    if spec is not None and not spec.node.fields:
        source.note("spec", "an empty mapping", "what to ask the source", "spec: {query: ...}")


def check_holder(checker: Checker, fields: Fields) -> bool:
    """Check the indicator of an SLO or of one of its objectives; say whether there is one."""
    if not fields.has("indicator") and not fields.has("indicatorRef"):
        return False
    if checker.either(fields, "indicator", "indicatorRef"):
        checker.name(fields, "indicatorRef", required=False)
        inline = checker.part(fields, "indicator", ("metadata", "spec"))
        if inline is not None:
            checker.metadata(inline, required=False)
            spec = checker.part(inline, "spec", ("description", "ratioMetric", "thresholdMetric"), required=True)
            if spec:
                check_indicator(checker, spec)
    return True
