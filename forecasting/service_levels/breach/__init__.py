"""Breach risk: the consumed part exactly, the rest by paths of demand × badness."""
