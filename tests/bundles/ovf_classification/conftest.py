"""The bundle on the path, beside the one whose drawn spine these tests scan."""

from pathlib import Path

import pytest

from tools import bundles

BUNDLE = bundles.FOLDER / "ovf_classification"
for _name, _package in (
    ("ovf_classification", "ovf_bundle"),
    ("lumbar_segmentation", "lumbar_bundle"),
):
    bundles.module(_name, _package)

from tests.bundles.ovf_classification.cohort import draw  # noqa: E402 - needs the path


@pytest.fixture(scope="session")
def bundle() -> Path:
    """Folder of the bundle."""
    return BUNDLE


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with eight tiny patients, every other one with a fracture."""
    folder = tmp_path_factory.mktemp("cohort")
    draw(folder)
    return folder
