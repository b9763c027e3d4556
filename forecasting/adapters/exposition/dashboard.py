"""What ships for Grafana and Prometheus: a dashboard and alert rules on our gauges."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from forecasting.adapters._atomic import write_atomic


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


def write_dashboard(folder: Path) -> tuple[Path, Path]:
    """Write both as ``dashboard.json`` and ``forecasting-rules.yml`` into a folder, made if missing; return the paths.

    Raises
    ------
    StoreError
        Where they cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> [path.name for path in write_dashboard(Path(tempfile.mkdtemp()))]
    ['dashboard.json', 'forecasting-rules.yml']
    """
    return (
        write_atomic(folder, "dashboard.json", grafana_dashboard()),
        write_atomic(folder, "forecasting-rules.yml", alert_rules()),
    )


def _text(name: str) -> str:
    """Return a file of this folder."""
    return files("forecasting.adapters.exposition").joinpath(name).read_text(encoding="utf-8")
