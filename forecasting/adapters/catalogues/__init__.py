"""Where the catalogue comes from: one line for each kind of place."""

from forecasting.adapters.catalogues.project import load_project
from forecasting.adapters.catalogues.yaml_folder import YamlFolder

CATALOGUES = {"yaml_folder": YamlFolder}
"""Catalogue sources by name."""

__all__ = ["CATALOGUES", "YamlFolder", "load_project"]
