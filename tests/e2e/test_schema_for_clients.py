"""The exported schema as its clients' tools see it: graphql-eslint and relay-compiler."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import repository
from tests.node_tools import NODE

SCHEMA = repository() / "schema" / "schema.graphql"


def node(*arguments: str, cwd: Path = NODE, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", *arguments], cwd=cwd, env=os.environ | more, capture_output=True, text=True, timeout=300, check=False
    )


def linted(schema: Path) -> list[str]:
    """What the rules say of a schema, each as its rule and message."""
    done = node("node_modules/eslint/bin/eslint.js", "--format", "json", "schema.graphql", SCHEMA=str(schema))
    assert done.stdout, done.stderr
    return [f"{each['ruleId']}: {each['message']}" for file in json.loads(done.stdout) for each in file["messages"]]


@pytest.fixture
def linted_copy(node_tools: Path) -> Path:
    """The schema beside the rules: eslint reads nothing outside its folder."""
    copy = node_tools / "schema.graphql"
    shutil.copyfile(SCHEMA, copy)
    return copy


def test_the_recommended_and_relay_rules_find_nothing(linted_copy: Path) -> None:
    assert linted(linted_copy) == []


def test_the_rules_are_in_force(linted_copy: Path) -> None:
    linted_copy.write_text(
        SCHEMA.read_text(encoding="utf-8") + "\ntype undescribed { at: DateTime }\n", encoding="utf-8"
    )

    rules = {each.split(":")[0] for each in linted(linted_copy)}

    assert {
        "@graphql-eslint/naming-convention",
        "@graphql-eslint/require-description",
        "@graphql-eslint/strict-id-in-types",
    } <= rules


def test_relay_compiler_accepts_the_schema_and_a_clients_operations(node_tools: Path, tmp_path: Path) -> None:
    shutil.copytree(node_tools / "relay", tmp_path / "src")
    shutil.copyfile(SCHEMA, tmp_path / "schema.graphql")
    (tmp_path / "relay.config.json").write_text(
        json.dumps({"src": "./src", "schema": "./schema.graphql", "language": "typescript"}), encoding="utf-8"
    )

    done = node(str(node_tools / "node_modules/relay-compiler/cli.js"), "relay.config.json", cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    compiled = {path.name for path in (tmp_path / "src" / "__generated__").iterdir()}
    assert {"AppQuery.graphql.ts", "AppFileMutation.graphql.ts", "AppFlagSubscription.graphql.ts"} <= compiled
