"""The plan as one JSON file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from forecasting.adapters._atomic import write_atomic
from forecasting.terms.plan import Plan


class JsonFile:
    """Report sink: writes what `render` makes of the plan, the whole file or nothing.

    Parameters
    ----------
    folder : Path
        Where to write; nothing is written outside of it.
    render : callable
        Turns a plan into JSON.
    name : str
        File name without suffix.

    Examples
    --------
    >>> JsonFile(Path("out"), render=lambda plan: plan.organisation).name
    'plan'
    """

    def __init__(self, folder: Path, render: Callable[[Plan], str], *, name: str = "plan") -> None:
        self.folder, self.render, self.name = folder, render, name

    def write(self, plan: Plan) -> str:
        """Write the file and return its path.

        Raises
        ------
        StoreError
            Where the folder cannot be written; an older file stays as it was.
        """
        return str(write_atomic(self.folder, f"{self.name}.json", self.render(plan)))
