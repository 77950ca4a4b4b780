"""What a screening run was asked to do, and the fingerprint of what a case's results depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tools import __version__, bundles
from tools.screen.scan import BUNDLE, Case

MEASURING = "bmd_regression"
"""The bundle whose package cuts patches and turns HU into density."""

IN_MEMORY = {"postprocessing::transforms": ["@name_levels", "@restore_grid"]}
"""The segmentation's own steps without writing files: `screen` writes its own."""


@dataclass(frozen=True)
class Settings:
    """Options of a run that change its results.

    Attributes:
        device: "auto", "cpu" or "cuda".
        kvp: Tube voltage of scans that do not say it, kV; None: 120 is assumed.
        allow_contrast: Whether contrast-enhanced scans get a density.
    """

    device: str = "auto"
    kvp: float | None = None
    allow_contrast: bool = False

    def segmentation(self) -> bundles.Bundle:
        """The segmentation bundle, initialised once in each process.

        Raises:
            ValueError: If the weights are missing or damaged.
        """
        overrides: dict[str, Any] = dict(IN_MEMORY)
        if self.device != "auto":
            overrides["device"] = f"$torch.device('{self.device}')"
        return bundles.load(BUNDLE, overrides=overrides)


def fingerprint(case: Case, settings: Settings) -> str:
    """SHA-256 of all that a case's results depend on.

    The input counts by path, size and time of change, as it is too large to be read for this.

    Args:
        case: The input.
        settings: The run's options.
    """
    files = []
    for path in case.paths:
        try:
            state = path.stat()
            files.append([str(path), state.st_size, state.st_mtime_ns])
        except OSError:  # gone or unreadable: the case will fail, and be tried again
            files.append([str(path), None, None])
    content = [case.name, case.kind, files, asdict(settings), software()]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def software() -> Mapping[str, str]:
    """The version, and a checksum of weights, configs and code that results depend on."""
    here = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    sources = [*here.glob("*.py"), *here.glob("screen/*"), *here.glob("report/*")]
    for bundle in (BUNDLE, MEASURING):
        root = bundles.FOLDER / bundle
        sources += [*root.glob("*_bundle/*.py"), *root.glob("configs/inference.yaml")]
        sources += root.glob("models/model.pt")
    for path in sorted(source for source in sources if source.is_file()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return {"version": __version__, "sources_sha256": digest.hexdigest()}
