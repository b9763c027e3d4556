"""Early warnings to Prometheus Alertmanager: standing ones are alerts that fire, the others are resolved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from forecasting.adapters._egress import Resolver, resolve
from forecasting.adapters._notice_text import clean_text, digest, headline, minute, one_line, safe_id
from forecasting.adapters._notifier_http import Limits, Poster
from forecasting.adapters._notifier_parts import Form, Place, failed
from forecasting.early_warning.message import percent
from forecasting.terms.errors import NotifierError
from forecasting.terms.notice import Notice
from forecasting.terms.project import NotifierSpec

ALERT_NAME = "EarlyWarning"
MOST_ALERTS = 50
"""Alerts in one request."""
LIVES = 4
"""An alert ends by itself after so many times `repeat_every` without being told again."""
LONGEST_LABEL = 200
LONGEST_NOTE = 8000


class Alertmanager:
    """Notifier that keeps one alert for each warning in an Alertmanager, with labels that never change.

    Labels are the identity of an alert: ``alertname`` (EarlyWarning), ``notifier`` (the name of this one in the
    project), ``service``, ``agreement`` where there is one, ``objective`` and ``window``. All that can change from one
    evaluation to the next is in annotations, the severity too: a changed label is another alert to Alertmanager, so
    that a warning that worsens would be told as one that is over and another one that is new, and whoever hears of the
    first only would take the risk for gone. To route by severity, declare the same Alertmanager twice, once with
    ``atLeast: critical``, and route on ``notifier``: the second alert begins when the warning becomes critical, and the
    first one stands on.

    An alert is told again every `repeat_every` and ends by itself four times that long after it was last told, so that
    warnings of a watch that has died go away. An Alertmanager that lost its memory has all of them again after
    one `repeat_every`. Of several notices of one warning only the newest is told: what stood and was over before the
    Alertmanager could be reached never fires there.

    What an answer means: 2xx taken; 400 and others that speak of one body: the alerts are posted one by one, those
    refused again stay with the caller and are named by `NotifierError` once nothing else is taken; everything else:
    nothing more is sent and the rest stays with the caller.

    Parameters
    ----------
    spec : NotifierSpec
        url or url_env (without ``/api/v2/alerts``), token_env, repeat_every.
    place : Place
        Where variables are looked up, and what now is.
    limits : Limits or None
        Of time.
    resolver : callable
        Turns a name into addresses.

    Examples
    --------
    >>> from pathlib import Path
    >>> spec = NotifierSpec(name="ops", kind="alertmanager", url="http://127.0.0.1:9093")
    >>> Alertmanager(spec, Place(root=Path("."))).repeat_every
    datetime.timedelta(seconds=60)
    """

    form: ClassVar[Form] = Form(fields=("url", "urlEnv", "tokenEnv", "repeatEvery"))

    def __init__(
        self, spec: NotifierSpec, place: Place, *, limits: Limits | None = None, resolver: Resolver = resolve
    ) -> None:
        self.spec, self._place = spec, place
        self._poster = Poster(spec, place, limits=limits or Limits(), resolver=resolver)

    @property
    def name(self) -> str:
        """Name of the receiver in the project."""
        return self.spec.name

    @property
    def repeat_every(self) -> timedelta | None:
        """How often standing warnings must be told again."""
        return self.spec.repeat_every

    def send(self, notices: Sequence[Notice]) -> frozenset[str]:
        """Post the newest notice of each warning and return the ids of all notices of the warnings that were taken.

        Raises
        ------
        NotifierError
            Where none was.
        """
        newest = {notice.warning.id: notice for notice in notices}
        taken, refused = set[str](), dict[str, str]()
        try:
            self._tell(list(newest.values()), taken, refused)
        except NotifierError:
            if not taken:
                raise
        if refused and not taken:
            raise self._refused(refused)
        return frozenset(notice.id for notice in notices if notice.warning.id in taken)

    def repeat(self, standing: Sequence[Notice]) -> None:
        """Tell again what stands.

        Raises
        ------
        NotifierError
            Where the Alertmanager could not be reached, or (once the others are told) refuses any.
        """
        newest = {notice.warning.id: notice for notice in standing if not notice.over}
        refused = dict[str, str]()
        self._tell(list(newest.values()), set(), refused)
        if refused:
            raise self._refused(refused)

    def _tell(self, notices: list[Notice], taken: set[str], refused: dict[str, str]) -> None:
        """Post in bounded parts; note the ids of the warnings taken, and why others are refused."""
        self._poster.begin()
        for start in range(0, len(notices), MOST_ALERTS):
            self._tell_part(notices[start : start + MOST_ALERTS], taken, refused)

    def _tell_part(self, part: list[Notice], taken: set[str], refused: dict[str, str]) -> None:
        """Post one part; where the body is refused, one alert after the other."""
        if self._poster.late:
            came = f"only a part told within {self._poster.limits.total_s:.0f} s"
            raise failed(self.spec, came, "look why it is so slow; it is tried again")
        said = self._post(part)
        if said is None:
            taken.update(notice.warning.id for notice in part)
        elif len(part) == 1:
            refused[part[0].warning.id] = said
        else:
            for notice in part:
                self._tell_part([notice], taken, refused)

    def _post(self, part: list[Notice]) -> str | None:
        now = self._place.now()
        return self._poster.post("/api/v2/alerts", [alert_of(notice, self.spec, now) for notice in part])

    def _refused(self, refused: dict[str, str]) -> NotifierError:
        first, said = next(iter(refused.items()))
        came = f"{len(refused)} refused for what they say, such as {safe_id(first)} ({said})"
        return failed(self.spec, came, "a version of Alertmanager with the API v2")


def alert_of(notice: Notice, spec: NotifierSpec, now: datetime) -> dict[str, object]:
    """Return the alert of a notice.

    Parameters
    ----------
    notice : Notice
    spec : NotifierSpec
        name, repeat_every.
    now : datetime
        With a zone; the alert ends four times `repeat_every` after it, or at it where the warning is over.

    Examples
    --------
    >>> from forecasting.testing.notifier import make_notice
    >>> spec = NotifierSpec(name="ops", kind="alertmanager")
    >>> alert = alert_of(make_notice(), spec, datetime(2027, 3, 1, 7, tzinfo=UTC))
    >>> alert["labels"]["window"], alert["startsAt"], alert["endsAt"]
    ('2027-03', '2027-03-01T06:00:00.000Z', '2027-03-01T07:04:00.000Z')
    """
    ends = now if notice.over else now + LIVES * spec.repeat_every
    return {
        "labels": labels_of(notice, spec),
        "annotations": annotations_of(notice),
        "startsAt": _instant(min(notice.at, now)),
        "endsAt": _instant(ends),
    }


def labels_of(notice: Notice, spec: NotifierSpec) -> dict[str, str]:
    """Return what identifies the alert; the same for every notice of a warning.

    Examples
    --------
    >>> from forecasting.testing.notifier import make_notice
    >>> labels_of(make_notice(), NotifierSpec(name="ops", kind="alertmanager"))["alertname"]
    'EarlyWarning'
    """
    w = notice.warning
    found = {
        "alertname": ALERT_NAME,
        "notifier": spec.name,
        "service": w.service,
        "agreement": w.agreement or "",
        "objective": w.objective,
        "window": w.period.label,
    }
    return {name: _label(text) for name, text in found.items() if text}


def annotations_of(notice: Notice) -> dict[str, str]:
    """Return what is said of the alert now.

    Examples
    --------
    >>> from forecasting.testing.notifier import make_notice
    >>> annotations_of(make_notice())["probability"]
    '40 %'
    """
    w = notice.warning
    found = {
        "summary": headline(notice),
        "description": clean_text(w.note, LONGEST_NOTE),
        "severity": w.severity.value,
        "state": one_line(w.state),
        "told": notice.kind.value,
        "probability": percent(w.probability),
        "probability_interval": f"{w.probability_low * 100:.0f} to {w.probability_high * 100:.0f} %",
        "expected_loss": f"{one_line(w.currency)} {w.expected_credit + w.expected_loss:,.0f}",
        "decide_by": w.decide_by.isoformat() if w.decide_by else "",
        "expected_breach_from": w.expected_breach_from.isoformat() if w.expected_breach_from else "",
        "main_cause": one_line(f"{w.main_cause.name}: {w.main_cause.evidence}", 1000),
        "customers": one_line(", ".join(w.customers), 1000),
        "confidence": one_line(w.confidence, 2000),
        "window_ends": minute(w.period.end),
        "data_until": minute(w.data_cut_off),
        "warning": one_line(w.id),
    }
    return {name: text for name, text in found.items() if text}


def _label(text: str) -> str:
    """Return a text as the value of a label; two texts that differ never become one."""
    shown = one_line(text, LONGEST_LABEL)
    return shown if shown == text else f"{one_line(text, LONGEST_LABEL - 12)} #{digest(text)[:10]}"


def _instant(instant: datetime) -> str:
    """Return an instant in UTC to the millisecond, never after it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"
