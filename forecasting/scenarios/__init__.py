"""Scenarios: what drivers on the horizon would do to a forecast."""
