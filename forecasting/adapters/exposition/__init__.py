"""What monitoring reads: gauges for Prometheus (file or HTTP), the Grafana dashboard and alert rules."""

from forecasting.adapters.exposition.dashboard import alert_rules, grafana_dashboard, write_dashboard
from forecasting.adapters.exposition.http_server import MetricsServer, serve
from forecasting.adapters.exposition.plan_metrics import GAUGES, CycleStatus, ReceiverStatus, metrics_text
from forecasting.adapters.exposition.textfile import check_textfile, write_textfile

__all__ = [
    "GAUGES",
    "CycleStatus",
    "MetricsServer",
    "ReceiverStatus",
    "alert_rules",
    "check_textfile",
    "grafana_dashboard",
    "metrics_text",
    "serve",
    "write_dashboard",
    "write_textfile",
]
