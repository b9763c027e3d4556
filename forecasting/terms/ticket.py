"""Tickets: one row for each incident, request or outage, as an ITSM tool exports them."""

from __future__ import annotations

TICKET_COLUMNS = ("service", "ticket", "kind", "priority", "opened", "responded", "resolved", "pauses")
"""Columns of canonical ticket rows.

service, ticket, kind, priority : text (`kind` and `priority` may be empty; `ticket` is unique within a service)
opened, responded, resolved : naive UTC datetime64[us]; NaT = has not happened (opened is always there)
pauses : text, a JSON list of [start, end] pairs of UTC instants ("2027-03-01T08:00:00Z"); end null = still paused;
    ``[]`` without any
"""
