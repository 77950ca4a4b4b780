"""What the truth says of fractures, mimics and implants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.phantom.pathology.heights import grade, losses

if TYPE_CHECKING:
    from tools.phantom.anatomy.patient import Patient


_UNKNOWN = dict.fromkeys(("side_mm", "impaction", "swelling", "threshold", "generator"))
"""What nobody knows of a fracture in a given label map."""


def findings_truth(patient: Patient, level: str) -> dict[str, Any]:
    """Findings of one level; nothing where the recipe asked for none.

    Args:
        patient: Whose.
        level: Name, "L1".

    Returns:
        `fracture` {kind, grade, loss, side_mm, impaction, swelling, threshold, generator} or None,
        `mimic` (kind or None), `sclerosis` and `implants` (names).
    """
    solid, found = patient.spine.vertebrae[level].solid, patient.pathology
    if solid is not None and solid.losses:
        lost = max(solid.losses.values())
        return {"fracture": {"kind": "given", "loss": lost, "grade": grade(lost)} | _UNKNOWN}
    if found is None:
        return {}
    truth: dict[str, Any] = {
        "fracture": None,
        "mimic": found.mimics.get(level),
        "sclerosis": level in found.sclerosis,
        "implants": found.implants(level),
    }
    asked = found.fractures.get(level)
    if asked is not None:
        body = patient.spine.vertebrae[level]
        side_mm = asked.side * body.width / 2
        lost = max(losses(body, side_mm).values())
        truth["fracture"] = {
            "kind": asked.kind,
            # The deepest place may lie beside the mid-sagittal plane of `height_loss`.
            "loss": lost,
            "grade": grade(lost),
            "side_mm": side_mm,
            "impaction": asked.impaction,
            "swelling": asked.swelling,
            "threshold": asked.threshold,
            "generator": asked.generator,
        }
    return truth


def fracture_truth(patient: Patient, levels: dict[str, Any]) -> dict[str, Any]:
    """The patient's own label, from the levels that the scan shows whole.

    Args:
        patient: Whose.
        levels: Truth of every level in the field.

    Returns:
        `fractured` and `label` (a fracture of grade 1 or more lies whole in the field), and for a
        recipe with pathology `threshold` (such a case near a limit), `fracture_at_border` (one is
        cut by the field) and `mimics` (kinds in the field).
    """
    seen = {name: level["fracture"] for name, level in levels.items() if level["fracture"]}
    # A given map's reader has the last word, whatever the heights say.
    real = {
        name for name, found in seen.items() if found["grade"] > 0 or found.get("kind") == "given"
    }
    fractured = any(levels[name]["complete"] for name in real)
    truth: dict[str, Any] = {"fractured": fractured, "label": int(fractured)}
    if patient.pathology is not None:
        truth["threshold"] = any(fracture["threshold"] for fracture in seen.values())
        truth["fracture_at_border"] = any(not levels[name]["complete"] for name in real)
        truth["mimics"] = sorted({level["mimic"] for level in levels.values() if level["mimic"]})
    return truth
