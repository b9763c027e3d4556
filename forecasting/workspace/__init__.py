"""The workspace: where the adapters meet the workflows; what the command line and notebooks use."""

from forecasting.workspace.workspace import Finding, PlanResult, Workspace, create

__all__ = ["Finding", "PlanResult", "Workspace", "create"]
