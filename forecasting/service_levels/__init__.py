"""Service levels: attainment, credits and the risk of a breach."""
