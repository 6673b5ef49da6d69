"""Where figures are kept: one JSON file a benchmark in bench/results/, the misses too."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"


def record(name: str, figures: dict[str, Any]) -> Path:
    """Write the figures with the machine that they were measured on."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    measured = {"measured_at": now, "machine": machine, "load_average": os.getloadavg()[0], **figures}
    path.write_text(json.dumps(measured, indent=2) + "\n")
    return path
