import subprocess
import sys
import zipfile
from pathlib import Path

from consentline.packaged import data_folder

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_checkout_finds_its_schema_and_seed() -> None:
    assert data_folder("schema") == CHECKOUT / "schema"
    assert data_folder("graph_seed") == CHECKOUT / "graph_seed"


def test_a_wheel_carries_schema_and_seed(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        tmp_path,
        CHECKOUT,
    ]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "consentline/_data/schema/schema.graphql" in names
    assert "consentline/_data/schema/graph/0001_keys_and_indexes.cypher" in names
    assert "consentline/_data/graph_seed/story.json" in names
    assert "consentline/embedded/artifacts.json" in names
