"""What the repository promises about itself holds: commands, versions, links, pins."""

import ast
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from tools import __version__
from tools.__main__ import COMMANDS
from tools.options import bind

TEST_COMMAND = "python -m pytest"
MAIN_JOB = "python -m tools demo"
LARGEST_FILE_BYTES = 1_000_000
LARGEST_WEIGHTS_BYTES = 25_000_000  # of `bundles/<name>/models/model*.pt`, the model zoo's limit


def shell_lines(text: str) -> list[str]:
    """Lines inside the shell blocks of a Markdown text."""
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    return [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]


def test_the_check_runs_the_commands_of_the_readme(repository: Path) -> None:
    documented = shell_lines((repository / "README.md").read_text())
    assert TEST_COMMAND in documented
    assert MAIN_JOB in documented
    script = [line.strip() for line in (repository / ".ci" / "run").read_text().splitlines()]
    assert any(re.match(rf"{TEST_COMMAND}( \||$)", line) for line in script)
    assert any(line.startswith(f"{MAIN_JOB} --size small") for line in script)


@pytest.mark.parametrize("page", ["README.md", "tools/phantom/docs/recipes.md"])
def test_documented_commands_exist(page: str, repository: Path) -> None:
    lines = [
        line.split()[3:]
        for line in shell_lines((repository / page).read_text())
        if line.startswith("python -m tools ")
    ]
    assert lines
    for name, *words in lines:
        assert name in COMMANDS
        if "--help" not in words:
            bind(COMMANDS[name].load(), words)


def pages(repository: Path) -> list[Path]:
    """Every Markdown page of the project."""
    below = (
        page for folder in ("bundles", "tools") for page in (repository / folder).rglob("*.md")
    )
    return [*repository.glob("*.md"), *below]


def test_links_between_pages_lead_somewhere(repository: Path) -> None:
    links = [
        (page, target.split("#")[0])
        for page in pages(repository)
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())
        if not re.match(r"https?://|#|mailto:", target)
    ]
    assert links
    broken = [(page.name, target) for page, target in links if not (page.parent / target).exists()]
    assert broken == []


def pins(repository: Path, *names: str) -> dict[str, str]:
    """Package -> exact version, of some requirement files."""
    found = {}
    for name in names:
        for line in (repository / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r ")):
                match = re.fullmatch(r"([A-Za-z0-9_.-]+)==([0-9][0-9.]*)", line)
                assert match, f"{name}: {line}"
                found[match[1]] = match[2]
    return found


def test_every_requirement_is_pinned(repository: Path) -> None:
    found = pins(repository, "requirements.txt", "requirements-dev.txt")
    assert found["torch"] == "2.13.0"
    assert found["monai"] == "1.6.1"


def test_everything_that_is_imported_is_required(repository: Path) -> None:
    imported = set()
    for path in (repository / "tools").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(str(node.module).partition(".")[0])
    own = {"tools"} | {package.name for package in (repository / "bundles").glob("*/*_bundle")}
    packages = packages_distributions()
    required = {name.lower() for name in pins(repository, "requirements.txt")}
    missing = {
        module
        for module in imported - sys.stdlib_module_names - own
        if not required & {name.lower() for name in [module, *packages.get(module, [])]}
    }
    assert missing == set()


def test_the_version_is_the_same_everywhere(repository: Path) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert __version__ in (repository / "CHANGELOG.md").read_text()
    assert len(citation["references"]) == 5  # four studies, and the one whose cohort S1 shows


@pytest.mark.parametrize("name", ["lint", "tests", "release"])
def test_workflows_are_readable_and_pin_their_actions(name: str, repository: Path) -> None:
    text = (repository / ".github" / "workflows" / f"{name}.yml").read_text()
    assert yaml.safe_load(text)["jobs"]
    for action in re.findall(r"uses: (\S+)", text):
        assert re.search(r"@v\d+$", action) or action.startswith("./"), action


def largest_bytes(path: Path) -> int:
    """Size that a tracked file may have."""
    weights = path.match("models/model*.pt")
    return LARGEST_WEIGHTS_BYTES if weights else LARGEST_FILE_BYTES


def test_no_tracked_file_is_larger_than_1_mb(repository: Path) -> None:
    git = shutil.which("git")
    if git is None or not (repository / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip(f"git cannot list the files: {listed.stderr.strip()}")
    paths = [repository / name for name in listed.stdout.split("\0") if name]
    assert paths
    large = {
        path.relative_to(repository).as_posix()
        for path in paths
        if path.is_file() and path.stat().st_size > largest_bytes(path)
    }
    assert large == set()
