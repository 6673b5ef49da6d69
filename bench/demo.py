"""How long `consentline demo` takes until it serves: the first time in an empty home, and again with its data.

Neo4j is in the cache already; fetching it depends on the network and is not measured.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.results import record

GOALS = {"first": 300.0, "again": 30.0}
PORT = "18233"


def main() -> None:
    """Run the demo twice, print and record the seconds."""
    with tempfile.TemporaryDirectory(prefix="consentline-bench-") as folder:
        seconds = {name: _run(Path(folder)) for name in GOALS}
    for name, taken in seconds.items():
        print(f"demo, {name}: {taken:.1f} s  goal ≤ {GOALS[name]:.0f}: {'met' if taken <= GOALS[name] else 'MISSED'}")
    record("demo", {"seconds": seconds, "goals": GOALS})


def _run(home: Path) -> float:
    environment = {**os.environ, "CONSENTLINE_HOME": str(home), "CONSENTLINE_PORT": PORT}
    begin = time.perf_counter()
    command = [sys.executable, "-u", "-m", "consentline", "demo"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Serving"):
                break
        taken = time.perf_counter() - begin
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    # The database lingers for its next user: here the second run is to start it anew.
    time.sleep(6)
    return taken


if __name__ == "__main__":
    main()
