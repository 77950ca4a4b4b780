"""What a report says to a clinician: every reason and warning in plain words, and the verdicts.

The wording follows the project's clinical rules: an estimate is no diagnosis, bone is never called
normal, and that no fracture was detected is said only of the levels that were looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Finding:
    """A reason or warning in plain words.

    Attributes:
        title: A few words, as a heading or beside a level's name.
        meaning: What was seen and what it does to the numbers; whole sentences.
        action: What to do about it; whole sentences.
    """

    title: str
    meaning: str
    action: str


FINDINGS = MappingProxyType(
    {
        "level_not_found": Finding(
            "not found",
            "No vertebral body was found where this level would be: the scan does not reach it, or "
            "it could not be told apart.",
            "If the level is needed, use a scan that covers L1 to L4.",
        ),
        "touches_border": Finding(
            "cut by the scan's edge",
            "The body reaches the edge of the scan or a blank region, so part of it may be "
            "missing.",
            "If the level is needed, use a scan that covers it whole.",
        ),
        "chain_broken": Finding(
            "count of levels broken",
            "A vertebra is missing between this level and the one that the count starts from "
            "(metal, collapse or a gap in the scan), so its name is not certain.",
            "Check the level names on the sagittal picture.",
        ),
        "no_anchor": Finding(
            "name not certain",
            "Neither the sacrum nor the last rib could be recognised with certainty, so levels "
            "could not be counted. They are not guessed.",
            "Use a scan that shows the sacrum or the last rib.",
        ),
        "metal_or_cement": Finding(
            "metal or cement",
            "Metal near this level, or cement inside it, falsifies the HU of its bone.",
            "Do not read a density from this level; the others are judged by themselves.",
        ),
        "fracture_suspected": Finding(
            "fracture suspected",
            "The body is lower than expected from its level and its neighbours by 20 % or more. "
            "A compressed body reads too dense, so it is left out of the mean.",
            "Look at this level; fragility is possible whatever the density.",
        ),
        "contrast": Finding(
            "contrast medium",
            "The aorta or the scan's own data show contrast medium. It raises the HU of bone, so "
            "that densities would read too high: HU are those of enhanced bone, and no category "
            "is given unless --allow_contrast asked for it.",
            "Use an unenhanced series of the same examination where there is one.",
        ),
        "kvp_out_of_range": Finding(
            "unsuitable beam",
            "The tube voltage lies outside 80 to 140 kV or is not that of the calibration given, "
            "or the images are tin-filtered, mono-energetic, an iodine map or cone-beam: HU cannot "
            "be turned into density.",
            "Use a conventional reconstruction at 80 to 140 kV, and a calibration of its voltage.",
        ),
        "kvp_not_120": Finding(
            "not 120 kV",
            "The scan was not made at 120 kV. HU were converted with the calibration of its own "
            "tube voltage, which has been tested less.",
            "Read the density with more reserve than one from a scan at 120 kV.",
        ),
        "kvp_unknown": Finding(
            "tube voltage unknown",
            "The file does not say its tube voltage. 120 kV was assumed, and the intervals are "
            "wider for it.",
            "Give the voltage with --kvp if it is known.",
        ),
        "noisy": Finding(
            "noisy",
            "Noise leaves the mean HU that density is read from uncertain by more than 5 HU "
            "(standard error).",
            "Read the interval, not the value; a smoother reconstruction helps.",
        ),
        "thick": Finding(
            "thick slices",
            "Slices are thicker than 5 mm, so the patch may hold parts of endplate or disc.",
            "Use a thinner reconstruction of the same examination.",
        ),
        "scale": Finding(
            "HU scale doubtful",
            "Air outside the patient does not read −1000 ± 30 HU, or nothing in the scan is as "
            "dark as fat, so its numbers may be no HU and those of bone may be off as well.",
            "Check the rescale values of the series and the scanner's calibration.",
        ),
        "heterogeneous": Finding(
            "uneven bone",
            "The patch differs by more than 15 mg/cm³ from the body's whole trabecular bone or "
            "from its middle slab, which is read without dense spots: there is a dense or empty "
            "spot, such as a bone island, sclerosis or a haemangioma.",
            "Look at the level's picture before relying on its density.",
        ),
        "patch_outside_body": Finding(
            "no room for a patch",
            "No patch with enough distance to the cortex fits into the body as it was outlined.",
            "Check the outline on the pictures.",
        ),
        "no_axial_data": Finding(
            "middle of the body not shown",
            "The scan does not show the inside of the body: it cuts the body off, its voxels are "
            "more than 6 mm apart (as in a stack of sagittal pictures), or it holds no numbers "
            "there.",
            "Use a series that covers the whole level, the axial one if this is a reformat.",
        ),
        "field_too_small": Finding(
            "too little of the spine in view",
            "The scan shows less than 60 mm from head to foot or from front to back: no body "
            "between its neighbours.",
            "Use a series that shows more of the spine.",
        ),
        "spine_beside_slices": Finding(
            "spine beside the slices",
            "The sagittal slices that the fracture network looks at pass beside the spine.",
            "Use a series with the spine in view.",
        ),
    }
)
"""Reason or warning code -> plain words."""

SCAN_WIDE = frozenset(
    {"contrast", "kvp_out_of_range", "kvp_not_120", "kvp_unknown", "scale", "thick"}
)
"""Codes that are about the scan, never about single levels."""

RANGES = MappingProxyType(
    {"osteoporosis": "osteoporosis", "osteopenia": "osteopenia", "normal": "normal"}
)
"""Category -> what the ACR calls its range."""

RESEARCH_USE = "Opportunistic estimate for research use. Not a diagnosis."

BORDERLINE = (
    "Borderline: the 95 % interval crosses a limit, or the category differs between the minerals "
    "or between the network and HU-linear density."
)

NO_CATEGORY_OF_ONE = "One measured level gives a density but no category; that takes at least two."

FRAGILITY = "fragility is possible whatever the density"

GRADES = MappingProxyType({0: None, 1: "mild", 2: "moderate", 3: "severe"})
"""Semi-quantitative grade -> its usual word (Genant 1993)."""

STAGES = MappingProxyType({"bmd": "density", "ovf": "fracture network"})
"""Stage of a run -> what the page calls it, where its own name would not do."""


def finding(code: str) -> Finding:
    """Return the plain words of a reason or warning.

    Raises:
        ValueError: If the code is none of the schema's.
    """
    if code not in FINDINGS:
        raise ValueError(f"unknown reason or warning {code!r}; the codes are in report.schema.json")
    return FINDINGS[code]


def verdict(category: str) -> str:
    """Say what a category means, in the wording that the clinical rules fix.

    >>> verdict("osteoporosis").split("; ")[1]
    'in the range called osteoporosis by ACR'
    """
    return (
        f"opportunistic estimate, research use; in the range called {RANGES[category]} by ACR; "
        "not a diagnosis, confirm with DXA or QCT"
    )


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does.

    >>> listed(["L1"]), listed(["L1", "L2", "L4"])
    ('L1', 'L1, L2 and L4')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def largest_loss(level: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return where a level lost most of its height, and the share; None if it was not measured.

    >>> largest_loss({"height_loss": {"anterior": 0.31, "middle": 0.2, "posterior": None}})
    ('anterior', 0.31)
    """
    known = {
        place: loss for place, loss in (level["height_loss"] or {}).items() if loss is not None
    }
    if not known:
        return None
    place = max(known, key=lambda name: known[name])
    return place, known[place]


def left_out(level: Mapping[str, Any]) -> str | None:
    """Return the code that keeps a level out of the mean; None if it may count.

    >>> left_out({"reasons": [], "warnings": ["noisy", "fracture_suspected"]})
    'fracture_suspected'
    """
    if level["reasons"]:
        code: str = level["reasons"][0]
        return code
    return "fracture_suspected" if "fracture_suspected" in level["warnings"] else None


def fracture(name: str, level: Mapping[str, Any]) -> str:
    """Describe a suspected fracture.

    >>> lost = {"height_loss": {"anterior": 0.31, "middle": 0.2, "posterior": 0.0}}
    >>> fracture("L1", lost | {"fracture_grade": 2})
    'L1: 31 % of the anterior height lost, grade 2 (moderate)'
    """
    parts = []
    lost = largest_loss(level)
    if lost is not None:
        parts.append(f"{100 * lost[1]:.0f} % of the {lost[0]} height lost")
    grade = level.get("fracture_grade")
    if grade:
        parts.append(f"grade {grade} ({GRADES[grade]})")
    return f"{name}: {', '.join(parts)}" if parts else name


def fracture_network(ovf: Mapping[str, Any]) -> str:
    """Say what the fracture network found, never more than the levels it looked at.

    >>> found = {"status": "measured", "probability": 0.04, "reasons": []}
    >>> fracture_network(found | {"decision": "negative", "levels_covered": ["T10", "L5"]})
    'no fracture detected in T10–L5 (probability 0.04)'
    """
    if ovf["status"] == "refused":
        return "not judged: " + listed([finding(code).title for code in ovf["reasons"]])
    covered = ovf["levels_covered"]
    where = f" in {covered[0]}–{covered[-1]}" if covered else " in what was looked at"
    found = "fracture suspected" if ovf["decision"] == "positive" else "no fracture detected"
    evidence = ovf.get("evidence")
    seen = f", most of it on {evidence['level']}" if evidence and evidence["level"] else ""
    return f"{found}{where} (probability {ovf['probability']:.2f}{seen})"
