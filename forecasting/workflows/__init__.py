"""Workflows: the stages in order; adapters are handed in."""
