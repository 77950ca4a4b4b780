"""Which bundle these tests are of."""

from pathlib import Path

import pytest

from tools import bundles


@pytest.fixture(scope="session")
def bundle() -> Path:
    """Folder of the bundle."""
    return bundles.FOLDER / "ovf_classification"
