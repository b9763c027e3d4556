"""OpenSLO documents: reference rules, conversion of the drafts, reading and writing.

Decisions where the standard leaves room:

- Strict mode applies the reference rules of openslo/v1; lenient mode (the default) turns each rule whose breach can be
  read in one way into a named notice. Documents of v1alpha and v2alpha are converted and then checked; of the rules
  only the one for names is applied to them strictly, because the drafts had other ones.
- The reference rules look at one document at a time. A reference to a name nobody declares is a notice in both modes (a
  service is made, an SLO without an indicator is left out); one that is a slip of a declared name is an error.
- Unknown fields are errors in strict mode; in lenient mode those like a known one are errors, others are notices.
- Rolling windows are whole days (M, Q and Y are 30, 90 and 365 days), calendar windows whole calendar units; others are
  refused in both modes, because the engine has no such windows. `1m` as a calendar window is read as `1M` in lenient
  mode.
- A target of 0 or a targetPercent below 1, which the rules allow, is an error in lenient mode and a notice in strict
  mode; nothing is ever guessed of a target.
- A policy that can never alert at an SLO's target (its threshold times the error budget is 1 or more) is an error in
  lenient mode; strict mode leaves it out of the SLO with a notice.
- Secrets (fields called like one, user names in URLs) are left out with a notice, and are never written again.
- `counter: true` with an outside source means running counters; with our own metrics (type: forecasting) values are
  counts per slice unless ``forecasting/cumulative`` says otherwise.
- A composite's target is the mean of its objectives' targets by weight.
"""

from forecasting.adapters.openslo.alerts import read_condition, read_data_source, read_policy, read_target
from forecasting.adapters.openslo.export import export_openslo
from forecasting.adapters.openslo.indicators import read_indicator
from forecasting.adapters.openslo.read import (
    prepare,
    read_service,
    read_sli,
    unused_indicators,
)
from forecasting.adapters.openslo.rules import KINDS, VERSIONS
from forecasting.adapters.openslo.slo import read_slo, repeated_names

__all__ = [
    "KINDS",
    "VERSIONS",
    "export_openslo",
    "prepare",
    "read_condition",
    "read_data_source",
    "read_indicator",
    "read_policy",
    "read_service",
    "read_sli",
    "read_slo",
    "read_target",
    "repeated_names",
    "unused_indicators",
]
