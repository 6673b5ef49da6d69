"""The committed list of jars."""

import re
from pathlib import Path

from consentline.embedded.artifacts import (
    NEO4J_VERSION,
    Artifact,
    ArtifactList,
    decode_artifacts,
    encode_artifacts,
    is_intact,
    load_artifacts,
)


def test_the_list_names_the_server_and_what_starts_it():
    names = {f"{artifact.group}:{artifact.artifact}:{artifact.version}" for artifact in load_artifacts().artifacts}

    assert {
        f"org.neo4j:neo4j:{NEO4J_VERSION}",
        f"org.neo4j:neo4j-bolt:{NEO4J_VERSION}",
        f"org.neo4j.app:neo4j-server:{NEO4J_VERSION}",
        f"org.neo4j:neo4j-command-line:{NEO4J_VERSION}",
    } <= names
    assert load_artifacts().neo4j == NEO4J_VERSION


def test_the_list_is_sorted_and_no_two_jars_share_a_file_name():
    artifacts = load_artifacts().artifacts

    assert list(artifacts) == sorted(artifacts, key=lambda artifact: artifact.sort_key)
    assert len({artifact.filename for artifact in artifacts}) == len(artifacts)


def test_every_jar_has_a_size_and_a_sha256():
    for artifact in load_artifacts().artifacts:
        assert artifact.size > 0
        assert re.fullmatch("[0-9a-f]{64}", artifact.sha256)


def test_the_jars_of_every_platform_are_listed_whatever_platform_resolved_them():
    classifiers = {artifact.classifier for artifact in load_artifacts().artifacts}

    assert classifiers == {"", "linux-x86_64", "linux-aarch_64", "osx-x86_64", "osx-aarch_64"}


def test_a_list_survives_writing_and_reading():
    artifacts = load_artifacts()

    assert decode_artifacts(encode_artifacts(artifacts)) == artifacts


def test_the_path_of_a_jar_follows_the_maven_layout():
    plain = Artifact(group="org.neo4j.app", artifact="server", version="1.2", size=1, sha256="")
    native = Artifact(group="io.netty", artifact="epoll", version="4.2", size=1, sha256="", classifier="linux-x86_64")

    assert plain.path == "org/neo4j/app/server/1.2/server-1.2.jar"
    assert native.path == "io/netty/epoll/4.2/epoll-4.2-linux-x86_64.jar"


def test_a_list_without_jars_has_no_bytes():
    assert ArtifactList(neo4j="1", artifacts=()).total_bytes == 0


def test_only_the_exact_bytes_are_intact(tmp_path: Path):
    sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    jar = Artifact(group="g", artifact="a", version="1", size=5, sha256=sha256)
    path = tmp_path / "a.jar"

    assert not is_intact(jar, path)
    for content, intact in ((b"hello", True), (b"hell", False), (b"hellO", False), (b"hello ", False)):
        path.write_bytes(content)
        assert is_intact(jar, path) is intact
