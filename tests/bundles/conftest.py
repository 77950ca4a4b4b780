"""Every bundle on the path, and of each a cohort and a network small enough to train a step on."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundles.entry import Entry, entry_of
from tests.bundles.workflows import PACKAGES, save_weights
from tools import bundles

for _name, _package in PACKAGES.items():
    bundles.module(_name, _package.name)


@pytest.fixture(scope="module", params=PACKAGES)
def bundle(request: pytest.FixtureRequest) -> Path:
    """Folder of a bundle."""
    return bundles.FOLDER / request.param


@pytest.fixture
def entry(bundle: Path) -> Entry:
    """What the joint tests know of the bundle."""
    return entry_of(bundle.name)


@pytest.fixture(scope="session")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Draws the tiny cohort of a bundle once; returns its folder."""

    @functools.cache
    def drawn(name: str) -> Path:
        folder = tmp_path_factory.mktemp("cohort")
        entry_of(name).draw(folder)
        return folder

    return drawn


@pytest.fixture
def cohort(bundle: Path, cohorts: Callable[[str], Path]) -> Path:
    """Folder of the bundle's tiny cohort."""
    return cohorts(bundle.name)


@pytest.fixture(scope="module")
def weights(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random half precision weights of the bundle's small network."""
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    return save_weights(bundle, path, **entry_of(bundle.name).small_network)
