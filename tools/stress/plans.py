"""What is to be examined: plans are cheap, and each builds its scan only when its turn comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import nibabel as nib
import numpy as np

from tools.levels import MEASURED_LEVELS
from tools.phantom import datalists, real
from tools.phantom.cohort import TRUTH_FILE
from tools.stress import variants
from tools.stress.sample import (
    Cut,
    Sample,
    body_points_mm,
    complete_levels,
    cropped_affine,
    cut_field,
    grid_of,
    inside,
)
from tools.stress.slices import Reformat, cut_slices
from tools.stress.variants import Change

PARTS = ("variants", "slices", "negatives", "phantoms", "truncated", "swallowed")
"""Everything that is examined, in this order."""

PHANTOM_CUTS: tuple[tuple[Cut, Cut], ...] = (
    *(("", bottom) for bottom in variants.BOTTOMS[:9]),
    *((top, "") for top in ("T11 beside", "T12 beside", *variants.TOPS[:5])),
    ("T12 through", "L4 beside"),
    ("T11 through", "L5 through"),
    ("L1 through", "L4 through"),
    ("T12 beside", "L5 beside"),
    ("L1 beside", "sacrum through"),
)
"""Ends of phantoms' fields, (top, bottom): each case gets one of them in turn."""


Swallowed = Literal["", "L5", "L5 and disc"]
"""What the sacrum is made to hold, see `tools.stress.swallowed`."""


class Plan(Protocol):
    """One scan to examine."""

    @property
    def part(self) -> str:
        """One of `PARTS`."""

    @property
    def case(self) -> str:
        """Name, unique in its part."""

    def settings(self) -> dict[str, Any]:
        """What the scan depends on, JSON-ready."""

    def build(self) -> Sample:
        """Read or make the scan."""


@dataclass(frozen=True)
class VariantPlan:
    """A variant of the labelled CT in `folder`."""

    case: str
    change: Change
    folder: Path = real.DATA
    part: str = "variants"

    def settings(self) -> dict[str, Any]:
        """What was changed."""
        return self.change.settings()

    def build(self) -> Sample:
        """Change the CT."""
        return variants.apply(lumbar(self.folder), self.change)


@dataclass(frozen=True)
class SlicePlan:
    """Sagittal slices cut from the labelled CT in `folder`."""

    case: str
    reformat: Reformat
    folder: Path = real.DATA
    part: str = "slices"

    def settings(self) -> dict[str, Any]:
        """Number, place and thickness of the slices."""
        return self.reformat.settings()

    def build(self) -> Sample:
        """Cut the slices."""
        return cut_slices(lumbar(self.folder), self.reformat)


@dataclass(frozen=True)
class NegativePlan:
    """A CT without what naming needs; `case` is a key of `NEGATIVES`."""

    case: str
    folder: Path = real.DATA
    part: str = "negatives"

    def settings(self) -> dict[str, Any]:
        """Nothing is changed."""
        return {}

    def build(self) -> Sample:
        """Read the CT."""
        read, may_name = NEGATIVES[self.case]
        scan = read(self.folder)
        image = np.clip(np.rint(scan.image), variants.BLANK_HU, 32767).astype(np.int16)
        return Sample(image, scan.affine, None, frozenset(), "none", may_name=may_name)


@dataclass(frozen=True)
class PhantomPlan:
    """A case of a phantom cohort, whole or with a field that ends early."""

    case: str
    cohort: Path
    top: Cut = ""
    bottom: Cut = ""
    part: str = "phantoms"
    swallowed: Swallowed = ""

    def settings(self) -> dict[str, Any]:
        """Where the field ends and what is wrong with the outlines; the case is the patient."""
        given = {"top": self.top, "bottom": self.bottom, "swallowed": self.swallowed}
        return {key: value for key, value in given.items() if value}

    def build(self) -> Sample:
        """Read the volumes and cut them."""
        stored = [
            nib.Nifti1Image.from_filename(self.cohort / datalists.volume_path(folder, self.case))
            for folder in ("images", "labels")
        ]
        affine = np.asarray(stored[0].affine)
        image, labels = (np.asanyarray(volume.dataobj) for volume in stored)
        truth = json.loads((self.cohort / "truth" / f"{self.case}.json").read_text("utf-8"))
        points = body_points_mm(labels, affine)
        box = cut_field(points, grid_of(image, affine), self.top, self.bottom)
        affine = cropped_affine(affine, box)
        seen = grid_of(image[box], affine)
        whole = frozenset(level for level in MEASURED_LEVELS if truth["levels"][level]["complete"])
        share = float(inside(points["sacrum"], seen).mean()) if "sacrum" in points else 0.0
        return Sample(
            image=np.ascontiguousarray(image[box]),
            affine=affine,
            labels=np.ascontiguousarray(labels[box]),
            complete=complete_levels(points, seen) & whole,
            sacrum="whole" if share > 0.98 else "part" if share > 0.02 else "none",
        )


def lumbar(folder: Path) -> real.Scan:
    """Read the labelled lumbar CT with ids of this project."""
    place = folder / real.LUMBAR_CT.parent.name
    return variants.labelled(real.lumbar(place / "ct.nii.gz", place / "vertebral_bodies.nii.gz"))


def _thorax(folder: Path) -> real.Scan:
    return real.thorax(folder / real.THORAX_CT.parent.name / real.THORAX_CT.name)


def _upper_abdomen(folder: Path) -> real.Scan:
    return real.upper_abdomen(folder / real.UPPER_ABDOMEN.name)


def _l3_crop(folder: Path) -> real.Scan:
    return real.l3_crop(folder / real.L3_CROP.name)


NEGATIVES: dict[str, tuple[Callable[[Path], real.Scan], frozenset[str]]] = {
    "thorax_ct_1p5mm": (_thorax, frozenset()),
    "upper_abdomen_dicom": (_upper_abdomen, frozenset({"L1"})),  # shows about T11 to L1
    "l3_crop": (_l3_crop, frozenset()),  # shows L3, but nothing to count from
}
"""Name -> reader, and the levels that may be named in it."""


def variant_plans(count: int, seed: int, folder: Path = real.DATA) -> list[Plan]:
    """Plan variants of the labelled CT."""
    changes = variants.named(variants.draw(count, seed))
    return [VariantPlan(case, change, folder) for case, change in changes.items()]


def slice_plans(folder: Path = real.DATA) -> list[Plan]:
    """Plan single sagittal slices and thick stacks."""
    offsets = (-12.0, -8.0, -4.0, 0.0, 4.0, 8.0, 12.0)
    single = [Reformat(1, 4.0, offset) for offset in offsets]
    stored = [Reformat(1, 4.0, 0.0, codes=codes) for codes in ("PIR", "ASL")]
    cut = [Reformat(1, 4.0, 0.0, bottom=bottom) for bottom in ("sacrum through", "L5 beside")]
    cut += [Reformat(1, 4.0, 0.0, top=top) for top in ("L1 beside", "L2 through")]
    stacks = [Reformat(count, step) for count, step in ((3, 5.0), (5, 5.0), (9, 4.0), (11, 5.0))]
    everything = [*single, *stored, *cut, *stacks]
    return [SlicePlan(f"s{n:02d}", reformat, folder) for n, reformat in enumerate(everything)]


def negative_plans(folder: Path = real.DATA) -> list[Plan]:
    """Plan the scans whose right answer is a refusal."""
    return [NegativePlan(case, folder) for case in NEGATIVES]


def phantom_plans(cohort: Path) -> list[Plan]:
    """Plan the whole fields of a finished cohort's cases.

    Raises:
        ValueError: The folder holds no finished cohort.
    """
    return [PhantomPlan(case, cohort) for case in _cases(cohort)]


def truncated_plans(cohort: Path) -> list[Plan]:
    """Plan one field that ends early for each case of a finished cohort.

    Raises:
        ValueError: The folder holds no finished cohort.
    """
    return [
        PhantomPlan(case, cohort, *PHANTOM_CUTS[number % len(PHANTOM_CUTS)], part="truncated")
        for number, case in enumerate(_cases(cohort))
    ]


def swallowed_plans(cohort: Path) -> list[Plan]:
    """Plan the whole fields of a cohort's cases with outlines in which the sacrum holds L5.

    Raises:
        ValueError: The folder holds no finished cohort.
    """
    return [
        PhantomPlan(case, cohort, part="swallowed", swallowed=("L5", "L5 and disc")[number % 2])
        for number, case in enumerate(_cases(cohort))
    ]


def _cases(cohort: Path) -> list[str]:
    """Name a cohort's cases."""
    try:
        return sorted(json.loads((cohort / TRUTH_FILE).read_text("utf-8"))["cases"])
    except (OSError, ValueError, LookupError) as error:
        raise ValueError(f"{cohort} holds no finished phantom cohort") from error
