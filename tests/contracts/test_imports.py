"""`import forecasting` and `--help` stay quick: no heavy library is loaded before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# pydantic is not among them: typer loads it by itself where it has to check a number.
HEAVY = (
    "pandas", "numpy", "scipy", "sklearn", "statsmodels", "prophet", "matplotlib", "mlflow", "duckdb", "pyarrow",
    "sqlalchemy", "yaml", "jinja2", "joblib", "holidays",
)  # fmt: skip

REPORT = """
import json, resource, sys
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"modules": sorted({m.partition(".")[0] for m in sys.modules}), "cpu": used.ru_utime + used.ru_stime}))
"""

STARTS = {
    "import": "import forecasting",
    "version": "import forecasting.cli as c, contextlib\nwith contextlib.suppress(SystemExit): c.main(['--version'])",
    "help": "import forecasting.cli as c, contextlib\nwith contextlib.suppress(SystemExit): c.main(['--help'])",
    "help of a command": "import forecasting.cli as c, contextlib\n"
    "with contextlib.suppress(SystemExit): c.main(['plan', '--help'])",
}


@pytest.mark.parametrize("start", STARTS)
def test_nothing_heavy_is_loaded_at_the_start(start: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTS[start] + REPORT], capture_output=True, text=True, check=True, timeout=60
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{start}: {found['cpu']:.2f} s of CPU")
    assert set(HEAVY) & set(found["modules"]) == set()


def test_the_public_names_are_there_and_others_are_not() -> None:
    import forecasting

    for name in forecasting.__all__:
        assert getattr(forecasting, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'plans'"):
        _ = forecasting.plans  # type: ignore[attr-defined]
