"""`make bench`: every comparison, one after the other; a missed goal is recorded and told, and fails nothing.

`python -m bench NAME…` runs only these; `gate-races` and `shards`, only when they are named. `plot` draws what was
measured, now or before. `growth` measures 10⁵ and 10⁶ posts, and 10⁷ when BENCH_SIZES names it.
"""

import runpy
import sys

for name in sys.argv[1:] or (
    "demo",
    "ingest",
    "usage",
    "peers",
    "memory",
    "evaluation",
    "sisa",
    "deliveries",
    "cascade",
    "growth",
    "plot",
):
    print(f"== bench.{name}")
    runpy.run_module(f"bench.{name.replace('-', '_')}", run_name="__main__")
