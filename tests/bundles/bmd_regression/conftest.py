"""The bundle on the path."""

import sys
from pathlib import Path

import pytest

BUNDLE = Path(__file__).resolve().parents[3] / "bundles" / "bmd_regression"
sys.path.insert(1, str(BUNDLE))


@pytest.fixture(scope="session")
def bundle() -> Path:
    """Folder of the bundle."""
    return BUNDLE
