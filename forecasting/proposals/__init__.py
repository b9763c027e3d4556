"""Proposals: options with cost and P(miss) before and after, one recommended, the others with their reason."""
