"""Folds by patient for cross-validation, as study S3 runs it: no patient in two of them.

    deal({"p1": True, "p2": False, ...}, folds=5, seed=0)    # patient -> fold, 1 to 5

A patient's fold depends on the patients and the seed alone: not on the order of the records, how
many there are of one, nor how an id is spelt. Patients are dealt out in the order of a hash, one
class after the other, so that every fold has its share of both.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from bmd_bundle import records
from bmd_bundle.common import SettingError, name_apart, parse_command_line
from bmd_bundle.screening import LIMIT_HA

Record = records.Record

#: Parts of a cross-validation: learnt from, left out, and lists of other scanners.
TRAIN, TEST, INDEPENDENT = "train", "test", "independent"
#: Ways to split: every patient is left out once; or each run leaves others out, drawn anew.
FOLDS, RANDOM = "folds", "random"


def patient_key(patient_id: Any) -> str:
    """Name a patient the same however the id is spelt: its letters and its numbers' values.

    Two patients whose ids differ in nothing else share a fold, which harms nothing.

    Examples:
        >>> {patient_key(name) for name in ("P-0012", "p12", " P 012 ", "P_12.")}
        {'p12'}
        >>> patient_key(7) == patient_key("007"), patient_key("P1") == patient_key("P10")
        (True, False)
    """
    text = unicodedata.normalize("NFKC", str(patient_id)).casefold()
    parts = re.findall(r"\d+|[^\W\d_]+", unicodedata.normalize("NFKC", text))
    return "".join(part.lstrip("0") or "0" if part.isdigit() else part for part in parts)


def deal(patients: Mapping[str, Any], folds: int, seed: int) -> dict[str, int]:
    """Deal patients out to folds, 1 to `folds`, whose sizes differ by one at most.

    Args:
        patients: Patient -> class; the classes are dealt one after the other.
        folds: How many.
        seed: Another one gives other folds.

    Raises:
        SettingError: There are fewer than two folds, or fewer patients than folds.

    Examples:
        >>> found = deal({f"p{n}": n < 4 for n in range(10)}, folds=2, seed=0)
        >>> sorted(found.values()), sum(found[f"p{n}"] == 1 for n in range(4))
        ([1, 1, 1, 1, 1, 2, 2, 2, 2, 2], 2)
    """
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise SettingError(f"folds: {folds!r} is no number of folds; give 2 or more")
    if len(patients) < folds:
        raise SettingError(f"folds: {len(patients)} patients make no {folds} folds; give fewer")

    def place(patient: str) -> tuple[str, str, str]:
        digest = hashlib.sha256(f"{seed} {patient}".encode()).hexdigest()
        return str(patients[patient]), digest, patient

    return {patient: 1 + n % folds for n, patient in enumerate(sorted(patients, key=place))}


def left_out(
    scans: Sequence[Record], fold: int, folds: int, split: str = FOLDS, seed: int = 0
) -> list[bool]:
    """Tell which scans a run leaves out.

    Args:
        scans: Records as `records.read` gives them, each with a `patient_id`.
        fold: Number of the run, from 1 on.
        folds: Number of runs.
        split: "folds": each patient is left out by one run; "random": each run draws its own.
        seed: Of the split.

    Raises:
        SettingError: A setting is unusable, or a record names no patient; one line.
    """
    if split not in (FOLDS, RANDOM):
        raise SettingError(f"fold_split: {split!r} is no split; say {FOLDS} or {RANDOM}")
    if isinstance(fold, bool) or not isinstance(fold, int) or not 1 <= fold <= folds:
        raise SettingError(f"fold: {fold!r} is no fold from 1 to {folds}")
    owners = [_owner(scan) for scan in scans]
    classes = _classes(owners, scans)
    if split == RANDOM:
        # A fifth drawn anew in every run: the first fold of a deal with that run's own hash.
        own = int.from_bytes(hashlib.sha256(f"{seed} run {fold}".encode()).digest()[:8])
        dealt, wanted = deal(classes, folds, own), 1
    else:
        dealt, wanted = deal(classes, folds, seed), fold
    return [dealt[owner] == wanted for owner in owners]


def _owner(scan: Record) -> str:
    """Return whose scan it is."""
    key = patient_key(scan.get("patient_id") or "")
    if not key:
        raise SettingError(
            f"{scan['image']}: its record names no patient; folds are made by patient, give it "
            '"patient_id"'
        )
    return key


def _classes(owners: Sequence[str], scans: Sequence[Record]) -> dict[str, str]:
    """Patient -> class of the mean over all levels of all scans."""
    densities: dict[str, list[float]] = {}
    for owner, scan in zip(owners, scans, strict=True):
        densities.setdefault(owner, []).extend(scan["density"].values())
    return {owner: _class(values) for owner, values in densities.items()}


def _class(values: Sequence[float]) -> str:
    if not values:
        return "unknown"
    # Summed exactly, so that the order of the records cannot matter.
    return "reduced" if math.fsum(values) / len(values) <= LIMIT_HA else "other"


def check(
    argv: Sequence[str],
    datalist: str,
    lists: Sequence[str],
    independent: Sequence[str],
    **split: Any,
) -> None:
    """Refuse a split that cannot be made before anything runs.

    Args:
        argv: The command line, `sys.argv`; only one of `monai.bundle run` is judged.
        datalist: JSON file in MONAI's decathlon form.
        lists: Names of the lists that are split.
        independent: Names of the lists of other scanners.
        **split: Arguments of `left_out`.

    Raises:
        SystemExit: One line that names what is wrong and the mend; status 1.
    """
    if not parse_command_line(argv)[1].keys() & {"config_file", "args_file"}:
        return
    try:
        pool = _pooled(datalist, lists, files=False)
        _keep_apart(pool, _pooled(datalist, independent, files=False))
        left_out(pool, **split)
    except SettingError as error:
        raise SystemExit(f"error: {error}") from None


def _keep_apart(pool: Sequence[Record], others: Sequence[Record]) -> None:
    """Refuse a patient of the independent lists who is in the pool."""
    known = {_owner(scan) for scan in pool}
    for scan in others:
        if _owner(scan) in known:
            raise SettingError(
                f"{scan['image']}: its patient is in pooled_lists too and not independent; take "
                "the scan out, or its list out of independent_lists"
            )


def _pooled(datalist: str, lists: Sequence[str], files: bool = True) -> list[Record]:
    return [record for key in lists for record in records.read(datalist, key, files)]


def training_scans(
    datalist: str, lists: Sequence[str], part: str = TRAIN, **split: Any
) -> list[Record]:
    """Read the scans that a run learns from, or those that it leaves out; measured ones alone.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        lists: Names of the lists that are split.
        part: "train" or "test".
        **split: Arguments of `left_out`.

    Raises:
        SettingError: As `records.read` and `left_out`; or no scan is measured.
    """
    scans = _pooled(datalist, lists)
    out = left_out(scans, **split)
    found = [
        scan
        for scan, aside in zip(scans, out, strict=True)
        if scan["density"] and aside == (part == TEST)
    ]
    if not found:
        raise SettingError(f"{datalist}: fold {split['fold']} has no measured scan to {part}")
    return found


def evaluated_cases(
    datalist: str, lists: Sequence[str], independent: Sequence[str], **split: Any
) -> list[Record]:
    """Read all scans, each with what it is to a run: `part`.

    Args:
        datalist: JSON file in MONAI's decathlon form.
        lists: Names of the lists that are split.
        independent: Names of the lists of other scanners, which no run learns from.
        **split: Arguments of `left_out`.

    Raises:
        SettingError: As `records.evaluated_cases` and `left_out`; or a patient of the independent
            lists is in the others as well; one line.
    """
    pool = [case for key in lists for case in records.evaluated_cases(datalist, key)]
    others = [case for key in independent for case in records.evaluated_cases(datalist, key)]
    _keep_apart(pool, others)
    out = left_out(pool, **split)
    parts = [TEST if aside else TRAIN for aside in out] + [INDEPENDENT] * len(others)
    found = [{**case, "part": part} for case, part in zip([*pool, *others], parts, strict=True)]
    return name_apart(found)
