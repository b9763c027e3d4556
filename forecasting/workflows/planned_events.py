"""The catalogue's planned events as the forecast stage takes them, and what a forecast says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from forecasting.forecasts.planned import event_effects
from forecasting.forecasts.pooled import POOLED
from forecasting.history.calendar import zone_of
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.covariate import Covariate, Event, PlannedEvent
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Series


def events_for(catalogue: Catalogue, services: Iterable[str]) -> tuple[Event, ...]:
    """Return the catalogue's events for series of some services; local days are those of each service.

    Examples
    --------
    >>> from datetime import date
    >>> from forecasting.terms.catalogue import Service
    >>> from forecasting.terms.covariate import Occurrence
    >>> sale = PlannedEvent(name="sale", occurrences=(Occurrence(start=date(2027, 3, 1), end=date(2027, 3, 1)),))
    >>> shops = {name: Service(name=name, zone=zone) for name, zone in [("de", "Europe/Berlin"), ("uk", "UTC")]}
    >>> found = events_for(Catalogue(name="c", services=shops, events=(sale,)), shops)
    >>> [f"{event.service} {event.start:%d %H:%M}" for event in found]
    ['de 28 23:00', 'uk 01 00:00']
    """
    if not catalogue.events:
        return ()
    names = sorted({name for name in services if name in catalogue.services})
    return tuple(made for event in catalogue.events for made in _of_event(event, catalogue, names))


def _of_event(event: PlannedEvent, catalogue: Catalogue, services: Sequence[str]) -> list[Event]:
    """One event for each occurrence, metric and service; where all services share them, once for all."""
    mine = [name for name in services if not event.services or name in event.services]
    zones = {catalogue.services[name].zone for name in mine}
    together = not event.services and (len(zones) == 1 or not any(one.local for one in event.occurrences))
    found = []
    for service in [None] if together and mine else mine:
        zone = zone_of(catalogue.services[service or mine[0]].zone)
        for one in event.occurrences:
            start, end = one.instants(zone)
            found += [
                Event(
                    name=event.name,
                    start=start,
                    end=end,
                    service=service,
                    metric=metric,
                    known_from=one.known_from(zone),
                    stated=event.stated,
                )
                for metric in event.metrics or (None,)
            ]
    return found


def tell_events(
    forecast: Forecast, series: Series, *, events: Sequence[Event], country: str, covariates: Sequence[Covariate] = ()
) -> Forecast:
    """Return a forecast that says what the events of its horizon do to it; the same one where there is none.

    Parameters
    ----------
    forecast : Forecast
    series : Series
        The history that it was made from.
    events : sequence of Event
        Those of its task.
    country : str
        ISO 3166 code whose public holidays were known to it, or empty.
    covariates : sequence of Covariate
        Those of this series.
    """
    if not any(event.concerns(forecast.service, forecast.metric.name) for event in events):
        return forecast
    effects = event_effects(series, forecast.horizon, events=events, country=country, covariates=covariates)
    if not effects:
        return forecast
    if forecast.model != POOLED:
        names = ", ".join(one.name for one in effects)
        return say(forecast, f"{names} not used: {forecast.model} knows no planned events, {POOLED} does")
    used = [one for one in effects if one.size is not None]
    for one in effects:
        if one.size is None:
            forecast = say(forecast, one.sentence)
    if not used:
        return forecast
    return say(forecast, "; ".join(one.sentence for one in used), brief=", ".join(one.brief for one in used))


def say(forecast: Forecast, sentence: str, *, brief: str = "") -> Forecast:
    """Return a forecast that says something more: in its explanation, with `brief` in the reason of its choice.

    Without an explanation, or without `brief`, the reason has the whole sentence.
    """
    choice, explanation = forecast.choice, forecast.explanation
    added = sentence
    if explanation is not None and brief:
        explanation, added = replace(explanation, notes=(*explanation.notes, sentence)), brief
    if choice is not None:
        choice = replace(choice, reason=f"{choice.reason}; {added}" if choice.reason else added)
    return replace(forecast, choice=choice, explanation=explanation)


def told(answer: Forecast | Excuse, series: Series, *, events: Sequence[Event], country: str) -> Forecast | Excuse:
    """`tell_events`, and an excuse as it came."""
    return answer if isinstance(answer, Excuse) else tell_events(answer, series, events=events, country=country)
