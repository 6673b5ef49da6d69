"""examples/retraining_pipeline as anybody runs it: a service, a worker, the training jobs and the webhook, all real."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from consentline.domain.flags import FlagResolution
from consentline.domain.paging import PageRequest
from consentline.embedded import Server
from consentline.usecases import flags
from consentline.usecases.service import Service
from tests.conftest import SECRET, Run, repository

STORY = r"""1\. Loaded 320 posts of 40 people; their text stays in posts\.ndjson\.
2\. Trained topics:1 on topics:1 through the gate: shards \[1, 2, 3, 4\]\.
3\. example:user-000 objects: 8 posts stop being usable at once; flagged: \['topics:1'\]\.
4\. The webhook tells of it, signed: retraining_flag\.raised for topics:1\.
5\. Built topics:2 without them: \{'OBJECTION_PENDING': 8\}\.
6\. The plan names the shards: \[(\d)\] trained, \[\d, \d, \d\] kept: 0\.25 of a run\.
7\. Replaced by topics:2: the flag is RESOLVED as RETRAINED\.
8\. Was example:post-00000 used\? USED: by \['topics:1'\], and by no later version\.
9\. Topics told right on unseen posts: (\d+)% before, (\d+)% after\.
"""


def test_an_objection_is_followed_to_a_model_that_is_proven_clean(
    neo4j_server: Server, tmp_path: Path, run: Run[Any], service: Service
) -> None:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTLINE_")}
    environment = mine | {
        "CONSENTLINE_HOME": str(tmp_path / "home"),
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
        "CONSENTLINE_TOKEN_SECRET": SECRET,
        "CONSENTLINE_PSEUDONYM_SECRET": SECRET,
    }
    done = subprocess.run(
        [sys.executable, "-m", "examples.retraining_pipeline.run", "--folder", str(tmp_path / "kept")],
        cwd=repository(),
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = re.fullmatch(STORY, done.stdout)
    assert told is not None, done.stdout
    shard, before, after = told.groups()
    assert 60 <= int(before) < 100
    assert 60 <= int(after) < 100
    (flag,) = run(flags.list_flags(service, None, None, PageRequest(first=10))).items
    assert (flag.resolution, flag.replacement) == (FlagResolution.RETRAINED, "topics:2")
    kept = tmp_path / "kept" / "models"
    same = [
        (kept / "1" / f"shard-{each:02}.joblib").read_bytes() == (kept / "2" / f"shard-{each:02}.joblib").read_bytes()
        for each in range(1, 5)
    ]
    assert [number for number, each in enumerate(same, 1) if not each] == [int(shard)]
