import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def test_every_error_code_is_documented_and_every_documented_one_exists() -> None:
    sources = "\n".join(path.read_text() for path in (CHECKOUT / "src").rglob("*.py"))
    raised = set(re.findall(r'\bcode(?::\s*str)?\s*=\s*"([A-Z0-9_]+)"', sources))
    page = (CHECKOUT / "docs" / "errors.md").read_text()
    named = set(
        re.findall(
            r"\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)*\b", "\n".join(row for row in page.splitlines() if row.startswith("| "))
        )
    )
    assert raised - named == {"REFUSED"}  # the root of the refusals, never raised itself
    strings = set(re.findall(r'"([A-Z0-9_]+)"', sources))
    assert {name for name in named - strings if "_" in name} <= {"CONSENTLINE_NEO4J_URI"}


def test_every_setting_is_documented() -> None:
    settings = (CHECKOUT / "src" / "consentline" / "settings.py").read_text()
    page = (CHECKOUT / "docs" / "operations.md").read_text()
    for name in re.findall(r"^    ([a-z_0-9]+): ", settings, flags=re.MULTILINE):
        upper = name.upper()
        short = "_" + upper.removeprefix("NEO4J_")
        assert f"CONSENTLINE_{upper}" in page or short in page, name


def test_the_readme_names_only_targets_and_commands_that_exist() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    makefile = (CHECKOUT / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z]+)", readme, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for link in re.findall(r"\]\(([^)#]+)\)", readme):
        assert (CHECKOUT / link).exists(), link


def test_no_committed_file_names_a_registry() -> None:
    hosts = re.compile("|".join(("maven" + r"\.org", "pypi" + r"\.org", "npmjs" + r"\.org", "pythonhosted" + r"\.org")))
    folders = ("src", "tests", "bench", "docs", "tools", "schema", "graph_seed", ".ci")
    files = [path for folder in folders for path in (CHECKOUT / folder).rglob("*") if path.is_file()]
    files = [path for path in files if "node_modules" not in path.parts and path.suffix != ".pyc"]
    assert [path for path in files if hosts.search(path.read_text(errors="replace"))] == []
