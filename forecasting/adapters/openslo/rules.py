"""The reference rules of OpenSLO v1, as its Go validator applies them, on the nodes of one document.

What breaks a rule but can be read in one sensible way is a finding with a name; it is an error in strict mode and a
notice in lenient mode. What cannot be read is a problem in both modes.
"""

from __future__ import annotations

from collections.abc import Callable

from forecasting.adapters._fields import Fields
from forecasting.adapters._strict_yaml import Node
from forecasting.adapters.openslo.checker import TEXT_LIMIT, Checker, Finding
from forecasting.adapters.openslo.rules_alerts import check_condition, check_policy, check_target
from forecasting.adapters.openslo.rules_indicator import check_indicator
from forecasting.adapters.openslo.rules_slo import check_slo
from forecasting.terms.errors import ForecastingError

VERSIONS = ("openslo/v1", "openslo/v1alpha", "openslo.com/v2alpha")


def check_document(node: Node, *, kind: str, file: str) -> tuple[list[ForecastingError], list[Finding]]:
    """Check one openslo/v1 document.

    Parameters
    ----------
    node : Node
        The document, a mapping.
    kind : str
        Its kind.
    file : str
        Name of the file for messages.

    Returns
    -------
    (list of ForecastingError, list of Finding)
        What cannot be read in either mode, and what breaks a rule.

    Examples
    --------
    >>> from forecasting.adapters._strict_yaml import parse_yaml
    >>> text = "apiVersion: openslo/v1\\nkind: Service\\nmetadata: {name: My shop}\\nspec: {}"
    >>> problems, findings = check_document(parse_yaml(text, file="a.yaml")[0][0], kind="Service", file="a.yaml")
    >>> problems, findings[0].rule, findings[0].reading
    ([], 'name-not-rfc1123', "read as 'my-shop'")
    """
    checker = Checker(file=file)
    top = checker.open(node, "", ("apiVersion", "kind", "metadata", "spec"))
    checker.metadata(top, required=True)
    _SPECS[kind](checker, top)
    return checker.problems, checker.findings


def _service(checker: Checker, top: Fields) -> None:
    """Check the spec of a Service."""
    spec = checker.part(top, "spec", ("description",))
    if spec:
        checker.text(spec, "description")


def _sli(checker: Checker, top: Fields) -> None:
    """Check the spec of an SLI."""
    spec = checker.part(top, "spec", ("description", "ratioMetric", "thresholdMetric"), required=True)
    if spec:
        check_indicator(checker, spec)


def _data_source(checker: Checker, top: Fields) -> None:
    """Check the spec of a DataSource."""
    spec = checker.part(top, "spec", ("description", "type", "connectionDetails"), required=True)
    if spec is None:
        return
    checker.text(spec, "description")
    checker.text(spec, "type", required=True, longest=TEXT_LIMIT)
    if not spec.has("connectionDetails"):
        reading = "read as none"
        checker.find(
            "rule", "connection-missing", spec, "connectionDetails", None, "how to reach it", "add it", reading
        )


_SPECS: dict[str, Callable[[Checker, Fields], None]] = {
    "Service": _service,
    "SLI": _sli,
    "SLO": check_slo,
    "DataSource": _data_source,
    "AlertPolicy": check_policy,
    "AlertCondition": check_condition,
    "AlertNotificationTarget": check_target,
}
KINDS = tuple(_SPECS)
"""Kinds of openslo/v1."""
