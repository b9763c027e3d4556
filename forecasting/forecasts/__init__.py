"""Forecasts with measured uncertainty: models, back-tests, choice, calibration and sample paths."""
