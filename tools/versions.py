"""Versions that results depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version

from tools import __version__

PACKAGES = ("torch", "monai", "pytorch-ignite", "numpy", "scipy", "nibabel", "pydicom", "highdicom")


def describe() -> dict[str, str]:
    """Return the versions of this project, of Python and of the packages that compute."""
    own = {"tools": __version__, "python": platform.python_version()}
    return own | {name: version(name) for name in PACKAGES}
