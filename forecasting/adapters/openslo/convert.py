"""Turns documents of the drafts openslo/v1alpha and openslo.com/v2alpha into openslo/v1, node by node.

Only names and nesting change; what the draft does not say stays unsaid, and what is out of place stays where it was, so
that the rules of v1 name it with its line.
"""

from __future__ import annotations

from forecasting.adapters._strict_yaml import Node

_UNITS = {"Day": "d", "Week": "w", "Month": "M", "Quarter": "Q", "Year": "Y"}


def convert(node: Node, *, kind: str, version: str) -> list[Node]:
    """Return the openslo/v1 documents that a document of a draft stands for.

    Parameters
    ----------
    node : Node
        The document, a mapping; it is not changed.
    kind, version : str
        Its kind and apiVersion.

    Returns
    -------
    list of Node
        One document; several where the objectives of a v1alpha SLO have different metrics.

    Examples
    --------
    >>> from forecasting.adapters._strict_yaml import parse_yaml
    >>> text = "kind: SLO\\nspec: {serviceRef: web, sliRef: ratio}"
    >>> convert(parse_yaml(text, file="a.yaml")[0][0], kind="SLO", version="openslo.com/v2alpha")[0].plain()
    {'kind': 'SLO', 'spec': {'service': 'web', 'indicatorRef': 'ratio'}}
    """
    spec = node.fields.get("spec")
    if spec is None or spec.kind != "map" or kind not in ("SLO", "SLI"):
        return [node]
    if version == "openslo/v1alpha":
        return _v1alpha(node, spec) if kind == "SLO" else [node]
    return [_with(node, spec=_v2_slo(spec) if kind == "SLO" else _v2_indicator(spec))]


def _with(node: Node, **changed: Node) -> Node:
    """Return a mapping with some of its values changed or added."""
    fields = {**node.fields, **changed}
    lines = {key: node.key_lines.get(key, value.line) for key, value in fields.items()}
    return Node(kind="map", line=node.line, fields=fields, key_lines=lines)


def _without(node: Node, *keys: str) -> Node:
    """Return a mapping without some of its keys."""
    fields = {key: value for key, value in node.fields.items() if key not in keys}
    lines = {key: node.key_lines.get(key, value.line) for key, value in fields.items()}
    return Node(kind="map", line=node.line, fields=fields, key_lines=lines)


def _renamed(node: Node, names: dict[str, str]) -> Node:
    """Return a mapping with some of its keys renamed, where the new name is free."""
    fields, lines = {}, {}
    for key, value in node.fields.items():
        new = names.get(key, key)
        new = key if new in node.fields else new
        fields[new], lines[new] = value, node.key_lines.get(key, value.line)
    return Node(kind="map", line=node.line, fields=fields, key_lines=lines)


def _map(line: int, **fields: Node | None) -> Node:
    """Return a mapping of the given values, without those that are None."""
    found = {key: value for key, value in fields.items() if value is not None}
    lines = {key: value.line for key, value in found.items()}
    return Node(kind="map", line=line, fields=found, key_lines=lines)


def _text(text: str, line: int) -> Node:
    """Return a text."""
    return Node(kind="text", line=line, text=text, quoted=True)


def _list(node: Node, items: list[Node]) -> Node:
    """Return a list in the place of another node."""
    return Node(kind="list", line=node.line, items=items)


def _v1alpha(node: Node, spec: Node) -> list[Node]:
    """Return the SLO of v1alpha as one SLO, or one for each pair of metrics."""
    metadata = node.fields.get("metadata")
    name = metadata.fields.get("name") if metadata is not None else None
    spec = _renamed(spec, {"timeWindows": "timeWindow"})
    windows = spec.fields.get("timeWindow")
    if windows is not None and windows.kind == "list":
        spec = _with(spec, timeWindow=_list(windows, [_v1alpha_window(item) for item in windows.items]))
    indicator = spec.fields.get("indicator")
    threshold = indicator.fields.get("thresholdMetric") if indicator is not None else None
    if indicator is not None and threshold is not None and threshold.kind == "map":
        inner = _with(indicator, thresholdMetric=_v1alpha_metric(threshold))
        label = _map(indicator.line, name=name)
        return [_with(node, spec=_with(spec, indicator=_map(indicator.line, metadata=label, spec=inner)))]
    objectives = spec.fields.get("objectives")
    if objectives is None or objectives.kind != "list":
        return [_with(node, spec=spec)]
    ratios: list[tuple[Node, list[Node]]] = []
    for item in objectives.items:
        ratio = item.fields.get("ratioMetrics")
        if ratio is None or ratio.kind != "map":
            return [_with(node, spec=spec)]
        plain = _without(item, "ratioMetrics", "value")
        same = next((group for other, group in ratios if other.plain() == ratio.plain()), None)
        if same is None:
            ratios.append((ratio, [plain]))
        else:
            same.append(plain)
    documents: list[Node] = []
    before = 0
    for ratio, group in ratios:
        own = name
        if before and name is not None and name.kind != "map":
            own = _text(f"{name.text}-{before + 1}", name.line)  # targets of the first are NAME, NAME-2, ...
        parts = _renamed(ratio, {"incremental": "counter"})
        parts = _with(
            parts, **{k: _v1alpha_metric(v) for k, v in parts.fields.items() if k in ("good", "bad", "total")}
        )
        inner = _map(ratio.line, ratioMetric=parts)
        inline = _map(ratio.line, metadata=_map(ratio.line, name=own), spec=inner)
        one = _with(spec, indicator=inline, objectives=_list(objectives, group))
        changed = {"metadata": _with(metadata, name=own)} if metadata is not None and own is not None and before else {}
        documents.append(_with(node, spec=one, **changed))
        before += len(group)
    return documents or [_with(node, spec=spec)]


def _v1alpha_window(node: Node) -> Node:
    """Return ``{unit: Day, count: 28}`` as ``{duration: 28d}``."""
    unit, count = node.fields.get("unit"), node.fields.get("count")
    if unit is None or count is None or unit.kind in ("map", "list") or count.kind in ("map", "list"):
        return node
    letter, number = _UNITS.get(unit.text), count.text
    if unit.text == "Second" and count.text.isascii() and count.text.isdigit() and len(count.text) < 12:
        seconds = int(count.text)
        letter, number = ("m", str(seconds // 60)) if seconds % 60 == 0 else (None, number)
    if letter is None:
        return node
    return _with(_without(node, "unit", "count"), duration=_text(number + letter, count.line))


def _v1alpha_metric(node: Node) -> Node:
    """Return ``{source, queryType, query}`` as a metricSource."""
    if node.kind != "map":
        return node
    asked = _without(node, "source")
    source = _map(node.line, type=node.fields.get("source"), spec=asked)
    return _map(node.line, metricSource=source)


def _v2_slo(spec: Node) -> Node:
    """Return the spec of a v2alpha SLO as one of v1."""
    names = {"serviceRef": "service", "sli": "indicator", "sliRef": "indicatorRef"}
    spec = _v2_inline(_renamed(spec, names))
    objectives = spec.fields.get("objectives")
    if objectives is None or objectives.kind != "list":
        return spec
    items = [_v2_inline(_renamed(item, names)) if item.kind == "map" else item for item in objectives.items]
    return _with(spec, objectives=_list(objectives, items))


def _v2_inline(holder: Node) -> Node:
    """Return what holds an inline indicator with that indicator in the form of v1."""
    indicator = holder.fields.get("indicator")
    spec = indicator.fields.get("spec") if indicator is not None else None
    if indicator is None or spec is None or spec.kind != "map":
        return holder
    return _with(holder, indicator=_with(indicator, spec=_v2_indicator(spec)))


def _v2_indicator(spec: Node) -> Node:
    """Return the spec of a v2alpha SLI as one of v1."""
    threshold, ratio = spec.fields.get("thresholdMetric"), spec.fields.get("ratioMetric")
    if threshold is not None:
        spec = _with(spec, thresholdMetric=_v2_metric(threshold))
    if ratio is not None and ratio.kind == "map":
        parts = {k: _v2_metric(v) for k, v in ratio.fields.items() if k in ("good", "bad", "total", "raw")}
        spec = _with(spec, ratioMetric=_with(ratio, **parts))
    return spec


def _v2_metric(node: Node) -> Node:
    """Return ``{dataSourceRef | dataSourceSpec, spec}`` as a metricSource."""
    if node.kind != "map" or "metricSource" in node.fields:
        return node
    inline = node.fields.get("dataSourceSpec")
    kind = inline.fields.get("type") if inline is not None else None
    source = _map(node.line, metricSourceRef=node.fields.get("dataSourceRef"), type=kind, spec=node.fields.get("spec"))
    return _with(_without(node, "dataSourceRef", "dataSourceSpec", "spec"), metricSource=source)
