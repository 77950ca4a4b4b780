"""Make one vertebral body of a labelled CT lower by a known share of its height.

    python -m tools.phantom.squeeze ct.nii.gz bodies.nii.gz L1 0.3 OUT --kind wedge

Writes `OUT/ct.nii.gz` and `OUT/labels.nii.gz` on the grid they came with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from tools.levels import LABEL_IDS, TOTALSEGMENTATOR_BODY_IDS
from tools.phantom.squeeze.command import KINDS, squeeze
from tools.volumes import save_nifti

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
    try:
        ct, affine = _read(options.ct)
        labels, other = _read(options.labels)
        if ct.shape != labels.shape or not np.allclose(affine, other, atol=1e-2):
            raise ValueError(f"{options.ct} and {options.labels} lie on different grids")
        new, moved = squeeze(
            ct, np.rint(labels).astype(np.uint8), affine, options.level, options.loss,
            options.kind, impaction=options.impaction, seed=options.seed, ids=IDS[options.ids],
        )  # fmt: skip
        options.out.mkdir(parents=True, exist_ok=True)
        save_nifti(options.out / "ct.nii.gz", new, affine)
        save_nifti(options.out / "labels.nii.gz", moved, affine)
    except (ValueError, OSError, nib.filebasedimages.ImageFileError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    return 0


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A volume as stored and its affine; integers where the file holds integers."""
    stored = nib.Nifti1Image.from_filename(path)
    array = np.asanyarray(stored.dataobj)
    if array.ndim != 3:
        raise ValueError(f"{path}: not one volume of three axes")
    return array, stored.affine


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
