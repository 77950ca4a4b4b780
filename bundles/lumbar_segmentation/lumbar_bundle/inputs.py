"""From what the user gives as `image` to a list of named cases.

A NIfTI file, a DICOM file, a folder of either (searched to the bottom), a pattern, a text file with
one path per line, or a list of these.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.data import load_decathlon_datalist

from lumbar_bundle.common import NIFTI_ENDINGS, PATH_DIGITS, SettingError, case_name
from lumbar_bundle.series import DICOM_ENDINGS, group, hashed_name

#: Ending of label maps this bundle writes: not read again when results lie among the inputs.
SEGMENTATION_ENDING = "_seg.nii.gz"
#: Ending of the file beside them.
LEVELS_ENDING = "_levels.json"
#: Endings of lists of paths.
LIST_ENDINGS = (".txt",)

Case = dict[str, Any]


def find_cases(image: Any, output_dir: str | Path | None = None) -> list[Case]:
    """Turn what was given as `image` into cases with unique names that name no patient.

    Args:
        image: File, folder, pattern, text file of paths, or a list of these.
        output_dir: Folder of results; what lies in it is no input.

    Returns:
        One dictionary per case: "image" (a path, or the paths of a DICOM series), "case" (its
        name) and "kind" ("nifti" or "dicom"), in the order of the paths.

    Raises:
        SettingError: If something given does not exist, or if nothing to read was found.
    """
    results = Path(output_dir).absolute() if output_dir is not None else None
    explicit, found = _files(image, results)
    files = list(dict.fromkeys([*explicit, *found]))
    cases: list[Case] = []
    rest = []
    for path in files:
        if is_nifti(path):
            cases.append({"image": str(path), "case": case_name(path), "kind": "nifti"})
        else:
            rest.append(path)
    series, others = group(rest)
    cases += [
        {"image": [str(path) for path in one.paths], "case": one.name, "kind": "dicom"}
        for one in series
    ]
    # What ends like DICOM or was named by the user is reported, the rest lies there by chance.
    reported = {path for path in others if path.suffix.lower() in DICOM_ENDINGS} | (
        set(explicit) & set(others)
    )
    cases += [
        {"image": str(path), "case": hashed_name(str(path.absolute())), "kind": "dicom"}
        for path in others
        if path in reported
    ]
    if not cases:
        raise SettingError(
            f"image: {image} holds neither NIfTI nor DICOM; give a CT file, a folder or a pattern"
        )
    return name_apart(sorted(cases, key=_first_path))


def datalist_cases(datalist: str, key: str) -> list[Case]:
    """Read the records of one list of a datalist and name them as `find_cases` does.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        key: Name of the list, such as "test".

    Returns:
        The records with "case" and "kind".

    Raises:
        SettingError: If the file does not exist or holds no such list.
    """
    if not Path(datalist).is_file():
        raise SettingError(f"datalist: {datalist} does not exist")
    try:
        records = load_decathlon_datalist(datalist, data_list_key=key)
    except ValueError:
        raise SettingError(f"{datalist} holds no list '{key}'") from None
    cases = []
    for record in records:
        path = Path(record["image"])
        if is_nifti(path):
            cases.append({**record, "case": case_name(path), "kind": "nifti"})
            continue
        series, _ = group(files_below(path) if path.is_dir() else [path])
        name = series[0].name if series else hashed_name(str(path.absolute()))
        cases.append({**record, "case": name, "kind": "dicom"})
    return name_apart(cases)


def name_apart(cases: Sequence[Case]) -> list[Case]:
    """Tell cases of one name apart by a hash of their path.

    Examples:
        >>> [case["case"] for case in name_apart([{"image": "/a/ct.nii", "case": "ct"},
        ...     {"image": "/b/ct.nii", "case": "ct"}, {"image": "/a/x.nii", "case": "x"}])]
        ['ct-e716b9', 'ct-002854', 'x']
    """
    # Two names that differ in upper and lower case are one file on some systems.
    names = [case["case"].casefold() for case in cases]
    return [
        {**case, "case": f"{case['case']}-{_path_hash(case)}"} if names.count(name) > 1 else case
        for case, name in zip(cases, names, strict=True)
    ]


def is_nifti(path: Path) -> bool:
    """Tell a NIfTI file by its name."""
    return path.name.lower().endswith(NIFTI_ENDINGS)


def _first_path(case: Mapping[str, Any]) -> str:
    image = case["image"]
    return image if isinstance(image, str) else image[0]


def _path_hash(case: Mapping[str, Any]) -> str:
    path = str(Path(_first_path(case)).absolute())
    return hashlib.sha256(path.encode()).hexdigest()[:PATH_DIGITS]


def _files(image: Any, results: Path | None) -> tuple[list[Path], list[Path]]:
    """List the files named by the user, and those found in folders the user named."""
    if image is None or image == "":
        raise SettingError("image: give a CT file, a folder or a pattern, as in --image scans/")
    if isinstance(image, list | tuple):
        explicit: list[Path] = []
        found: list[Path] = []
        for part in image:
            named, below = _files(part, results)
            explicit += named
            found += below
        return explicit, found
    path = Path(image).expanduser()
    if path.is_dir():
        return [], [file for file in files_below(path) if not _is_result(file, results)]
    if path.is_file() and path.suffix.lower() in LIST_ENDINGS:
        return _files(_listed(path), results)
    if path.is_file():
        return [path], []
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns
    if not matches:
        raise SettingError(f"image: {image} does not exist")
    kept = [match for match in matches if not _is_result(Path(match), results)]
    return _files(kept, results)


def _listed(path: Path) -> list[str]:
    """Read a text file of paths; relative ones start from its folder, # begins a remark."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    return [str(path.parent / line) for line in lines if line and not line.startswith("#")]


def files_below(folder: Path) -> list[Path]:
    """List all files under a folder, hidden ones left out."""
    return sorted(file for file in folder.rglob("*") if _is_visible(file, folder))


def _is_visible(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.is_file()


def _is_result(file: Path, results: Path | None) -> bool:
    """Tell whether an earlier run wrote this file."""
    if results is not None and results in file.absolute().parents:
        return True
    if not file.name.endswith(SEGMENTATION_ENDING):
        return False
    case = file.name.removesuffix(SEGMENTATION_ENDING)
    return (file.parent / f"{case}{LEVELS_ENDING}").exists()
