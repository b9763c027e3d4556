"""The sections of the plan, in the order in which they are printed; one file each, one line each."""

from __future__ import annotations

from forecasting.reports.base import Section
from forecasting.reports.sections.s00_front_matter import FrontMatter
from forecasting.reports.sections.s01_decisions_requested import DecisionsRequested
from forecasting.reports.sections.s02_outlook import Outlook
from forecasting.reports.sections.s03_changes import Changes
from forecasting.reports.sections.s04_scope_and_methods import ScopeAndMethods
from forecasting.reports.sections.s07_service_outlook import ServiceOutlookSection
from forecasting.reports.sections.s08_capacity_outlook import CapacityOutlook
from forecasting.reports.sections.s10_options_and_proposals import OptionsAndProposals
from forecasting.reports.sections.s11_audit import Audit
from forecasting.reports.sections.s12_credits import CreditsDue
from forecasting.reports.sections.s13_early_warnings import EarlyWarnings
from forecasting.reports.sections.s16_forecast_accountability import ForecastAccountability

SECTIONS: tuple[Section, ...] = (
    FrontMatter(),
    DecisionsRequested(),
    Outlook(),
    Changes(),
    ScopeAndMethods(),
    ServiceOutlookSection(),
    CapacityOutlook(),
    OptionsAndProposals(),
    Audit(),
    CreditsDue(),
    EarlyWarnings(),
    ForecastAccountability(),
)
