"""What measured figures depend on besides code and data: machine, versions, load; nothing that names the machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "scipy", "pandas", "statsmodels", "scikit-learn", "pyarrow")
VERSIONS = """
import json, platform, sys
from importlib.metadata import PackageNotFoundError, version
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1"
)
"""Environment of a process whose CPU time is compared with others'."""


def machine() -> dict[str, Any]:
    """Return CPU model, cores, memory, system, Python and versions."""
    from forecasting import __version__

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory, 1),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: known for name in LIBRARIES if (known := known_version(name))},
        "forecasting": __version__,
    }


def cpu_model() -> str:
    """Return the model of the CPU in words, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def known_version(name: str) -> str:
    """Return the installed version of a package, or an empty text."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def versions_of(python: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the versions of packages in the environment of another interpreter."""
    line = [str(python), "-c", VERSIONS, *names]
    return dict(json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout))


def told(made: dict[str, Any]) -> str:
    """Return the machine in one sentence."""
    return (
        f"Machine: {made['cpu']}, {made['cores']} cores, {made['memory_gib']:.0f} GiB, {made['system']}, "
        f"load before {made['load']:.1f}; Python {made['python']}, forecasting {made['forecasting']}, "
        + ", ".join(f"{name} {number}" for name, number in made["libraries"].items())
        + "."
    )


def rounded(value: Any) -> Any:
    """Round every float to 6 digits, so that a file of results does not depend on the last bits; no NaN."""
    if isinstance(value, float):
        return round(value, 6) if value == value and abs(value) != float("inf") else None
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list | tuple) else value


def write_results(path: Path, results: dict[str, Any]) -> None:
    """Write results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rounded(results), indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
