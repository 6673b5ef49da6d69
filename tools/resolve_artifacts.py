"""Resolve the jars of the embedded Neo4j and write the committed list; for developers, once for each server version.

    .venv/bin/python tools/resolve_artifacts.py [--jars FOLDER]

Resolves with jgo (one to two minutes), downloads every jar once, checks it against the repository's own SHA-1 and
writes its size and SHA-256 to `src/consentline/embedded/artifacts.json`. `--jars` keeps the downloaded jars.
"""

import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext
from jgo.parse import Endpoint

from consentline.embedded.artifacts import LIST_NAME, NEO4J_VERSION, Artifact, ArtifactList, encode_artifacts

ROOTS = (
    # The database, the Bolt connector, and the artifact that holds org.neo4j.server.Neo4jCommunity.
    f"org.neo4j:neo4j:{NEO4J_VERSION}",
    f"org.neo4j:neo4j-bolt:{NEO4J_VERSION}",
    f"org.neo4j.app:neo4j-server:{NEO4J_VERSION}",
)
TARGET = Path(__file__).parents[1] / "src" / "consentline" / "embedded" / LIST_NAME
CONNECTIONS = 8


@dataclass(frozen=True)
class Coordinate:
    """A resolved jar that has not been downloaded yet."""

    group: str
    artifact: str
    version: str
    classifier: str

    def measured(self, *, size: int, sha256: str) -> Artifact:
        """Return the entry of the list."""
        return Artifact(
            group=self.group,
            artifact=self.artifact,
            version=self.version,
            classifier=self.classifier,
            size=size,
            sha256=sha256,
        )


def resolve(base_url: str, cache: Path) -> set[Coordinate]:
    """Return every jar that the roots need at run time, transitively.

    The list holds for every platform: none of these jars is chosen by a profile of the machine that resolves.
    """
    context = MavenContext(repo_cache=cache, remote_repos={"central": base_url})
    roots = [
        context.create_dependency(replace(coordinate, scope="compile"))
        for coordinate in Endpoint.parse("+".join(ROOTS)).coordinates
    ]
    inputs, transitive = context.resolver.resolve(roots)
    needed = [*inputs, *(dependency for dependency in transitive if dependency.scope in ("compile", "runtime"))]
    return {
        Coordinate(item.groupId, item.artifactId, item.version, item.classifier or "")
        for item in needed
        if item.type == "jar"
    }


def measure(client: httpx.Client, coordinate: Coordinate, jars: Path) -> Artifact:
    """Download one jar, check it against the repository's SHA-1 and return its entry.

    Raises:
        ValueError: the repository's own checksum does not fit.
    """
    entry = coordinate.measured(size=0, sha256="")
    content = client.get(entry.path).raise_for_status().content
    published = client.get(f"{entry.path}.sha1").raise_for_status().text.split()[0]
    # SHA-1 is what every Maven repository publishes; it guards this one download, SHA-256 all later ones.
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != published:
        raise ValueError(f"{entry.path}: the checksum that the repository publishes does not fit")
    (jars / entry.filename).write_bytes(content)
    return coordinate.measured(size=len(content), sha256=hashlib.sha256(content).hexdigest())


def measure_all(base_url: str, coordinates: Iterable[Coordinate], jars: Path) -> ArtifactList:
    """Download all jars and return the sorted list."""
    with (
        httpx.Client(base_url=f"{base_url.rstrip('/')}/", timeout=60, follow_redirects=True) as client,
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):
        futures = [pool.submit(measure, client, coordinate, jars) for coordinate in coordinates]
        measured = [future.result() for future in futures]
    return ArtifactList(neo4j=NEO4J_VERSION, artifacts=tuple(sorted(measured, key=lambda artifact: artifact.sort_key)))


def main() -> None:
    """Resolve, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jars", type=Path, help="keep the downloaded jars in this folder")
    arguments = parser.parse_args()
    base_url = os.environ.get("CONSENTLINE_MAVEN_URL", MAVEN_CENTRAL_URL)
    with tempfile.TemporaryDirectory() as scratch:
        jars = arguments.jars or Path(scratch, "jars")
        jars.mkdir(parents=True, exist_ok=True)
        artifacts = measure_all(base_url, resolve(base_url, Path(scratch, "poms")), jars)
    TARGET.write_bytes(encode_artifacts(artifacts))
    sys.stdout.write(f"{len(artifacts.artifacts)} jars, {artifacts.total_bytes:,} bytes: {TARGET}\n")


if __name__ == "__main__":
    main()
