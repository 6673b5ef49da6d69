"""`make bench`: every comparison, one after the other; a missed goal is recorded and told, and fails nothing."""

import runpy

for name in ("demo", "ingest", "usage"):
    print(f"== bench.{name}")
    runpy.run_module(f"bench.{name}", run_name="__main__")
