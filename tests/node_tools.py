"""The npm packages of tests/node: installed as the lock file says, by nobody's install scripts.

They check the API from the side of its clients. Without Node these checks are NOT RUN, and fail under CI=true.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

NODE = Path(__file__).resolve().parent / "node"
_INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]


def installed(what: str) -> Path:
    """The folder of the packages; without Node the test that needs `what` is skipped or, under CI, fails."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        reason = f"NOT RUN: {what} needs {' and '.join(missing)}"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    with FileLock(NODE / ".installing"):  # several workers of one run
        if not _up_to_date():
            done = subprocess.run(_INSTALL, cwd=NODE, capture_output=True, text=True, timeout=900, check=False)
            assert done.returncode == 0, done.stderr
    return NODE


def _up_to_date() -> bool:
    """Whether what npm last installed is what the lock file says."""
    told, done = NODE / "package-lock.json", NODE / "node_modules" / ".package-lock.json"
    return done.is_file() and done.stat().st_mtime >= told.stat().st_mtime
