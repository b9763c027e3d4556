"""Who early warnings are handed to: one line for each way."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from forecasting.adapters._notifier_parts import AtLeast, NotifierKind, Place
from forecasting.adapters.notifiers.alertmanager import Alertmanager
from forecasting.adapters.notifiers.json_lines import JsonLines, append_warnings, warning_lines
from forecasting.adapters.notifiers.smtp import Smtp
from forecasting.adapters.notifiers.webhook import Webhook
from forecasting.ports import Clock, Notifier
from forecasting.terms.project import NotifierSpec, Project

NOTIFIERS: dict[str, type[NotifierKind]] = {
    "json_lines": JsonLines,
    "webhook": Webhook,
    "smtp": Smtp,
    "alertmanager": Alertmanager,
}
"""Notifiers by kind. Made with (spec, place)."""

DEFAULT = (NotifierSpec(name="file", kind="json_lines", path="warnings/notices.jsonl"),)
"""Who is told where a project names nobody: a file of the workspace, so that nothing is lost and nothing leaves it."""

__all__ = [
    "DEFAULT",
    "NOTIFIERS",
    "Alertmanager",
    "JsonLines",
    "Smtp",
    "Webhook",
    "append_warnings",
    "build_notifiers",
    "warning_lines",
]


def build_notifiers(
    project: Project, root: Path, *, environment: Mapping[str, str] | None = None, clock: Clock | None = None
) -> tuple[Notifier, ...]:
    """Return the notifiers of a project, in its order; each is told only of what is urgent enough for it.

    Nothing is opened, asked or looked up before they send: a variable that is not set is a `NotifierError` of the one
    notifier that needs it, and the others go on.

    Parameters
    ----------
    project : Project
        Its notifiers; where it names none, `DEFAULT`.
    root : Path
        The workspace.
    environment : mapping or None
        Where URLs and tokens are looked up; None = the process's environment.
    clock : Clock or None
        Tells what now is; None = the computer's clock.

    Examples
    --------
    >>> project = Project(name="shop", organisation="Shop", catalogue="catalogue", metrics={}, sources=())
    >>> [notifier.name for notifier in build_notifiers(project, Path("."))]
    ['file']
    """
    place = Place(root=root, clock=clock)
    if environment is not None:
        place = replace(place, variable=lambda name: environment.get(name, ""))
    return tuple(AtLeast(NOTIFIERS[spec.kind](spec, place), spec.at_least) for spec in project.notifiers or DEFAULT)
