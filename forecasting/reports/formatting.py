"""How numbers, dates and names are printed: the only place of the package that rounds."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal

from forecasting.reports.base import Cell, Tone
from forecasting.terms.errors import Excuse

MINUS = "\u2212"  # the minus sign
NAME_LENGTH = 120
TEXT_LENGTH = 4000


def clean(text: str, limit: int = TEXT_LENGTH) -> str:
    """Return `text` on one line without control and direction-changing characters, cut at `limit` characters.

    Examples
    --------
    >>> clean("a\\x00b\\u202ec  d\\n")
    'a\ufffdb\ufffdc d'
    """
    head = text[: limit * 4]
    kept = "".join(
        " " if c.isspace() else "\ufffd" if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co"} else c for c in head
    )
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def name(text: str) -> str:
    """Return a name as it is printed: clean, short, never empty.

    Examples
    --------
    >>> name("  ")
    '(no name)'
    """
    return clean(text, NAME_LENGTH) or "(no name)"


def text(value: str, tone: Tone = "plain") -> Cell:
    """Return a cell of words.

    Examples
    --------
    >>> text("Network planning").text
    'Network planning'
    """
    shown = clean(value)
    return missing("nothing was stated") if not shown else Cell(text=shown, value=shown, tone=tone)


def missing(because: str) -> Cell:
    """Return the cell that stands where there is no number.

    Examples
    --------
    >>> missing("the window has no traffic").text
    'not available, because the window has no traffic'
    """
    return Cell(text=f"not available, because {clean(because)}", tone="muted")


def excuse_sentence(excuse: Excuse) -> str:
    """Return a typed "no" as a sentence.

    Examples
    --------
    >>> excuse_sentence(Excuse(reason="9 observations, 14 needed", what_would_help="five more days"))
    'not available, because 9 observations, 14 needed; what would help: five more days'
    """
    return f"not available, because {clean(excuse.reason)}; what would help: {clean(excuse.what_would_help)}"


def percent(share: float) -> str:
    """Return a share as a whole percentage that never claims certainty it does not have.

    Examples
    --------
    >>> percent(0.341), percent(0.003), percent(0.998), percent(0.0)
    ('34 %', '< 1 %', '> 99 %', '0 %')
    """
    if share <= 0 or share >= 1:
        return f"{share * 100:.0f} %"
    if share < 0.005:
        return "< 1 %"
    return "> 99 %" if share > 0.995 else f"{share * 100:.0f} %"


def probability(
    p: float, low: float | None = None, high: float | None = None, *, decided: bool = False, bad: bool = False
) -> Cell:
    """Return a probability with its interval, such as ``34 % (27–41)``.

    Parameters
    ----------
    p, low, high : float
        Probability and the ends of its interval, 0 to 1.
    decided : bool
        True where arithmetic has settled the outcome.
    bad : bool
        True where a high value is bad news (a half and more is then marked).

    Examples
    --------
    >>> probability(0.341, 0.27, 0.41).text, probability(1.0, 1.0, 1.0, decided=True).text
    ('34 % (27–41)', '100 % (settled)')
    """
    if not math.isfinite(p):
        return missing("no probability was computed")
    tone: Tone = "bad" if bad and p >= 0.5 else "plain"
    if decided:
        return Cell(
            text=f"{percent(p)} (settled)", value=float(p), low=float(p), high=float(p), unit="share", tone=tone
        )
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return Cell(text=percent(p), value=float(p), unit="share", tone=tone)
    interval = f"({low * 100:.0f}–{high * 100:.0f})"
    return Cell(
        text=f"{percent(p)} {interval}", value=float(p), low=float(low), high=float(high), unit="share", tone=tone
    )


def monte_carlo(p: float, paths: int, *, bad: bool = False) -> Cell:
    """Return a probability with the 90 % Wilson interval of estimating it from `paths` sample paths.

    Source: E. B. Wilson (1927), Probable inference, JASA 22.

    Examples
    --------
    >>> monte_carlo(0.5, 1000).text
    '50 % (47–53)'
    """
    z = 1.6448536269514722
    n = max(paths, 1)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return probability(p, max(centre - half, 0.0), min(centre + half, 1.0), bad=bad)


def share(
    value: Decimal | float | None, target: Decimal | None = None, *, because: str = "there was no traffic"
) -> Cell:
    """Return an attainment in per cent, with as many decimals as it takes to stay on its side of the target.

    Examples
    --------
    >>> share(Decimal("0.81234"), Decimal("0.8")).text, share(Decimal("0.7999996"), Decimal("0.8")).text
    ('81.23 %', '79.99996 %')
    """
    if value is None or not math.isfinite(value):
        return missing(because)
    exact = Decimal(str(value)) * 100
    for digits in range(2, 12):
        rounded = round(exact, digits)
        if target is None or (rounded >= target * 100) == (exact >= target * 100):
            break
    return Cell(text=f"{rounded:f} %".replace("-", MINUS), value=float(value), unit="share")


def target_text(target: Decimal) -> str:
    """Return a target in per cent with its own decimals.

    Examples
    --------
    >>> target_text(Decimal("0.8")), target_text(Decimal("0.9995"))
    ('80 %', '99.95 %')
    """
    plain = f"{(target * 100).normalize():f}"
    return f"{plain} %"


def points(margin: Decimal | float | None, *, because: str = "there was no traffic") -> Cell:
    """Return a margin in percentage points with its sign.

    Examples
    --------
    >>> points(Decimal("-0.0123")).text
    '\u22121.23 pp'
    """
    if margin is None or not math.isfinite(margin):
        return missing(because)
    exact = Decimal(str(margin)) * 100
    digits = next((d for d in range(2, 8) if round(exact, d) != 0), 2)
    rounded = round(exact, digits)
    sign = MINUS if rounded < 0 else "+" if rounded > 0 else ""
    return Cell(
        text=f"{sign}{abs(rounded):f} pp", value=float(margin), unit="share", tone="bad" if exact < 0 else "plain"
    )


def money(amount: float | Decimal, currency: str, price_date: date | None = None, *, tone: Tone = "plain") -> Cell:
    """Return a sum of money in whole units (two decimals below 100), with its currency.

    An empty `currency` means that no agreement puts a price on it.

    Examples
    --------
    >>> money(1234567.4, "USD", date(2013, 1, 1)).text, money(-12.5, "EUR").text, money(0, "EUR").text
    ('USD 1,234,567', 'EUR \u221212.50', 'EUR 0')
    """
    if not currency:
        return Cell(text="none agreed", tone="muted")
    if not math.isfinite(amount):
        return missing("no sum was computed")
    value = float(amount)
    size = abs(value)
    shown = f"{size:,.0f}" if size >= 100 or round(size, 2) == round(size) else f"{size:,.2f}"
    sign = MINUS if value < 0 and shown.strip("0.,") else ""
    return Cell(
        text=f"{clean(currency, 12)} {sign}{shown}",
        value=value,
        unit=clean(currency, 12),
        price_date=price_date.isoformat() if price_date else "",
        tone=tone,
    )


def price_note(price_dates: Iterable[date | None]) -> str:
    """Return the sentence that tells the date of the prices in a table.

    Examples
    --------
    >>> price_note([date(2013, 1, 1), None, date(2013, 1, 1)])
    'Prices of 2013-01-01; some prices carry no date.'
    >>> price_note([])
    ''
    """
    given = list(price_dates)
    known = sorted({d.isoformat() for d in given if d is not None})
    undated = any(d is None for d in given)
    if not known:
        return "The prices carry no date." if undated else ""
    return f"Prices of {', '.join(known)}" + ("; some prices carry no date." if undated else ".")


def number(
    value: float | int | Decimal | None, unit: str = "", *, digits: int | None = None, because: str = ""
) -> Cell:
    """Return a quantity with thousands separators; without `digits`, three significant digits or whole units.

    Examples
    --------
    >>> number(1234.5).text, number(0.04567).text, number(3, "agents").text, number(float("nan"), because="gap").text
    ('1,234', '0.0457', '3 agents', 'not available, because gap')
    """
    if value is None or not math.isfinite(value):
        return missing(because or "it was not computed")
    v, exact = float(value), digits is not None
    if digits is None:
        digits = 0 if v == int(v) or abs(v) >= 100 else min(max(2 - math.floor(math.log10(abs(v))), 0), 6)
    shown = f"{v:,.{digits}f}"
    if not exact and "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    if not shown.strip("-0.,"):
        shown = shown.lstrip("-")
    shown = shown.replace("-", MINUS)
    return Cell(text=f"{shown} {unit}".strip(), value=int(value) if isinstance(value, int) else v, unit=unit)


def interval(low: float, high: float, *, scale: float = 1.0, digits: int = 2, unit: str = "") -> str:
    """Return ``low–high`` in words that survive negative ends.

    Examples
    --------
    >>> interval(-0.05, 0.2), interval(0.1, 0.9, scale=100, digits=0, unit="%")
    ('\u22120.05 to 0.20', '10 to 90 %')
    """
    ends = [f"{end * scale:.{digits}f}".replace("-", MINUS) for end in (low, high)]
    return f"{ends[0]} to {ends[1]} {unit}".strip()


def instant(value: datetime) -> Cell:
    """Return an instant as ISO 8601 in UTC, to the minute.

    Examples
    --------
    >>> instant(datetime(2013, 9, 1, 4, 0, tzinfo=UTC)).text
    '2013-09-01T04:00Z'
    """
    utc = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    shown = utc.strftime("%Y-%m-%dT%H:%MZ")
    return Cell(text=shown, value=utc.strftime("%Y-%m-%dT%H:%M:%SZ"), unit="instant")


def day(value: date | None, *, because: str = "no date was computed", as_of: datetime | None = None) -> Cell:
    """Return a local calendar day; with `as_of` a past day is marked as overdue.

    Examples
    --------
    >>> day(date(2013, 9, 1)).text, day(date(2013, 8, 1), as_of=datetime(2013, 9, 1, tzinfo=UTC)).text
    ('2013-09-01', '2013-08-01 (overdue)')
    """
    if value is None:
        return missing(because)
    iso = value.isoformat()
    if as_of is not None and value < as_of.date():
        return Cell(text=f"{iso} (overdue)", value=iso, unit="date", tone="bad")
    return Cell(text=iso, value=iso, unit="date")


def plural(count: int, singular: str, several: str | None = None) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> plural(1, "agreement"), plural(3, "agreement"), plural(2, "miss", "misses")
    ('1 agreement', '3 agreements', '2 misses')
    """
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"


def exact_money(amount: Decimal, currency: str, *, tone: Tone = "plain") -> Cell:
    """Return a sum of money with every digit it has: what an agreement makes due is never rounded for display.

    Examples
    --------
    >>> exact_money(Decimal("9250.00"), "EUR").text, exact_money(Decimal(1200), "JPY").text
    ('EUR 9,250.00', 'JPY 1,200')
    """
    unit = clean(currency, 12)
    sign = MINUS if amount < 0 else ""
    return Cell(text=f"{unit} {sign}{abs(amount):,f}".strip(), value=float(amount), unit=unit, tone=tone)
