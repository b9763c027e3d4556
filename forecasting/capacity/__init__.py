"""Capacity: what the resources carry, when they run out, what more costs.

`requirement.assess` is the stage; `models` holds one file per capacity model.
"""
