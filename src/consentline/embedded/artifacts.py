"""The committed list of jars that make up the server: what to fetch, how large each is, and its digest.

The list is resolved once, by `tools/resolve_artifacts.py`, and never on a user's machine: resolving takes minutes, and
a list with digests is what makes a fetch verifiable.
"""

import hashlib
from importlib import resources
from pathlib import Path

import msgspec

NEO4J_VERSION = "2026.09.0"
LIST_NAME = "artifacts.json"


class Artifact(msgspec.Struct, frozen=True, omit_defaults=True):
    """One jar of a Maven repository, with the size in bytes and the SHA-256 (hexadecimal) that it must have."""

    group: str
    artifact: str
    version: str
    size: int
    sha256: str
    classifier: str = ""

    @property
    def filename(self) -> str:
        """The name of the file, the same in the repository and in the cache; unique within the list."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{suffix}.jar"

    @property
    def path(self) -> str:
        """The path below a Maven repository's base address."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.filename}"

    @property
    def sort_key(self) -> tuple[str, str, str, str]:
        """The order of the committed list."""
        return self.group, self.artifact, self.version, self.classifier


class ArtifactList(msgspec.Struct, frozen=True):
    """Everything that one server version needs on its class path, sorted by `Artifact.sort_key`."""

    neo4j: str
    artifacts: tuple[Artifact, ...]

    @property
    def total_bytes(self) -> int:
        """The bytes of all jars together."""
        return sum(artifact.size for artifact in self.artifacts)


def load_artifacts() -> ArtifactList:
    """Return the committed list."""
    return decode_artifacts(resources.files("consentline.embedded").joinpath(LIST_NAME).read_bytes())


def decode_artifacts(text: bytes) -> ArtifactList:
    """Return the list written as JSON.

    Raises:
        msgspec.ValidationError: it is not such a list.
    """
    return msgspec.json.decode(text, type=ArtifactList)


def encode_artifacts(artifacts: ArtifactList) -> bytes:
    """Return the list as JSON, one jar a line, so that a new version shows as a readable diff."""
    lines = ",\n".join(f"    {msgspec.json.encode(artifact).decode()}" for artifact in artifacts.artifacts)
    return f'{{\n  "neo4j": "{artifacts.neo4j}",\n  "artifacts": [\n{lines}\n  ]\n}}\n'.encode()


def is_intact(artifact: Artifact, path: Path) -> bool:
    """Whether the file at `path` is exactly this jar; a missing file is not."""
    try:
        if path.stat().st_size != artifact.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
    except FileNotFoundError:
        return False
