"""Each CT with its label map, paired by name: a file and a file, or a folder and a folder.

The label map of `A0001.nii.gz` is called `A0001.nii.gz`, or `A0001_seg.nii.gz` as
`lumbar_segmentation` writes it, or lies as `segmentation.nii.gz` in a folder `A0001`.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bmd_bundle.common import (
    NIFTI_ENDINGS,
    SCREENED,
    SEGMENTATION_ENDING,
    SettingError,
    case_name,
    files_below,
    find_cases,
    is_nifti,
)

Case = dict[str, Any]


def find_pairs(image: Any, mask: Any, output_dir: str | Path | None = None) -> list[Case]:
    """Turn what was given as `image` and `mask` into cases.

    Args:
        image: CT file, folder, pattern, text file of paths, or a list of these.
        mask: Label map, folder of label maps, pattern, or a list of these.
        output_dir: Folder of results; what lies in it is no input.

    Returns:
        Cases as `common.find_cases` gives them, each with `mask`, a path; "" where none has its
        name, and reading the case says so.

    Raises:
        SettingError: Something given does not exist, or two label maps have one name.
    """
    masks = list(dict.fromkeys(_maps(mask)))
    if not masks:
        raise SettingError(f"mask: {mask} holds no NIfTI label map; give a file or a folder")
    cases = find_cases(image, output_dir)
    taken = {path.resolve() for path in masks}
    # Label maps beside their CTs are no CTs.
    cases = [case for case in cases if not _is_one_of(case, taken)] or cases
    if len(cases) == len(masks) == 1:
        return [{**cases[0], "mask": str(masks[0])}]
    named: dict[str, Path] = {}
    for path in masks:
        name = _called(path)
        if name in named:
            raise SettingError(
                f"mask: {named[name]} and {path} are both label maps of {name}; give one of them"
            )
        named[name] = path
    return [{**case, "mask": str(named.get(case["case"], ""))} for case in cases]


def _maps(mask: Any) -> list[Path]:
    """List the label maps that were given."""
    if mask is None or mask == "":
        raise SettingError("mask: give the label map of the CT, as in --mask labels/")
    if isinstance(mask, list | tuple):
        return [path for part in mask for path in _maps(part)]
    path = Path(str(mask)).expanduser()
    if path.is_dir():
        return [file for file in files_below(path) if is_nifti(file)]
    if path.is_file():
        return [path]
    found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns
    if not found:
        raise SettingError(f"mask: {mask} does not exist")
    return [Path(one) for one in found if is_nifti(Path(one))]


def _is_one_of(case: Case, paths: set[Path]) -> bool:
    image = case["image"]
    return isinstance(image, str) and Path(image).resolve() in paths


def _called(path: Path) -> str:
    """Name of the case that a label map belongs to.

    Examples:
        >>> [_called(Path(p)) for p in ("a/A1.nii", "a/A1_seg.nii.gz", "A1/segmentation.nii.gz")]
        ['A1', 'A1', 'A1']
    """
    if path.name == SCREENED[0]:
        return path.parent.name
    name = case_name(path)
    ending = _without(SEGMENTATION_ENDING, NIFTI_ENDINGS)
    return name.removesuffix(ending)


def _without(name: str, endings: Sequence[str]) -> str:
    """Cut the first of some endings off a name."""
    return next((name[: -len(end)] for end in endings if name.endswith(end)), name)
