"""Who early warnings are handed to: one line for each way."""

from forecasting.adapters.notifiers.json_lines import JsonLines, warning_lines

NOTIFIERS = {"json_lines": JsonLines}
"""Notifiers by name."""

__all__ = ["NOTIFIERS", "JsonLines", "warning_lines"]
