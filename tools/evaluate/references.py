"""What is true: the truth.json of a phantom cohort, or a datalist of the project."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.evaluate import naming, qct
from tools.evaluate.areal import reading
from tools.evaluate.fractures import labels
from tools.evaluate.fractures.findings import Findings
from tools.evaluate.qct import HA
from tools.levels import MEASURED_LEVELS
from tools.options import nearest
from tools.phantom import datalists
from tools.phantom.cohort import TRUTH_FILE

NAMELESS = "unnamed scanner"
"""Scanner of a record that names none."""

Densities = Mapping[str, float | None]


@dataclass(frozen=True)
class Reference:
    """What is true of a case.

    Attributes:
        case: Its name.
        names: All names that a prediction may call it by.
        patient: Whose scan it is; None if the record does not say.
        scanner: What scanned it.
        part: The datalist's list it stands in; None where there are no lists.
        density: Level -> QCT density, mg/cm³ HA, or areal density, g/cm²; None where there is none.
        mineral: What the reference was given in.
        mass: Level -> mineral put into the phantom, mg/cm³ HA; None for patients.
        fractured: Levels known to be fractured; they count for themselves, not in the mean.
        whole: Level -> whether the scan shows it whole; None where that is not said.
        label: Whether the case has a fracture; None where that is not said.
        findings: Which, and what looks like one; None for patients.
    """

    case: str
    names: frozenset[str]
    patient: str | None
    scanner: str
    part: str | None
    density: Densities
    mineral: str | None = HA
    mass: Densities | None = None
    fractured: frozenset[str] = frozenset()
    whole: Mapping[str, bool | None] | None = None
    label: bool | None = None
    findings: Findings | None = None


@dataclass(frozen=True)
class References:
    """What predictions are held against.

    Attributes:
        file: The file read.
        phantom: Whether the cases are digital patients.
        cases: The cases of the lists chosen, in order.
        parts: Names of the lists chosen; empty where there are none.
        left_out: Names of the lists not chosen.
    """

    file: Path
    phantom: bool
    cases: Sequence[Reference]
    parts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def read(path: Path, density: bool, label: bool = False, areal: bool = False) -> References:
    """Read all references of a file.

    Args:
        path: truth.json or a datalist.
        density: Whether densities are needed; else records need none.
        label: Whether it must be said who has a fracture.
        areal: Whether areal densities by DXA are needed.

    Raises:
        ValueError: The file is neither, or a record is unusable; one line that names file and mend.
    """
    content = _json(path)
    if isinstance(content.get("cases"), Mapping):
        found = _of_truth(path, content["cases"])
        if areal:
            return reading.of_truth(found, content["cases"])
        return labels.of_truth(found, content["cases"]) if label else found
    lists = {name: part for name, part in content.items() if _is_list(part)}
    for name, part in content.items():
        _refuse_broken_list(path, name, part)
    if not lists:
        raise ValueError(
            f"{path}: neither the {TRUTH_FILE} of a phantom cohort nor a datalist with records"
        )
    found = _of_datalist(path, lists, density)
    if areal:
        return reading.of_datalist(found, lists)
    if not label:
        return found
    truths = read(path.with_name(TRUTH_FILE), False, True).cases if found.phantom else ()
    return labels.of_datalist(found, lists, truths)


def names_fractures(path: Path) -> bool:
    """Tell whether a file is a datalist of ovf_classification: records with a label of 0 or 1."""
    records = [record for part in _json(path).values() if _is_list(part) for record in part]
    return bool(records) and all(labels.is_label(record.get("label")) for record in records)


def choose(found: References, wanted: str, predicted: frozenset[str]) -> References:
    """Keep the lists that are meant.

    Args:
        found: All references.
        wanted: Names of lists with commas, "all", or "predicted": those with a predicted case.
        predicted: Names of the predicted cases.

    Raises:
        ValueError: A list does not exist; or nothing is left.
    """
    known = list(dict.fromkeys(case.part for case in found.cases if case.part is not None))
    if wanted == "predicted":
        parts = [
            name
            for name in known
            if any(case.part == name and case.names & predicted for case in found.cases)
        ]
    elif wanted == "all":
        parts = known
    else:
        if not known:
            raise ValueError(f"{found.file}: has no lists; leave --lists out")
        parts = [name.strip() for name in wanted.split(",") if name.strip()]
        for name in parts:
            if name not in known:
                hint = nearest(name, known)
                raise ValueError(
                    f"--lists: {found.file.name} has no list {name!r}{hint}; "
                    f"it has {', '.join(known)}"
                )
    kept = [case for case in found.cases if case.part is None or case.part in parts]
    return replace(
        found, cases=kept, parts=tuple(parts), left_out=tuple(n for n in known if n not in parts)
    )


def _json(path: Path) -> dict[str, Any]:
    if path.is_dir():
        raise ValueError(f"{path}: a folder; give its {TRUTH_FILE} or a datalist")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; give {TRUTH_FILE} or a datalist") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: no JSON object; give {TRUTH_FILE} or a datalist")
    return content


def _is_list(part: Any) -> bool:
    """Tell whether a datalist's entry is a list of records."""
    return isinstance(part, list) and bool(part) and all(map(_has_image, part))


def _refuse_broken_list(path: Path, name: str, part: Any) -> None:
    """Refuse a list of records of which one is none: left out, its scans would count nowhere."""
    if not isinstance(part, list):
        return
    usable = [_has_image(record) and _is_path(record["image"]) for record in part]
    if any(map(_has_image, part)) and not all(usable):
        raise ValueError(
            f"{path}: record {usable.index(False) + 1} of {name} names no image; give the path of "
            "its CT, or leave the record out"
        )


def _has_image(record: Any) -> bool:
    return isinstance(record, Mapping) and "image" in record


def _is_path(image: Any) -> bool:
    return isinstance(image, str) and bool(image.strip())


def _of_truth(path: Path, cases: Mapping[str, Any]) -> References:
    """Read a cohort's truth; its lists come from a datalist beside it, if there is one."""
    parts = _parts_beside(path)
    found = []
    for case, truth in cases.items():
        try:
            found.append(_of_patient(case, truth, parts))
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path}: case {case} is no truth of `phantom` ({type(error).__name__}: {error})"
            ) from error
    if not found:
        raise ValueError(f"{path}: holds no case")
    return References(path, True, _unique(path, found))


def _of_patient(case: str, truth: Mapping[str, Any], parts: Mapping[str, str]) -> Reference:
    """Turn one digital patient's truth into a reference."""
    _, record = datalists.BUNDLES["bmd_regression"]
    density = record(truth)["bmd"]
    levels = truth["levels"]
    known = {name: levels.get(name, {}) for name in MEASURED_LEVELS}
    names = {case}
    if "dicom" in truth:
        names.add(naming.series_name(truth["dicom"]["series_uid"]))
    return Reference(
        case=case,
        names=frozenset(names),
        patient=str(truth["patient_id"]),
        scanner=str(truth["scanner"]),
        part=parts.get(case),
        density=density,
        mass={
            name: float(known[name]["ha_mass_mg_cm3"]) if density[name] is not None else None
            for name in MEASURED_LEVELS
        },
        fractured=frozenset(name for name, level in known.items() if level.get("fracture")),
        whole={name: bool(level.get("complete", False)) for name, level in known.items()},
    )


def _parts_beside(path: Path) -> dict[str, str]:
    """Case -> list, from a datalist that `phantom` wrote beside its truth."""
    for bundle in datalists.BUNDLES:
        beside = path.with_name(f"{bundle}.json")
        if beside.is_file():
            lists = {name: part for name, part in _json(beside).items() if _is_list(part)}
            return {
                naming.stem(str(record["image"])): name
                for name, part in lists.items()
                for record in part
            }
    return {}


def _of_datalist(path: Path, lists: Mapping[str, Any], density: bool) -> References:
    found = []
    for name, records in lists.items():
        for number, record in enumerate(records, 1):
            where = f"{path}: record {number} of {name}"
            case = naming.case_name(path.parent / str(record["image"]))
            patient, scanner = record.get("patient_id"), record.get("scanner")
            reference = Reference(
                case=case,
                names=frozenset({case}),
                patient=str(patient) if patient is not None else None,
                scanner=str(scanner) if scanner not in (None, "") else NAMELESS,
                part=name,
                density=dict.fromkeys(MEASURED_LEVELS),
                mineral=None,
            )
            if density:
                values, mineral = qct.densities(where, record)
                reference = replace(reference, density=values, mineral=mineral)
            found.append(reference)
    beside = path.with_name(TRUTH_FILE)
    return References(path, beside.is_file() and "cases" in _json(beside), _unique(path, found))


def _unique(path: Path, cases: Sequence[Reference]) -> Sequence[Reference]:
    """Refuse a case that stands there twice."""
    seen: dict[str, Reference] = {}
    for case in cases:
        for name in case.names:
            if name in seen:
                places = " and ".join(str(one.part) for one in (seen[name], case) if one.part)
                raise ValueError(
                    f"{path}: case {name} stands there twice{f' ({places})' if places else ''}; "
                    "give every scan a file name of its own, in one list"
                )
            seen[name] = case
    return cases
