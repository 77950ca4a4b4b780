"""What inference leaves behind: `<case>_seg.nii.gz` and `<case>_levels.json`.

The label map is written first and the JSON last, both whole or not at all: a case with a JSON file
is finished.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.config import KeysCollection
from monai.transforms import SaveImaged

from lumbar_bundle.classes import LEVELS
from lumbar_bundle.common import (
    DONE,
    LEVELS_ENDING,
    MEASURED,
    REFUSED,
    SCHEMA,
    SEGMENTATION_ENDING,
    UNNAMED,
    FailureFiles,
    case_name,
    is_sagittal_reformat,
    plain,
    write_json,
)
from lumbar_bundle.grids import to_ras

__all__ = ["FailureFiles", "SaveImageLevelsd", "describe_input", "save_label_map"]

#: zlib level: level 1 writes label maps four times faster than level 9.
GZIP_LEVEL = 1
#: Skew of voxel axes up to which NIfTI's qform, which knows no skew, can hold an affine.
MOST_SKEW = 1e-4


def save_label_map(path: Path, labels: np.ndarray, affine: np.ndarray) -> None:
    """Write a gzipped NIfTI, whole or not at all.

    Args:
        path: File to write, `*.nii.gz`; its folder is made.
        labels: Label ids uint8 [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.

    Raises:
        OSError: If the file cannot be written.
    """
    image = nib.Nifti1Image(labels, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    skewed = np.abs(axes.T @ axes - np.eye(3)).max() > MOST_SKEW
    image.set_qform(affine, code=0 if skewed else 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=".part-", dir=path.parent, delete=False) as raw:
        temporary = Path(raw.name)
        try:
            # No name and no time in the file: the same map gives the same bytes.
            with gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as packed:
                packed.write(image.to_bytes())
            raw.flush()
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def describe_input(kind: str, shape: tuple[int, ...], affine: np.ndarray) -> dict[str, Any]:
    """Describe the input's grid as the report does.

    Args:
        kind: "nifti" or "dicom".
        shape: Voxels [X, Y, Z].
        affine: 4x4 voxel to RAS+ millimetre matrix.
    """
    # A view of one stored value: only shape and affine are of interest.
    view, ras = to_ras(np.broadcast_to(np.uint8(0), shape), affine)
    return {
        "kind": kind,
        "shape": list(shape),
        "spacing_mm": np.linalg.norm(affine[:3, :3], axis=0).tolist(),
        "sagittal_reformat": is_sagittal_reformat(view.shape, ras),
    }


class SaveImageLevelsd(SaveImaged):
    """Write label map and levels of one case.

    It is a `SaveImaged`, and says so, because MONAI Label and MONAI Deploy leave those out and
    take the label map from memory.

    Args:
        keys: Key of the label map, uint8 [1, X, Y, Z] on the input's own grid.
        output_dir: Where to write; made if missing.
        levels_key: Key of the levels.
        chain_key: Key of all bodies that were found.
        case_key: Key of the case's name; without it the input's file names it.
        kind_key: Key of "nifti" or "dicom".
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        output_dir: str | Path = ".",
        levels_key: str = "levels",
        chain_key: str = "chain",
        case_key: str = "case",
        kind_key: str = "kind",
    ) -> None:
        super().__init__(keys, output_dir=output_dir, output_postfix="seg")
        self.output_dir = Path(output_dir)
        self.levels_key, self.chain_key = levels_key, chain_key
        self.case_key, self.kind_key = case_key, kind_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write both files; the data are returned unchanged."""
        for key in self.key_iterator(data):
            labels = data[key]
            array = labels.detach().cpu().numpy()[0].astype(np.uint8)
            affine = np.asarray(labels.affine, dtype=float)
            name = data.get(self.case_key) or case_name(labels.meta.get("filename_or_obj", UNNAMED))
            levels = data[self.levels_key]
            found = any(level["status"] == MEASURED for level in levels.values())
            content = {
                "schema": SCHEMA,
                "case": str(name),
                "status": DONE if found else REFUSED,
                "reason": None,
                "input": describe_input(str(data.get(self.kind_key, "nifti")), array.shape, affine),
                "levels": {name: levels[name] for name in LEVELS},
                "chain": data.get(self.chain_key, []),
            }
            save_label_map(self.output_dir / f"{name}{SEGMENTATION_ENDING}", array, affine)
            write_json(self.output_dir / f"{name}{LEVELS_ENDING}", plain(content))
        return dict(data)
