"""Where the plan goes: one line for each form."""

from forecasting.adapters.sinks.csv_frames import CsvFrames
from forecasting.adapters.sinks.html_file import HtmlFile
from forecasting.adapters.sinks.json_file import JsonFile
from forecasting.adapters.sinks.markdown_file import MarkdownFile

RENDERED_SINKS: dict[str, type[HtmlFile] | type[MarkdownFile] | type[JsonFile]] = {
    "html": HtmlFile,
    "markdown": MarkdownFile,
    "json": JsonFile,
}
"""Sinks that write one text; each is made with the folder and the function that renders it."""

FRAME_SINKS = {"csv": CsvFrames}
"""Sinks that write the plan's frames."""

__all__ = ["FRAME_SINKS", "RENDERED_SINKS", "CsvFrames", "HtmlFile", "JsonFile", "MarkdownFile"]
