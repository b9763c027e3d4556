"""Prepares OpenSLO documents of all versions, and reads Service and SLI documents into terms."""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._fields import Fields
from forecasting.adapters._strict_yaml import Node
from forecasting.adapters.openslo.checker import Finding, slug
from forecasting.adapters.openslo.convert import convert
from forecasting.adapters.openslo.extras import PREFIX, described, our_annotations
from forecasting.adapters.openslo.indicators import open_part, scalar
from forecasting.adapters.openslo.rules import check_document
from forecasting.terms.catalogue import Notice, Service


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """An openslo/v1 document whose rules were checked."""

    name: str
    display: str
    metadata: Fields
    top: Fields


def prepare(draft: Draft, node: Node, *, kind: str, version: str, file: str) -> list[Prepared]:
    """Convert a document of a draft, check the reference rules, and note what it breaks.

    Parameters
    ----------
    draft : Draft
        Takes problems and notices; `draft.strict` decides which of the two a broken rule is.
    node : Node
        The document, a mapping.
    kind, version : str
        Its kind and apiVersion, both known.
    file : str
        Name of the file for messages.

    Returns
    -------
    list of Prepared
        The documents that have a name. One with a problem is remembered in `draft.damaged`.
    """
    nodes = [node] if version == "openslo/v1" else convert(node, kind=kind, version=version)
    prepared = []
    for one in nodes:
        problems, findings = check_document(one, kind=kind, file=file)
        top = Fields(one, "", file, draft.problems, list(one.fields))
        metadata = open_part(top, "metadata")
        name = slug(scalar(metadata, "name"))
        for finding in findings:
            if _is_error(finding, strict=draft.strict, converted=version != "openslo/v1"):
                problems.append(finding.problem)
            elif not (draft.strict and finding.severity == "advice"):
                draft.notices.append(_notice(finding))
        if version != "openslo/v1":
            said = f"{version} {kind} '{name}' is read as openslo/v1"
            draft.notices.append(Notice(rule="converted-from", file=file, line=one.line, message=said))
        draft.problems += problems
        if metadata is None or not name:
            continue
        if problems:
            draft.damaged.add((kind, name))
        our_annotations(metadata, kind, check=True)
        display = scalar(our_annotations(metadata, kind), PREFIX + "display-name") or scalar(metadata, "displayName")
        prepared.append(Prepared(name=name, display=display, metadata=metadata, top=top))
    return prepared


def _is_error(finding: Finding, *, strict: bool, converted: bool) -> bool:
    """Tell whether a finding is an error.

    The drafts had rules of their own, so that of v1's rules only the one for names is applied to them strictly.
    """
    if finding.severity == "rule":
        return strict and (not converted or finding.rule == "name-not-rfc1123")
    if finding.severity == "missing":
        return not converted
    return finding.severity == "suspect" and not strict


def _notice(finding: Finding) -> Notice:
    """Return what is said of a finding that is no error."""
    problem = finding.problem
    message = f"{problem.argument}: got {problem.came!r}; the rules say {problem.allowed}; {finding.reading}"
    return Notice(rule=finding.rule, file=problem.file or "", line=problem.line, message=message[:600])


def read_service(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Service with our annotations."""
    notes = our_annotations(metadata, "Service")
    depends = [part.strip() for part in scalar(notes, PREFIX + "depends-on").split(",") if part.strip()]
    zone = "UTC"
    if notes is not None:
        zone = notes.zone(PREFIX + "zone")
        for part in depends:
            draft.refer("service", part, notes, PREFIX + "depends-on")
        country = scalar(notes, PREFIX + "country")
        if country and not (len(country) in (2, 3) and country.isascii() and country.isalpha() and country.isupper()):
            notes.note(PREFIX + "country", country, "an ISO 3166 code such as US or DE", country.upper()[:2])
    draft.services[name] = Service(
        name=name,
        display_name=display,
        description=described(open_part(top, "spec"), notes),
        tier=scalar(notes, PREFIX + "tier") or "standard",
        depends_on=tuple(depends),
        zone=zone,
        country=scalar(notes, PREFIX + "country"),
        owner=scalar(notes, PREFIX + "owner"),
    )


def read_sli(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Keep the SLI document; it is read where an SLO refers to it."""
    if ("SLI", name) not in draft.damaged:
        draft.indicators[name] = top.node
        draft.places["SLI", name] = metadata


def unused_indicators(draft: Draft) -> None:
    """Note the SLI documents that no SLO refers to: alone, an indicator promises nothing."""
    for name in sorted(set(draft.indicators) - draft.used_indicators):
        fields = draft.places["SLI", name]
        message = f"no SLO refers to the SLI '{name}'; it is checked and not used"
        draft.notice("indicator-not-used", fields, "name", message)
