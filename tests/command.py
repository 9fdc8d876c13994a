"""The installed commands as a user runs them, and what may stand on their stderr."""

import os
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
COMMAND = str(BIN / "dawnchorus")
_TERMINAL = {"FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "DAWNCHORUS_DATA"}
"""what would make the output another than a pipe gets"""

Result = subprocess.CompletedProcess[str]


def run(*words: str | Path, folder: Path | None = None) -> Result:
    """Run words as they are."""
    environment = {name: value for name, value in os.environ.items() if name not in _TERMINAL}
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env={**environment, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=100,
        check=False,
    )


def dawnchorus(*arguments: str | Path, folder: Path | None = None) -> Result:
    """Run the installed command."""
    return run(COMMAND, *arguments, folder=folder)


def sentence(result: Result, code: int) -> str:
    """The one line that a failure is told in."""
    assert "Traceback" not in result.stderr
    assert result.returncode == code, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]
