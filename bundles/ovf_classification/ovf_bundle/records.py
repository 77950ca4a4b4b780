"""Records of a datalist: a CT, and whether it shows an osteoporotic vertebral fracture.

    {"image": "images/A0001.nii.gz", "label": 1, "patient_id": "A-0001", "scanner": "A",
     "age": 71.5, "sex": "F"}

One label for the whole CT, as a report gives it (S1). For `configs/evidence.yaml` a record may also
say where the fractures are: `"bodies"`, a label map of vertebral bodies, and `"broken_ids"`, a list
of its ids of broken ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ovf_bundle.common import (
    SettingError,
    case_name,
    datalist_cases,
    datalist_records,
    name_apart,
    refuse_lists,
)

#: Labels: no fracture, fracture.
NEGATIVE, POSITIVE = 0, 1
#: Nobody is older, years.
MOST_YEARS = 120.0
SEXES = ("F", "M")
#: What says where the fractures are.
BODIES = ("bodies", "broken_ids")

Record = dict[str, Any]


def check(datalist: str, keys: Sequence[str], argv: Sequence[str] | None = None) -> None:
    """Refuse a datalist that cannot be trained on before anything is read.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        keys: Names of the lists that will be read.
        argv: The command line, `sys.argv`; only one of `monai.bundle run` is judged. Other programs
            meet a bad record when they read it.

    Raises:
        SystemExit: One line that names the file, the record, and the mend; status 1.
    """
    refuse_lists(lambda key: labelled_scans(datalist, [key]), keys, argv)


def labelled_scans(datalist: str, keys: Sequence[str]) -> list[Record]:
    """Read the scans of some lists, ready for a network that needs both labels.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        keys: Names of the lists, such as ["training"]; S1's last stage takes two.

    Returns:
        Per scan `image` (path), `case`, `label` ([0.0] or [1.0]), and `bodies` (path) and
        `broken_ids`, where there.

    Raises:
        SettingError: As `read`; or the lists together are empty or hold one label only.
    """
    found = [record for key in keys for record in read(datalist, key)]
    names = " and ".join(f"'{key}'" for key in keys)
    if not found:
        raise SettingError(f"{datalist}: the list {names} is empty; give it scans")
    if len({record["label"] for record in found}) < 2:
        problem = f"all scans of {names} have label {found[0]['label']}"
        raise SettingError(f"{datalist}: {problem}; give scans with and without a fracture")
    kept = ("image", "case", *BODIES)
    return [
        {**{name: one[name] for name in kept if name in one}, "label": [float(one["label"])]}
        for one in found
    ]


def evaluated_cases(datalist: str, key: str | Sequence[str]) -> list[Record]:
    """Read all scans of a list, or of several, as cases with unique names.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        key: Name of the list, such as "test", or names.

    Returns:
        Records as `read` gives them, with the `case` and `kind` of `common.datalist_cases`.

    Raises:
        SettingError: As `read`; or the list is empty.
    """
    keys = [key] if isinstance(key, str) else list(key)
    records = [record for one in keys for record in read(datalist, one, files=False)]
    if not records:
        raise SettingError(f"{datalist}: the list '{key}' is empty; name another, or give it scans")
    named = name_apart([case for one in keys for case in datalist_cases(datalist, one)])
    return [
        {**record, "case": case["case"], "kind": case["kind"]}
        for record, case in zip(records, named, strict=True)
    ]


def without_label(records: Sequence[Record]) -> list[Record]:
    """Leave out what the network must not see."""
    return [{key: record[key] for key in ("image", "case", "kind")} for record in records]


def read(datalist: str, key: str, files: bool = True) -> list[Record]:
    """Read one list of a datalist.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        key: Name of the list, such as "training".
        files: Whether every CT must be there; else reading the case says so.

    Returns:
        Per scan `image` (path), `case` (its name), `label` (0 or 1), and `patient_id`, `scanner`,
        `age` (years), `sex` ("F" or "M"), `bodies` (path), `broken_ids`, where there.

    Raises:
        SettingError: The file or the list does not exist, or a record is unusable; one line.
    """
    found = datalist_records(datalist, key, ("image", "bodies"))
    return [_record(one, f"{datalist}: {key} {n}", files) for n, one in enumerate(found)]


def _record(given: Mapping[str, Any], where: str, files: bool) -> Record:
    """Check one record; `where` names it in messages."""
    if "label" not in given:
        raise SettingError(f'{where} needs "label", 0 or 1')
    if files and not Path(given["image"]).exists():
        raise SettingError(f"{where}: image {given['image']} does not exist")
    label = given["label"]
    if isinstance(label, bool) or label not in (NEGATIVE, POSITIVE):
        raise SettingError(f"{where}: label is {label!r}; say 1 for a fracture, 0 for none")
    texts = {
        name: str(given[name]) for name in ("patient_id", "scanner") if given.get(name) is not None
    }
    return {
        "image": given["image"],
        "case": case_name(given["image"]) if files else "",
        "label": int(label),
        **texts,
        **_person(given, where),
        **_bodies(given, where, files),
    }


def _person(given: Mapping[str, Any], where: str) -> Record:
    """Check age and sex, of which neither need be known."""
    person: Record = {}
    if (age := given.get("age")) is not None:
        number = isinstance(age, int | float) and not isinstance(age, bool) and math.isfinite(age)
        if not number or not 0 <= age <= MOST_YEARS:
            raise SettingError(f"{where}: age is {age!r}, no years from 0 to {MOST_YEARS:g}")
        person["age"] = float(age)
    if (sex := given.get("sex")) is not None:
        if sex not in SEXES:
            raise SettingError(f"{where}: sex is {sex!r}; say {' or '.join(SEXES)}, or null")
        person["sex"] = sex
    return person


def _bodies(given: Mapping[str, Any], where: str, files: bool) -> Record:
    """Check where the fractures are, which need not be known; both or none."""
    stated = [given.get(name) for name in BODIES]
    if stated == [None, None]:
        return {}
    path, ids = stated
    if not isinstance(path, str) or (files and not Path(path).exists()):
        raise SettingError(f"{where}: bodies {path!r} is no label map; give its path")
    whole = isinstance(ids, list) and all(type(one) is int and one > 0 for one in ids)
    if not whole:
        raise SettingError(f"{where}: broken_ids is {ids!r}; list the broken bodies' label ids")
    return {"bodies": path, "broken_ids": ids}
