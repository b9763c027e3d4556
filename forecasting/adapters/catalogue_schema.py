"""JSON Schema of a catalogue document, so that an editor completes and checks it while it is written.

The blocks of our own kinds come from the tables that the readers use. The schema looks at structure: what a rule of the
whole says (references, dates in order, one of two fields) is checked by ``forecasting catalogue check``.
"""

from __future__ import annotations

from typing import Any, Final

from forecasting.adapters._catalogue_fields import BLOCKS, INDICATORS, MODELS
from forecasting.terms.service_time import WEEKDAYS

Schema = dict[str, Any]

_NAME: Final[Schema] = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
_TEXT: Final[Schema] = {"type": ["string", "number", "boolean"]}
_NUMBER: Final[Schema] = {"type": ["number", "string"]}
_FREE: Final[Schema] = {"type": "object"}
_SPAN: Final[Schema] = {
    "type": "string",
    "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]\\s*-\\s*(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
}
_TYPES: Final[dict[str, Schema]] = {
    "text": _TEXT,
    "name": _NAME,
    "names": {"type": "array", "items": _TEXT},
    "number": _NUMBER,
    "percent": _NUMBER,
    "whole": {"type": ["integer", "string"]},
    "day": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    "instant": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].*([zZ]|[-+][0-9]{2}:?[0-9]{2})$"},
    "moment": {
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*([zZ]|[-+][0-9]{2}:?[0-9]{2}))?$",
    },
    "<names or all>": {"anyOf": [{"type": "array", "items": _TEXT, "minItems": 1}, {"const": "all"}]},
    "start": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?$"},
    "duration": {"type": "string", "pattern": "^[0-9]{1,6}[mhdw]$"},
    "flag": {"type": "boolean"},
    "zone": {"type": "string", "description": "IANA time zone, such as Europe/Berlin"},
    "clock": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
    "span": _SPAN,
    "spans": {"type": "array", "items": _SPAN},
    "<weekly>": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "array", "items": _SPAN}},
    "<dates>": {
        "type": "object",
        "propertyNames": {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
        "additionalProperties": {"anyOf": [{"type": "array", "items": _SPAN}, {"type": "null"}]},
    },
    "<weekdays>": {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": f"^({'|'.join(WEEKDAYS)})(-({'|'.join(WEEKDAYS)}))?$|^daily$"},
    },
    "<nth>": {"type": "array", "items": {"enum": [1, 2, 3, 4, 5, -1]}},
    "<reliesOn>": {"type": "array", "items": {"anyOf": [_NAME, {"$ref": "#/$defs/reliance"}]}},
    "<model>": {"oneOf": [{"$ref": f"#/$defs/model-{kind}"} for kind in MODELS]},
    "<indicator>": {
        "type": "object",
        "properties": {
            **{name: {"$ref": f"#/$defs/{name}"} for name in INDICATORS},
            "metadata": _FREE,
            "spec": {"$ref": "#/$defs/openslo-sli"},
        },
        "minProperties": 1,
        "additionalProperties": False,
    },
}

_DURATION = {"type": "string", "pattern": "^[0-9]+[mhdwMQY]$"}
_OPS = {"enum": ["lt", "lte", "gt", "gte"]}
_METRIC_SOURCE: Final[Schema] = {
    "type": "object",
    "properties": {"metricSourceRef": _TEXT, "type": _TEXT, "spec": _FREE},
    "additionalProperties": False,
}
_MEASURED: Final[Schema] = {
    "type": "object",
    "properties": {"metricSource": _METRIC_SOURCE},
    "required": ["metricSource"],
    "additionalProperties": False,
}
_INLINE: Final[Schema] = {
    "type": "object",
    "properties": {"metadata": _FREE, "spec": {"$ref": "#/$defs/openslo-sli"}},
    "required": ["spec"],
    "additionalProperties": False,
}
_OPENSLO: Final[dict[str, Schema]] = {
    "Service": {"properties": {"description": _TEXT}},
    "SLI": {"$ref": "#/$defs/openslo-sli"},
    "SLO": {
        "properties": {
            "description": _TEXT,
            "service": _NAME,
            "indicator": _INLINE,
            "indicatorRef": _NAME,
            "timeWindow": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "duration": _DURATION,
                        "isRolling": {"type": "boolean"},
                        "calendar": {
                            "type": "object",
                            "properties": {"startTime": {"type": "string"}, "timeZone": {"type": "string"}},
                            "required": ["startTime", "timeZone"],
                            "additionalProperties": False,
                        },
                    },
                    "required": ["duration"],
                    "additionalProperties": False,
                },
            },
            "budgetingMethod": {"enum": ["Occurrences", "Timeslices", "RatioTimeslices"]},
            "objectives": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "displayName": _TEXT,
                        "op": _OPS,
                        "value": _NUMBER,
                        "target": _NUMBER,
                        "targetPercent": _NUMBER,
                        "timeSliceTarget": _NUMBER,
                        "timeSliceWindow": {"type": ["string", "integer"]},
                        "indicator": _INLINE,
                        "indicatorRef": _NAME,
                        "compositeWeight": _NUMBER,
                    },
                    "additionalProperties": False,
                },
            },
            "alertPolicies": {"type": ["array", "null"]},
        },
        "required": ["service", "timeWindow", "objectives"],
    },
    "DataSource": {
        "properties": {"description": _TEXT, "type": _TEXT, "connectionDetails": _FREE},
        "required": ["type"],
    },
    "AlertPolicy": {
        "properties": {
            "description": _TEXT,
            "alertWhenNoData": {"type": "boolean"},
            "alertWhenResolved": {"type": "boolean"},
            "alertWhenBreaching": {"type": "boolean"},
            "conditions": {"type": "array"},
            "notificationTargets": {"type": "array"},
        },
    },
    "AlertCondition": {
        "properties": {
            "description": _TEXT,
            "severity": _TEXT,
            "condition": {
                "type": "object",
                "properties": {
                    "kind": {"enum": ["burnrate"]},
                    "op": _OPS,
                    "threshold": _NUMBER,
                    "lookbackWindow": _DURATION,
                    "alertAfter": _DURATION,
                },
                "required": ["kind", "threshold", "lookbackWindow"],
                "additionalProperties": False,
            },
        },
        "required": ["condition"],
    },
    "AlertNotificationTarget": {"properties": {"description": _TEXT, "target": _TEXT}, "required": ["target"]},
}
"""`spec` of each kind of OpenSLO v1."""

_SLI: Final[Schema] = {
    "type": "object",
    "properties": {
        "description": _TEXT,
        "thresholdMetric": _MEASURED,
        "ratioMetric": {
            "type": "object",
            "properties": {
                "counter": {"type": "boolean"},
                "good": _MEASURED,
                "bad": _MEASURED,
                "total": _MEASURED,
                "raw": _MEASURED,
                "rawType": {"enum": ["success", "failure"]},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}


def catalogue_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of one document of a catalogue.

    Returns
    -------
    dict
        Plain JSON values: OpenSLO v1 kinds and our own, told apart by `apiVersion` and `kind`.

    Examples
    --------
    >>> schema = catalogue_schema()
    >>> "Agreement" in schema["$defs"], schema["$defs"]["rounding"]["required"]
    (True, ['decimals'])
    """
    defs: dict[str, Schema] = {name: _block(fields) for name, fields in BLOCKS.items()}
    defs["openslo-sli"] = _SLI
    defs |= {f"model-{kind}": _model(kind, fields) for kind, fields in MODELS.items()}
    optional = {"Customer"}
    ours = [
        _document("forecasting/v1", kind, {"$ref": f"#/$defs/{kind}"}, required=kind not in optional)
        for kind in BLOCKS
        if kind[0].isupper()
    ]
    closed = {"type": "object", "additionalProperties": False}
    standard = [
        _document("openslo/v1", kind, spec if "$ref" in spec else {**closed, **spec}, required=kind != "Service")
        for kind, spec in _OPENSLO.items()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A document of a forecasting catalogue",
        "oneOf": [*standard, *ours],
        "$defs": defs,
    }


def _block(fields: dict[str, str]) -> Schema:
    """Return the schema of a block from its line in the table."""
    return {
        "type": "object",
        "properties": {name: _field(written.rstrip("!")) for name, written in fields.items()},
        "required": [name for name, written in fields.items() if written.endswith("!")],
        "additionalProperties": False,
    }


def _model(kind: str, fields: dict[str, str]) -> Schema:
    """Return the schema of a capacity model: its fields, told from others by its kind."""
    found = _block(fields)
    properties = {"kind": {"const": kind}, **found["properties"]}
    return {**found, "title": kind, "properties": properties, "required": ["kind", *found["required"]]}


def _field(written: str) -> Schema:
    """Return the schema of a field from its type in the table."""
    if written in _TYPES:
        return _TYPES[written]
    if written.startswith("{"):
        return {"$ref": f"#/$defs/{written[1:-1]}"}
    if written.startswith("["):
        return {"type": "array", "items": {"$ref": f"#/$defs/{written[1:-1]}"}}
    return {"enum": written.split(" | ")}


def _document(api: str, kind: str, spec: Schema, *, required: bool) -> Schema:
    """Return the schema of a document of one kind."""
    return {
        "title": kind,
        "type": "object",
        "properties": {
            "apiVersion": {"const": api},
            "kind": {"const": kind},
            "metadata": {
                "type": "object",
                "properties": {"name": _NAME, "displayName": _TEXT, "annotations": _FREE, "labels": _FREE},
                "required": ["name"],
                "additionalProperties": False,
            },
            "spec": spec,
        },
        "required": ["apiVersion", "kind", "metadata", *(["spec"] if required else [])],
        "additionalProperties": False,
    }
