"""What ships for Grafana and Prometheus: a dashboard and alert rules on our gauges."""

from __future__ import annotations

from importlib.resources import files


def grafana_dashboard() -> str:
    """Return the Grafana dashboard as JSON, ready for *Dashboards → Import*.

    The data source is a variable of the dashboard, so that no identifier of an installation is in the file.

    Examples
    --------
    >>> import json
    >>> json.loads(grafana_dashboard())["title"]
    'Service level early warning'
    """
    return _text("grafana_dashboard.json")


def alert_rules() -> str:
    """Return Prometheus alerting rules on our gauges as YAML, an example to change: levels depend on what is at stake.

    Examples
    --------
    >>> alert_rules().splitlines()[-1].startswith(" ")
    True
    """
    return _text("alert_rules.yml")


def _text(name: str) -> str:
    """Return a file of this folder."""
    return files("forecasting.adapters.exposition").joinpath(name).read_text(encoding="utf-8")
