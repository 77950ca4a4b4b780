"""Make one vertebral body of a labelled CT lower by a known share of its height.

    python -m tools.phantom.squeeze ct.nii.gz bodies.nii.gz L1 0.3 OUT --kind wedge

Writes `OUT/ct.nii.gz` and `OUT/labels.nii.gz` on the grid they came with; neither may be there yet.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from tools.levels import LABEL_IDS, TOTALSEGMENTATOR_BODY_IDS
from tools.phantom.squeeze.command import KINDS, squeeze
from tools.volumes import read_nifti, save_nifti

#: Largest id of a label map that was stored as floating-point numbers.
MOST_ID = 32767

#: Names of the label maps of bodies that are understood.
IDS = {"project": LABEL_IDS, "totalsegmentator": TOTALSEGMENTATOR_BODY_IDS}


def main(arguments: list[str]) -> int:
    """Squeeze and write; returns the exit status."""
    parser = argparse.ArgumentParser("python -m tools.phantom.squeeze", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)  # fmt: skip
    parser.add_argument("ct", type=Path, help="CT, NIfTI")
    parser.add_argument("labels", type=Path, help="vertebral bodies on the same grid, NIfTI")
    parser.add_argument("level", help="level to squeeze, such as L1")
    parser.add_argument("loss", type=float, help="share of its height to lose, 0 to 0.6")
    parser.add_argument("out", type=Path, help="folder for the result")
    parser.add_argument("--kind", choices=KINDS, default="wedge", help="form (wedge)")
    parser.add_argument("--ids", choices=IDS, default="project", help="label ids (project)")
    parser.add_argument("--impaction", action="store_true", help="keep mineral: denser bone")
    parser.add_argument("--seed", type=int, help="give lost noise back, drawn with this seed")
    options = parser.parse_args(arguments)
    written = [options.out / name for name in ("ct.nii.gz", "labels.nii.gz")]
    try:
        for path in written:
            if path.exists():
                raise ValueError(f"{path} exists; choose another folder for the result")
        if options.seed is not None and options.seed < 0:
            raise ValueError(f"--seed is a whole number of at least 0, not {options.seed}")
        ct, affine = _read(options.ct)
        labels, other = _read(options.labels)
        if ct.shape != labels.shape or not np.allclose(affine, other, atol=1e-2):
            raise ValueError(f"{options.ct} and {options.labels} lie on different grids")
        new, moved = squeeze(
            ct, _whole_numbers(options.labels, labels), affine, options.level, options.loss,
            options.kind, impaction=options.impaction, seed=options.seed, ids=IDS[options.ids],
        )  # fmt: skip
        options.out.mkdir(parents=True, exist_ok=True)
        for path, array in zip(written, (new, moved), strict=True):
            save_nifti(path, array, affine)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    return 0


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A volume of finite numbers as stored, and its affine."""
    array, affine = read_nifti(path)
    if array.ndim != 3:
        raise ValueError(f"{path}: not one volume of three axes")
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: holds values that are no finite numbers; mend them first")
    return array, affine


def _whole_numbers(path: Path, labels: np.ndarray) -> np.ndarray:
    """Labels as integers; fractions name no level."""
    if np.issubdtype(labels.dtype, np.integer):
        return labels
    if not np.array_equal(labels, np.rint(labels)) or np.abs(labels).max() > MOST_ID:
        raise ValueError(f"{path}: holds fractions; a label map holds whole numbers")
    return labels.astype(np.int16)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
