"""What the README shows is run as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from forecasting import Workspace, create

ROOT = Path(__file__).parents[2]


@pytest.mark.nightly
def test_the_python_of_the_readme_runs_on_the_demo(tmp_path: Path) -> None:
    """The whole airports plan takes longer than a person waits for in a test run."""
    Workspace(create(tmp_path / "build" / "demo", source=ROOT / "examples" / "airports"), mlflow=False).ingest()
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    done = subprocess.run(
        [sys.executable, "-c", blocks[0]], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stderr
    assert "expected_loss" in done.stdout
    assert "departures in October" in done.stdout
    assert "ReliabilityBin" in done.stdout
