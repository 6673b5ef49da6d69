"""Imports go one way: see "Layers" in shared/design.md."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "src" / "consentline"

BASE = {"__init__", "packaged"}
ALLOWED: dict[str, set[str]] = {
    "domain": set(),
    "permits": {"domain"},
    "settings": {"domain", "permits"},
    "logs": set(),
    "embedded": {"domain", "settings"},
    "graph": {"domain"},
    "usecases": {"graph", "domain"},
    "gql": {"usecases", "domain"},
    "web": {"gql", "usecases", "domain"},
    "generation": {"domain"},
    "backfill": {"domain"},
    "dispatch": {"gql", "usecases", "domain"},
}
"""What each layer may import of ours; modules that are not listed are outermost and may import everything."""

OUTERMOST = {
    "__main__",
    "app",
    "audit_commands",
    "chores",
    "cli",
    "cli_audit",
    "cli_backfill",
    "cli_dataset",
    "cli_doctor",
    "cli_erasure",
    "cli_errors",
    "cli_ingest",
    "cli_notices",
    "cli_permit",
    "cli_plan",
    "cli_report",
    "cli_serve",
    "cli_train_guard",
    "cli_worker",
    "connection",
    "dataset_commands",
    "demo",
    "erasure_commands",
    "gate_client",
    "guarded",
    "member_files",
    "notices_commands",
    "plan_document",
    "plan_text",
    "record_files",
    "rejects",
    "report_charts",
    "report_figures",
    "report_page",
    "story",
}


def modules() -> list[Path]:
    return sorted(SOURCES.rglob("*.py"))


def layer_of(module: Path) -> str:
    first = module.relative_to(SOURCES).parts[0]
    return first.removesuffix(".py")


def imports_of(module: Path) -> Iterator[str]:
    """The layers of ours that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module is not None
            whole = node.module == "consentline"
            names = [f"consentline.{alias.name}" for alias in node.names] if whole else [node.module]
        for name in names:
            parts = name.split(".")
            if parts[0] == "consentline" and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1]


@pytest.mark.parametrize("module", modules(), ids=lambda path: str(path.relative_to(SOURCES)))
def test_imports_only_what_its_layer_may(module: Path) -> None:
    layer = layer_of(module)
    if layer in OUTERMOST | BASE:
        return
    assert layer in ALLOWED, f"{layer} is a new layer: say in this test what it may import"

    refused = set(imports_of(module)) - ALLOWED[layer] - {layer} - BASE

    assert not refused


def test_only_the_graph_knows_the_driver() -> None:
    knowing = {
        layer_of(module)
        for module in modules()
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "neo4j")
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "neo4j" for alias in node.names))
    }

    # The embedded server is asked whether it answers before there is a graph.
    assert knowing == {"graph", "embedded"}


def test_cypher_is_cast_from_text_in_one_place_only() -> None:
    """Basedpyright holds every statement to LiteralString; only a cast could get around that."""
    casts = [
        str(module.relative_to(SOURCES))
        for module in modules()
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "cast"
        if layer_of(module) == "graph" or "LiteralString" in ast.unparse(node.args[0])
    ]

    assert casts == ["graph/migrations.py"]


# The command line imports these when a command needs them: the others start in half the time.
SLOW_TO_IMPORT = {
    ("audit_commands.py", "consentline.cli_audit"),
    ("cli_permit.py", "consentline.permits"),
    ("dataset_commands.py", "consentline.cli_dataset"),
    ("erasure_commands.py", "consentline.cli_erasure"),
    ("notices_commands.py", "consentline.cli_notices"),
    ("settings.py", "consentline.domain.clock"),
    ("settings.py", "consentline.permits"),
} | {
    ("cli.py", f"consentline.{name}")
    for name in (
        "cli_backfill",
        "cli_ingest",
        "cli_doctor",
        "cli_plan",
        "cli_report",
        "cli_serve",
        "cli_train_guard",
        "cli_worker",
        "connection",
        "demo",
        "gql.schema",
        "graph",
        "web.auth",
    )
}


def test_no_function_imports_to_dodge_a_cycle() -> None:
    dodging = [
        f"{module.relative_to(SOURCES)}: {name}"
        for module in modules()
        for function in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or node.names[0].name]
        if name.startswith("consentline") and (module.name, name) not in SLOW_TO_IMPORT
    ]

    assert not dodging
