"""What the docs and the docstrings show is right: commands, and examples."""

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest

from bmd_bundle.preflight import check

BUNDLE = Path(__file__).parents[3] / "bundles" / "bmd_regression"
MODULES = sorted(path.stem for path in (BUNDLE / "bmd_bundle").glob("*.py"))
#: Words that stand for a path of the user's.
PLACEHOLDERS = {"CT", "MASK", "DATA", "COHORT", "MY_DATA"}


def commands() -> list[str]:
    """Every command line of the stock runner in the model card and in the heads of the configs."""
    pages = [BUNDLE / "docs" / "README.md", *sorted((BUNDLE / "configs").glob("*.yaml"))]
    return [
        line.strip("# `")
        for page in pages
        for line in page.read_text().splitlines()
        if "-m monai.bundle run " in line
    ]


@pytest.mark.parametrize("line", commands())
def test_documented_commands_are_accepted(
    line: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    words = shlex.split(line)
    words = [str(tmp_path) if word in PLACEHOLDERS else word for word in words]
    at = words.index("monai.bundle")
    assert words[at + 1] == "run"
    check(argv=["monai/bundle/__main__.py", *words[at + 1 :]])
    with pytest.raises(SystemExit, match="unknown id 'mispelt'"):
        check(argv=["monai/bundle/__main__.py", *words[at + 1 :], "--mispelt", "1"])


def test_the_card_s_overlays_are_those_there_are() -> None:
    card = (BUNDLE / "docs" / "README.md").read_text()
    table = card.partition("| overlay | decides |")[2].partition("\n\n")[0]
    first_cells = re.findall(r"^\|([^|]*)\|", table, flags=re.MULTILINE)
    named = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    there = {path.stem for path in (BUNDLE / "configs").glob("*.yaml")}
    assert named == there - {"train", "inference", "evaluate"}


def test_the_card_s_reasons_are_those_of_the_code() -> None:
    card = (BUNDLE / "docs" / "README.md").read_text()
    table = card.partition("| reason | means |")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE))
    code = "".join(path.read_text() for path in (BUNDLE / "bmd_bundle").glob("*.py"))
    assert named == {"patch_outside_body", "no_axial_data", "level_not_found", "kvp_out_of_range"}
    assert all(f'"{reason}"' in code for reason in named)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_right(name: str) -> None:
    package = "bmd_bundle" if name == "__init__" else f"bmd_bundle.{name}"
    assert doctest.testmod(importlib.import_module(package)).failed == 0
