"""What a user did wrong, said so that it can be put right; and the "no" that is an answer."""

from __future__ import annotations

from dataclasses import dataclass


class ForecastingError(Exception):
    """Base of every error this package raises on purpose.

    Parameters
    ----------
    argument : str
        Which argument, field or column is meant.
    came : object
        The value that came (shown with ``repr``, cut at 200 characters).
    allowed : str
        What is allowed there.
    try_instead : str
        What to do about it.
    file : str or None
        The input file, where the value came from one.
    line : int or None
        The line in that file, counted from 1.

    Examples
    --------
    >>> print(ForecastingError(argument="target", came=99.9, allowed="a share above 0 and below 1",
    ...                        try_instead="targetPercent: 99.9", file="slo.yaml", line=12))
    slo.yaml:12: target: got 99.9; allowed: a share above 0 and below 1; try: targetPercent: 99.9
    """

    exit_code = 2

    def __init__(
        self,
        *,
        argument: str,
        came: object,
        allowed: str,
        try_instead: str,
        file: str | None = None,
        line: int | None = None,
    ) -> None:
        self.argument, self.came, self.allowed, self.try_instead = argument, came, allowed, try_instead
        self.file, self.line = file, line
        super().__init__(str(self))

    def __str__(self) -> str:
        shown = repr(self.came)
        shown = shown if len(shown) <= 200 else shown[:197] + "..."
        where = "" if self.file is None else f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        return f"{where}{self.argument}: got {shown}; allowed: {self.allowed}; try: {self.try_instead}"

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments: without this an error raised in another process could not come back.
        return _restored, (type(self), dict(self.__dict__))

    def as_dict(self) -> dict[str, object]:
        """Return the error as plain values, for ``--json``."""
        return {
            "argument": self.argument,
            "came": repr(self.came)[:200],
            "allowed": self.allowed,
            "try": self.try_instead,
            "file": self.file,
            "line": self.line,
        }


def _restored(kind: type[ForecastingError], state: dict[str, object]) -> ForecastingError:
    """Make an error again from what it held."""
    error = kind.__new__(kind)
    error.__dict__.update(state)
    error.args = (str(error),)
    return error


class InputError(ForecastingError):
    """A file, a value or an option that cannot be used as it is (exit code 2)."""


class CatalogueError(InputError):
    """A catalogue document that breaks a rule; `problems` lists every one found, first one first.

    Examples
    --------
    >>> first = InputError(argument="kind", came="SLQ", allowed="SLO", try_instead="SLO", file="a.yaml", line=2)
    >>> len(CatalogueError.of([first]).problems)
    1
    """

    problems: tuple[ForecastingError, ...] = ()

    @classmethod
    def of(cls, problems: list[ForecastingError]) -> CatalogueError:
        """Make one error of several problems (at least one)."""
        first = problems[0]
        error = cls(
            argument=first.argument,
            came=first.came,
            allowed=first.allowed,
            try_instead=first.try_instead,
            file=first.file,
            line=first.line,
        )
        error.problems = tuple(problems)
        return error

    def __str__(self) -> str:
        if len(self.problems) <= 1:
            return super().__str__()
        return "\n".join(str(problem) for problem in self.problems)


class StoreError(ForecastingError):
    """The workspace's store is missing, locked, damaged or of another version (exit code 2)."""


class NotifierError(ForecastingError):
    """A receiver of warnings could not be reached or refused them; they are kept and sent later (exit code 3)."""

    exit_code = 3
    retry_after_s: float = 0.0
    """Seconds for which the receiver asked to be left alone; 0 = it said nothing."""


class LedgerMovedError(StoreError):
    """Somebody else recorded versions of the same keys since the ledger was read: decide again, then record."""


@dataclass(frozen=True, kw_only=True)
class Excuse:
    """A typed "no": this model, proposer or source does not apply here, and why.

    Examples
    --------
    >>> Excuse(reason="9 observations, 14 needed", what_would_help="five more days of history").reason
    '9 observations, 14 needed'
    """

    reason: str
    """Why it does not apply, with the numbers."""
    what_would_help: str
    """What would make it apply."""
