"""The small drawings of the early-warning page: SVG of numbers and fixed words, coloured by the page's style."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


def bar(p: float, low: float, high: float) -> str:
    """Draw a probability and its interval as a bar of 0 to 100 %.

    Examples
    --------
    >>> bar(0.5, 0.4, 0.6).startswith('<svg class="bar"')
    True
    """
    tone = "hi" if p >= 0.5 else "lo"
    return (
        '<svg class="bar" viewBox="0 0 100 8" aria-hidden="true" focusable="false"><rect class="track" width="100" '
        f'height="8"/><rect class="{tone}" width="{p * 100:.1f}" height="8"/><path class="range" d="M{low * 100:.1f} 4'
        f'H{high * 100:.1f}M{low * 100:.1f} 2V6M{high * 100:.1f} 2V6"/></svg>'
    )


def course(points: Sequence[tuple[datetime | None, float]], threshold: float | None) -> str:
    """Draw the course of a probability over its evaluations, 0 at the bottom and 1 at the top.

    Parameters
    ----------
    points : sequence of (datetime or None, float)
        Oldest first; where an instant is not known, the points are drawn evenly spaced.
    threshold : float or None
        Level at which a warning is raised, drawn as a broken line.

    Returns
    -------
    str
        An ``<svg>``; empty where there are fewer than two points.

    Examples
    --------
    >>> course([(None, 0.2)], None), course([(None, 0.2), (None, 0.4)], 0.35).count("<path")
    ('', 1)
    """
    if len(points) < 2:
        return ""
    times = [at.timestamp() for at, _ in points if at is not None]
    if len(times) < len(points) or times[-1] <= times[0]:
        times = [float(i) for i in range(len(points))]
    span = times[-1] - times[0]
    xy = [(3 + 90 * (t - times[0]) / span, 22 - 20 * p) for t, (_, p) in zip(times, points, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in xy)
    level = f'<path class="level" d="M3 {22 - 20 * threshold:.1f}H93"/>' if threshold is not None else ""
    return (
        f'<svg class="course" viewBox="0 0 96 24" aria-hidden="true" focusable="false">{level}<polyline '
        f'points="{line}"/><circle cx="{xy[-1][0]:.1f}" cy="{xy[-1][1]:.1f}" r="2.4"/></svg>'
    )
