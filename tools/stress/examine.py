"""Examines one plan and keeps the result, so that a rerun does only what is missing or outdated."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tools import bundles, pictures, segmentation
from tools.files import write_content, write_json
from tools.stress import score
from tools.stress.pictures import side_by_side
from tools.stress.plans import Plan
from tools.stress.sample import Sample
from tools.stress.swallowed import swallow

ROWS, PICTURES = "rows", "pictures"
"""Folders in OUT."""

PICTURE_EVERY = 8
"""Every so manieth scan of a part is drawn, and every scan with a wrong name."""

FAILED = "failed"
"""Status of all levels of a scan that the bundle could not read."""


@dataclass(frozen=True)
class Setup:
    """How scans are examined.

    Attributes:
        out: Folder of the results.
        weights: File of the weights; None means the shipped ones.
    """

    out: Path
    weights: Path | None = None

    def load(self) -> bundles.Bundle:
        """Return the bundle, initialised once in each process."""
        return segmentation.load(weights=self.weights)

    def software(self) -> str:
        """SHA-256 of the weights and of the bundle's code and configs."""
        return _software(self.weights)

    def fingerprint(self, plan: Plan) -> str:
        """SHA-256 of everything that a plan's rows depend on."""
        content = [plan.part, plan.case, plan.settings(), self.software()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def record(self, plan: Plan) -> Path:
        """File of a plan's rows."""
        return self.out / ROWS / f"{plan.part}-{plan.case}.json"


@cache
def _software(weights: Path | None) -> str:
    """Checksum of weights, package and config of the bundle."""
    root = bundles.FOLDER / segmentation.NAME
    digest = hashlib.sha256()
    sources = [*root.glob("*/*.py"), root / "configs" / "inference.yaml"]
    for path in [weights or root / bundles.WEIGHTS, *sorted(sources)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def run_bundle(bundle: bundles.Bundle, sample: Sample, name: str) -> dict[str, Any]:
    """Give a scan to the bundle in memory, as if read from a file.

    Args:
        bundle: The segmentation bundle.
        sample: The scan.
        name: Name of the case.

    Returns:
        The bundle's results.

    Raises:
        ValueError: The bundle refuses the input.
    """
    image = segmentation.as_tensor(sample.image, sample.affine, name)
    return bundle.run(segmentation.as_input(image, name))


def examine(setup: Setup, numbered: tuple[int, Plan]) -> None:
    """Build a plan's scan, run the bundle on it, and write its rows, and perhaps a picture.

    Args:
        setup: How.
        numbered: The plan, and its number in its part.

    Raises:
        OSError: A file cannot be written.
    """
    number, plan = numbered
    sample = plan.build()
    begin = time.perf_counter()
    wrong = plan.settings().get("swallowed")
    bundle = swallow(setup.load(), disc="disc" in wrong) if wrong else setup.load()
    try:
        result = run_bundle(bundle, sample, plan.case)
    except ValueError as error:  # the bundle's refusal of the input: nothing was written
        written = np.zeros(sample.image.shape, np.uint8)
        levels = {
            level: {"status": FAILED, "reasons": [str(error)]} for level in score.MEASURED_LEVELS
        }
        chain: list[Any] = []
    else:
        written = np.asarray(result["pred"].cpu().numpy()[0], dtype=np.uint8)
        levels, chain = result["levels"], result["chain"]
    seconds = time.perf_counter() - begin
    found = score.rows(sample, written, levels)
    same = {"part": plan.part, "case": plan.case, "sacrum": sample.sacrum}
    record = {
        "fingerprint": setup.fingerprint(plan),
        "settings": plan.settings(),
        "seconds": round(seconds, 2),
        "shape": list(sample.image.shape),
        "spacing_mm": [round(edge, 3) for edge in sample.grid.spacing_mm],
        "chain": _plain(chain),
        "rows": [same | _plain(row) for row in found],
    }
    is_wrong = any(row["verdict"] == score.WRONG for row in found)
    picture = setup.out / PICTURES / f"{plan.part}-{plan.case}{'-wrong' if is_wrong else ''}.png"
    for old in picture.parent.glob(f"{plan.part}-{plan.case}*.png"):
        old.unlink()
    if is_wrong or number % PICTURE_EVERY == 0:
        content = pictures.png(side_by_side(sample, written))
        write_content(picture, content)
    write_json(setup.record(plan), record)


def read(setup: Setup, plan: Plan) -> dict[str, Any] | None:
    """Return a plan's record if it was made from this very plan, code and weights."""
    try:
        record: dict[str, Any] = json.loads(setup.record(plan).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if record.get("fingerprint") == setup.fingerprint(plan) else None


def _plain(value: Any) -> Any:
    """JSON-ready copy; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return round(value, 4) if np.isfinite(value) else None
    return value
