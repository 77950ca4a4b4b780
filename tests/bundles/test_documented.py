"""What docs and docstrings of every bundle show is right: commands, overlays, reasons, examples."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from tests.bundles.entry import entry_of
from tests.bundles.workflows import PACKAGES
from tools import bundles

#: Words that stand for a path of the user's.
PLACEHOLDERS = {"CT", "MASK", "DATA", "COHORT", "MY_DATA", "WEIGHTS"}


def card(bundle: str) -> str:
    """Text of the model card."""
    return (bundles.FOLDER / bundle / "docs" / "README.md").read_text()


def configs(bundle: str) -> list[Path]:
    return sorted((bundles.FOLDER / bundle / "configs").glob("*.yaml"))


def commands() -> list[tuple[str, str]]:
    """Every command line of the stock runner in model cards and in the heads of configs."""
    return [
        (bundle, line.strip("# `"))
        for bundle in sorted(PACKAGES)
        for text in (card(bundle), *(path.read_text() for path in configs(bundle)))
        for line in text.splitlines()
        if "-m monai.bundle run " in line
    ]


@pytest.mark.parametrize(("bundle", "line"), commands())
def test_documented_commands_are_accepted(
    bundle: str, line: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = bundles.module(bundle, f"{PACKAGES[bundle].name}.preflight").check
    monkeypatch.chdir(repository)
    words = [str(tmp_path) if word in PLACEHOLDERS else word for word in shlex.split(line)]
    at = words.index("monai.bundle")
    assert words[at + 1] == "run"
    check(argv=["monai/bundle/__main__.py", *words[at + 1 :]])
    with pytest.raises(SystemExit, match="unknown id 'mispelt'"):
        check(argv=["monai/bundle/__main__.py", *words[at + 1 :], "--mispelt", "1"])


@pytest.mark.parametrize("bundle", sorted(PACKAGES))
def test_the_card_s_overlays_are_those_there_are(bundle: str) -> None:
    table = card(bundle).partition("| overlay | decides |")[2].partition("\n\n")[0]
    first_cells = re.findall(r"^\|([^|]*)\|", table, flags=re.MULTILINE)
    named = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == {path.stem for path in configs(bundle)} - {"train", "inference", "evaluate"}


@pytest.mark.parametrize("bundle", sorted(PACKAGES))
def test_the_card_s_reasons_are_those_of_the_code(bundle: str) -> None:
    table = card(bundle).partition("| reason | means |")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE))
    code = "".join(path.read_text() for path in PACKAGES[bundle].glob("*.py"))
    assert named == entry_of(bundle).reasons
    assert all(f'"{reason}"' in code for reason in named)


@pytest.mark.parametrize(
    ("bundle", "name"),
    [
        (bundle, path.stem)
        for bundle, package in sorted(PACKAGES.items())
        for path in sorted(package.glob("*.py"))
    ],
)
def test_examples_in_docstrings_are_right(bundle: str, name: str) -> None:
    package = PACKAGES[bundle].name
    dotted = package if name == "__init__" else f"{package}.{name}"
    assert doctest.testmod(bundles.module(bundle, dotted)).failed == 0
