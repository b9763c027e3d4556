"""In several processes by joblib's loky backend, each with one thread inside the numeric libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from forecasting.terms.errors import ForecastingError

T = TypeVar("T")
R = TypeVar("R")


class JoblibLoky:
    """Executor over processes; one process or one item runs here, without any overhead.

    Parameters
    ----------
    jobs : int
        Number of processes, 1 or more.

    Examples
    --------
    >>> JoblibLoky(1).map(abs, [-2, 1])
    [2, 1]
    """

    def __init__(self, jobs: int) -> None:
        if jobs < 1:
            raise ForecastingError(argument="jobs", came=jobs, allowed="1 or more processes", try_instead="2")
        self.jobs = jobs

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Return the function's results in the order of the items.

        Parameters
        ----------
        function : callable
            A module-level function (processes have to import it).
        items : sequence
            Batches of work, best 1 to 10 seconds each.

        Raises
        ------
        ForecastingError
            Where a process was killed, most often for want of memory. Errors of `function` come as they are.
        """
        if self.jobs == 1 or len(items) < 2:
            return [function(item) for item in items]
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError

        try:
            with parallel_config(backend="loky", inner_max_num_threads=1):
                # No memory maps: a worker gets its arrays writable and nothing is left in /dev/shm after a crash.
                parallel = Parallel(n_jobs=min(self.jobs, len(items)), batch_size=1, max_nbytes=None)
                results: list[R] = parallel(delayed(function)(item) for item in items)
                return results
        except (TerminatedWorkerError, BrokenProcessPool) as error:
            raise ForecastingError(
                argument="jobs",
                came=f"a worker process ended ({(str(error).splitlines() or ['no message'])[0][:120]})",
                allowed=f"{self.jobs} processes that fit into memory",
                try_instead="fewer jobs, or jobs=1 to see the cause",
            ) from error
