"""Which series of a study is measured: one of those that show the same part of the patient.

    cases = choosing.choose(cases)                       # those not chosen say why in `left_out`
    cases = choosing.choose_again(cases, {"series-…"})   # without one that could not be read

Archives send one scan many times: thick and thin, soft and sharp, reformatted, before and after
contrast medium. Only headers are read here. `RULES` decide, the first one that tells two series
apart; what a series shows beyond the chosen one is measured as well.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pydicom
from tqdm import tqdm

from tools import bundles, segmentation
from tools.screen.facts import DEFAULT
from tools.screen.folder import FAILED, Outcome
from tools.screen.header import Header, describe, merge
from tools.screen.scan import Case, quiet

STUDY_TAGS = ("StudyInstanceUID", "PatientID", "FrameOfReferenceUID")
"""What series share that show one patient in one place; without a study UID each stands alone."""

LEFT_OUT = "left out: "
"""How the reason of a series begins that another one stands for."""

COVERED = 0.8
"""A series is left out if the chosen one shows this share of its length along the body."""

AXIAL_COSINE = 0.7
"""Slices whose normal is nearer than this to the body's axis are axial: within 45 degrees."""

SHARP_NUMBER = 50
"""Kernels of Siemens (B30f, Br69) are sharp from this number on."""

SHARP_FC = 30
"""Kernels of Canon and Toshiba (FC08, FC51) are sharp from this number on."""

SHARP_WORDS = frozenset(
    {"BONE", "BONEPLUS", "LUNG", "EDGE", "DETAIL", "ULTRA"}  # GE
    | {"D", "E", "F", "L", "YC", "YD", "YE"}  # Philips
)
"""Names of sharp kernels. They raise noise and the rims of bodies."""


@dataclass(frozen=True)
class Series:
    """What the headers of a series say about its use for a measurement.

    Attributes:
        case: Its files.
        header: How it was made.
        axial: Whether its slices lie across the body.
        original: Whether the scanner reconstructed it, rather than a workstation.
        range_mm: Where it begins and ends along the body's axis, LPS mm.
    """

    case: Case
    header: Header
    axial: bool
    original: bool
    range_mm: tuple[float, float]

    @cached_property
    def is_plain(self) -> bool:
        """Whether its beam has a calibration."""
        low, high = DEFAULT.kvp
        known = self.header.kvp
        return not self.header.beam_problem and (known is None or low <= known <= high)

    @property
    def length_mm(self) -> float:
        """How much of the body it shows, mm."""
        return self.range_mm[1] - self.range_mm[0]

    def covers(self, other: Series) -> bool:
        """Tell whether it shows nearly all that another one shows."""
        ends = zip(self.range_mm, other.range_mm, strict=True)
        (low, high) = (max(next(ends)), min(next(ends)))
        return high - low >= COVERED * other.length_mm


Rule = tuple[str, Callable[[Series], Any]]

RULES: tuple[Rule, ...] = (
    ("its beam can be calibrated", lambda one: not one.is_plain),
    (
        "no contrast medium is recorded",
        lambda one: ("none", "unknown", "applied").index(one.header.contrast),
    ),
    ("it is axial", lambda one: not one.axial),
    ("its tube voltage is 120 kV", lambda one: one.header.kvp != DEFAULT.usual_kvp),
    ("its kernel is soft", lambda one: is_sharp(one.header.kernel)),
    ("its slices are thinner", lambda one: one.header.thickness_mm or np.inf),
    ("it is longer", lambda one: -round(one.length_mm)),
    ("the scanner reconstructed it", lambda one: not one.original),
    ("it comes first by name", lambda one: (one.case.name, str(one.case.paths[0]))),
)
"""Why one series goes before another, in this order, and what is smaller in the better one."""


def is_sharp(kernel: str | None) -> bool:
    r"""Tell a kernel for edges from one for soft tissue; one that is not known counts as soft.

    Examples:
        >>> [is_sharp(name) for name in ("B30f", "Br69d\\3", "STANDARD", "LUNG", "FC51", None)]
        [False, True, False, True, True, False]
    """
    name = re.split(r"[\\,]", kernel or "")[0].strip().upper()
    if number := re.fullmatch(r"FC(\d\d).*", name):
        return int(number[1]) >= SHARP_FC
    if number := re.fullmatch(r"[A-Z]{1,2}(\d\d)[A-Z]?", name):
        return int(number[1]) >= SHARP_NUMBER
    return name in SHARP_WORDS


def choose(cases: Sequence[Case]) -> list[Case]:
    """Mark in every study the series that another one stands for.

    Args:
        cases: All inputs.

    Returns:
        The same in the same order, with their study; those to be left out say why. What cannot be
        used (other modalities, localizers, missing slices) is not compared: reading it says what is
        wrong.
    """
    with quiet():
        keys = [_study(case.paths[0]) if case.kind == "dicom" else None for case in cases]
        studies: dict[str, list[Case]] = {}
        for case, key in zip(cases, keys, strict=True):
            if key is not None:
                studies.setdefault(key, []).append(case)
        marked: dict[Case, tuple[str, str]] = {}
        for study in studies.values():
            if len(study) > 1:
                found = [one for case in study if (one := _look(case)) is not None]
                marked |= {one.case: (other.case.name, why) for one, other, why in rank(found)}
    chosen = []
    for case, key in zip(cases, keys, strict=True):
        better, why = marked.get(case, (None, None))
        reason = better and f"{LEFT_OUT}{better} of the same study is used, as {why}"
        chosen.append(replace(case, study=key, better=better, left_out=reason))
    return chosen


def choose_again(cases: Sequence[Case], lost: Collection[str]) -> list[Case]:
    """Choose anew in the studies of series that failed; a result must not be lost with one of them.

    Args:
        cases: All inputs, chosen from.
        lost: Names of those that failed, such as for pixels that only decoding shows to be damaged.

    Returns:
        The same in the same order; the next series by the rules is no longer left out.
    """
    studies = {case.study for case in cases if case.better in lost}
    rest = [case for case in cases if case.study in studies and case.name not in lost]
    fresh = {case.name: case for case in choose(rest)}
    return [fresh.get(case.name, case) for case in cases]


def in_turn(
    cases: Sequence[Case],
    measure: Callable[[Sequence[Case]], Iterable[tuple[Case, Outcome]]],
    leave_out: Callable[[Case], Outcome],
) -> Iterator[tuple[Case, Outcome]]:
    """Measure the chosen series; where one fails, the next of its study; leave out the others last.

    Args:
        cases: All inputs, chosen from.
        measure: Measures cases.
        leave_out: Writes down one that is left out.

    Yields:
        Every case once, with its outcome.
    """
    waiting = list(cases)
    lost: set[str] = set()
    while chosen := [case for case in waiting if case.better is None]:
        for case, outcome in measure(chosen):
            if outcome.status == FAILED:
                lost.add(case.name)
            yield case, outcome
        before = {case.name: case.better for case in waiting if case.better is not None}
        cases = choose_again(cases, lost)
        waiting = [case for case in cases if case.name in before]
        for case in waiting:
            if case.better is None:
                told = f"{case.name} is measured in place of {before[case.name]}, which failed"
                tqdm.write(told, sys.stderr)
    yield from ((case, leave_out(case)) for case in waiting)


def rank(study: Sequence[Series]) -> list[tuple[Series, Series, str]]:
    """Choose among the series of a study.

    Args:
        study: Its usable series.

    Returns:
        Those left out, each with the one that is used and what makes that better.
    """
    chosen: list[Series] = []
    left_out = []
    for one in sorted(study, key=lambda one: tuple(key(one) for _, key in RULES)):
        better = next((other for other in chosen if other.covers(one)), None)
        if better is None:
            chosen.append(one)
            continue
        why = next(words for words, key in RULES if key(better) != key(one))
        left_out.append((one, better, why))
    return left_out


def _study(path: Path) -> str | None:
    """What a file's study and place are known by, hashed; None where it does not say."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(STUDY_TAGS))
        found = tuple(str(header.get(tag) or "").strip() for tag in STUDY_TAGS)
    except (
        Exception
    ):  # pydicom raises nearly anything for damaged bytes; reading says what is wrong
        return None
    return (
        hashlib.sha256("\0".join(found).encode("utf-8", "replace")).hexdigest()
        if found[0]
        else None
    )


def _look(case: Case) -> Series | None:
    """Read the headers of a series; None if it is of no use, or cannot be read."""
    try:
        slices = _common().place_slices(case.paths)
        header = merge([describe(one.header) for one in slices])
    except (OSError, ValueError):  # a `CaseError`, which reading it raises again
        return None
    first = slices[0]
    kinds = str(first.header.get("ImageType") or "").upper()
    heights = np.concatenate([_heights_mm(one) for one in slices])
    half = (header.thickness_mm or 0.0) / 2 * abs(first.normal[2])
    return Series(
        case,
        header,
        bool(abs(first.normal[2]) > AXIAL_COSINE),
        "DERIVED" not in kinds,
        (float(heights.min()) - half, float(heights.max()) + half),
    )


def _heights_mm(one: Any) -> np.ndarray:
    """Heights of a slice's corners along the body, LPS mm, [4]."""
    rows, columns = (int(one.header.get(tag) or 1) for tag in ("Rows", "Columns"))
    along_row = one.orientation[2] * one.spacing[1] * (columns - 1)
    along_column = one.orientation[5] * one.spacing[0] * (rows - 1)
    return one.position[2] + np.array([0, along_row, along_column, along_row + along_column])


def _common() -> ModuleType:
    return bundles.module(segmentation.NAME, "lumbar_bundle.common")
