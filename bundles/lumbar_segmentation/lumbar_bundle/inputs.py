"""From what the user gives as `image` to a list of named cases.

A NIfTI file, a DICOM file, a folder of either (searched to the bottom), a pattern, a text file with
one path per line, or a list of these.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai.data import load_decathlon_datalist

from lumbar_bundle.common import NIFTI_ENDINGS, PATH_DIGITS, SettingError, case_name
from lumbar_bundle.series import DICOM_ENDINGS, group, hashed_name

#: Ending of label maps this bundle writes: not read again when results lie among the inputs.
SEGMENTATION_ENDING = "_seg.nii.gz"
#: Ending of the file beside them.
LEVELS_ENDING = "_levels.json"
#: The label map in a case's folder of `python -m tools screen`, and the record beside it.
SCREENED = ("segmentation.nii.gz", "case.json")
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
        name) and "kind" ("nifti" or "dicom"), in the order of the paths. What a list names is
        always a case, even if it does not exist: reading it then says so.

    Raises:
        SettingError: If something given does not exist, if a list cannot be read, or if nothing to
            read was found.
    """
    results = Path(output_dir).resolve() if output_dir is not None else None
    given = _Given()
    _collect(image, results, given)
    # One file spelt in two ways is one case, called as it was spelt first.
    spelt: dict[Path, Path] = {}
    for path in (*given.named, *given.found):
        spelt.setdefault(path.resolve(), path)
    files = list(spelt.values())
    cases: list[Case] = []
    rest = []
    for path in files:
        if is_nifti(path):
            cases.append({"image": str(path), "case": case_name(path), "kind": "nifti"})
        else:
            rest.append(path)
    series, foreign = group(rest)
    others = dict.fromkeys(foreign)
    cases += [
        {"image": [str(path) for path in one.paths], "case": one.name, "kind": "dicom"}
        for one in series
    ]
    # What ends like DICOM or was named by the user is reported, the rest lies there by chance.
    reported = {path for path in others if path.suffix.lower() in DICOM_ENDINGS} | (
        set(given.named) & set(others)
    )
    cases += [_unread(path) for path in others if path in reported]
    holding = {file.parent for file in files if file not in others or file in reported}
    used = {folder for place in holding for folder in (place, *place.parents)}
    cases += [_unread(folder) for folder in dict.fromkeys(given.listed) if folder not in used]
    if not cases:
        raise SettingError(_nothing(image, output_dir, given))
    return name_apart(sorted(cases, key=_first_path))


def _unread(path: Path) -> Case:
    """Make a case of what holds no image, so that reading it says why."""
    return {"image": str(path), "case": hashed_name(str(path.absolute())), "kind": "dicom"}


def _nothing(image: Any, output_dir: str | Path | None, given: _Given) -> str:
    if given.left_out:
        folder = "" if output_dir is None else f" or lies in the folder of results, {output_dir}"
        return (
            f"image: everything in {image} is a result of a run{folder}; give a CT, or another "
            "folder for the results"
        )
    return f"image: {image} holds neither NIfTI nor DICOM; give a CT file, a folder or a pattern"


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
    path = os.fsencode(Path(_first_path(case)).absolute())
    return hashlib.sha256(path).hexdigest()[:PATH_DIGITS]


@dataclass
class _Given:
    """What the user's words come to.

    Attributes:
        named: Files named by the user.
        found: Files in folders that the user named.
        listed: Folders that a list names.
        left_out: Whether results of a run were passed over.
    """

    named: list[Path] = field(default_factory=list)
    found: list[Path] = field(default_factory=list)
    listed: list[Path] = field(default_factory=list)
    left_out: bool = False


def _collect(image: Any, results: Path | None, given: _Given) -> None:
    """Add what the user gave as `image`."""
    if image is None or image == "":
        raise SettingError("image: give a CT file, a folder or a pattern, as in --image scans/")
    if isinstance(image, list | tuple):
        for part in image:
            _collect(part, results, given)
    elif not _add(_expanded(str(image)), results, given, ()):
        raise SettingError(f"image: {image} does not exist")


def _add(path: Path, results: Path | None, given: _Given, lists: tuple[Path, ...]) -> bool:
    """Add a file, a folder, the paths in a list or what matches a pattern.

    Args:
        path: Which.
        results: Folder whose content is no input.
        given: Added to.
        lists: The lists that led here, outermost first.

    Returns:
        Whether there is any such thing.
    """
    if _is(path, Path.is_dir):
        files = files_below(path)
        kept = [file for file in files if not _is_result(file, results)]
        given.found += kept
        given.left_out |= len(kept) < len(files)
        given.listed += [path] if lists else []
        return True
    if _is(path, Path.is_file):
        if path.suffix.lower() in LIST_ENDINGS:
            _add_listed(path, results, given, lists)
        else:
            given.named.append(path)
        return True
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns
    for match in map(Path, matches):
        if _is_result(match, results):
            given.left_out = True
        elif match == path or not _add(match, results, given, lists):
            given.named.append(match)  # a link to what is gone, or no file
    return bool(matches)


def _add_listed(path: Path, results: Path | None, given: _Given, lists: tuple[Path, ...]) -> None:
    """Add the paths in a text file; relative ones start from its folder, # begins a remark."""
    place = path.resolve()
    if place in lists:
        raise SettingError(f"image: the list {path} leads back to itself; take that line out")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise SettingError(f"image: the list {path} is no UTF-8 text; save it as UTF-8") from None
    for line in lines:
        if line and not line.startswith("#"):
            one = path.parent / _expanded(line)
            if not _add(one, results, given, (*lists, place)):
                given.named.append(one)


def _expanded(text: str) -> Path:
    """Put the home folder in place of ~; an unknown user's stays as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def _is(path: Path, kind: Callable[[Path], bool]) -> bool:
    """Ask the system what a path is; what it cannot look at (a name too long) is nothing."""
    try:
        return kind(path)
    except OSError:
        return False


def files_below(folder: Path) -> list[Path]:
    """List all files under a folder, hidden ones left out."""
    return sorted(file for file in folder.rglob("*") if _is_visible(file, folder))


def _is_visible(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.is_file()


def _is_result(file: Path, results: Path | None) -> bool:
    """Tell whether an earlier run wrote this file."""
    if results is not None and results in (place := file.parent.resolve(), *place.parents):
        return True
    if file.name == SCREENED[0]:
        return file.with_name(SCREENED[1]).exists()
    if not file.name.endswith(SEGMENTATION_ENDING):
        return False
    case = file.name.removesuffix(SEGMENTATION_ENDING)
    return (file.parent / f"{case}{LEVELS_ENDING}").exists()
