"""Which bundle these tests are of."""

from pathlib import Path

import pytest

from tools import bundles

BUNDLE = bundles.FOLDER / "bmd_regression"


@pytest.fixture(scope="session")
def bundle() -> Path:
    """Folder of the bundle."""
    return BUNDLE
