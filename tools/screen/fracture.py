"""Whether a CT shows an osteoporotic vertebral fracture, by the network, and where it sees one.

    judgement = fracture.judge(scan, found, settings.fractures())
    judgement.block["decision"]                  # "positive"
    judgement.block["evidence"]["level"]         # "L1"

The slices stand on the spinal canal (the bundle's `centre_canal`): in a hospital patients lie
beside the middle of their scans. Whatever made a density impossible, contrast medium or voltage,
hinders no outline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tools import bundles, fractures
from tools.levels import HEAD_TO_FOOT
from tools.screen.chain import Findings
from tools.screen.scan import Scan
from tools.segmentation import as_input

REASONS = ("field_too_small", "spine_beside_slices")
"""Why the bundle may refuse a scan."""

CUT_MM = 10.0
"""A body is looked at if a slice passes this close to its centre, mm: a quarter of its width."""

AROUND_MM = 30.0
"""What is occluded reaches this far beyond the bodies' centres along and across the spine, mm."""

BESIDE_MM = 15.0
"""The evidence lies on a body if it is this close to it, mm: endplate and half a disc."""


@dataclass(frozen=True)
class Judgement:
    """What the network says.

    Attributes:
        block: `ovf` of report.json; None where there is no network.
        weights: Bundle -> SHA-256 of its weights.
        evidence: Occlusion map of the slice that shows the fracture best; None without a fracture.
        picture: That slice as the network sees it, 0 to 1 [rows, columns].
    """

    block: dict[str, Any] | None = None
    weights: Mapping[str, str] = field(default_factory=dict)
    evidence: Any = None
    picture: np.ndarray | None = None


NOTHING = Judgement()
"""Where no network judges."""


def judge(scan: Scan, found: Findings, bundle: bundles.Bundle | None) -> Judgement:
    """Let the network judge a CT.

    Args:
        scan: The CT.
        found: What was found in it; names say on which level the evidence lies.
        bundle: From `fractures.load`; None for no network.

    Returns:
        The judgement, with evidence where a fracture is suspected.

    Raises:
        ValueError: If the bundle cannot use the CT; one line.
    """
    if bundle is None:
        return NOTHING
    weights = {bundle.name: bundle.weights_sha256}
    result = bundle.run(as_input(scan.image, scan.case.name, scan.case.kind))
    said, places = result["ovf"], np.asarray(result["places"])
    block = {
        "status": said["status"],
        "reasons": said["reasons"],
        "probability": said["probability"],
        "decision": said["decision"],
        "slices": said["slices"],
        "levels_covered": covered(found.chain, places, said["slices"]),
        "slice_probabilities": said["slice_probabilities"],
        "evidence": None,
    }
    if said["decision"] != "positive":
        return Judgement(block, weights)
    module = bundles.module(fractures.NAME, "ovf_bundle.evidence")
    (shown,) = module.occlude(
        bundle.network,
        result["image"].to(bundle.device),
        places,
        box_ras_mm=_box(found.chain),
    )
    block["evidence"] = {
        "slice": int(shown.slice),
        "ras_mm": [float(part) for part in shown.peak_ras_mm],
        "level": level_at(shown.peak_ras_mm, found.bodies_mm),
    }
    picture = result["image"][0, shown.slice].cpu().numpy()
    return Judgement(block, weights, shown, picture)


def covered(chain: Sequence[Mapping[str, Any]], places: np.ndarray, slices: int) -> list[str]:
    """Name the levels that the slices show whole, head to foot.

    Args:
        chain: Every body found, with `name`, `complete`, and `centroid_ras_mm`.
        places: Matrix of each part, (slice, row, column) -> RAS+ mm, [parts, 4, 4].
        slices: Slices of all parts together.
    """
    per_part = slices // len(places)
    shown = set()
    for body in chain:
        if not body["name"] or not body["complete"]:
            continue
        centre = np.append(np.asarray(body["centroid_ras_mm"], dtype=float), 1.0)
        for place in places:
            at = float((np.linalg.inv(place) @ centre)[0])
            margin = CUT_MM / float(np.linalg.norm(place[:3, 0]))
            if -margin <= at <= per_part - 1 + margin:
                shown.add(body["name"])
    return [name for name in HEAD_TO_FOOT if name in shown]


def level_at(point_mm: np.ndarray, bodies_mm: Mapping[str, np.ndarray]) -> str | None:
    """Name the body at a point; None if none with a name is near.

    Args:
        point_mm: RAS+ mm [3].
        bodies_mm: Name, or "#<number>" of a body without one, -> its voxels, RAS+ mm [N, 3].
    """
    apart = {
        name: float(np.linalg.norm(points - point_mm, axis=1).min())
        for name, points in bodies_mm.items()
        if len(points)
    }
    nearest = min(apart, key=apart.__getitem__, default=None)
    if nearest is None or apart[nearest] > BESIDE_MM or nearest.startswith("#"):
        return None
    return nearest


def _box(chain: Sequence[Mapping[str, Any]]) -> np.ndarray | None:
    """Opposite corners of a box about the bodies, RAS+ mm [2, 3]; None without any."""
    if not chain:
        return None
    centres = np.array([body["centroid_ras_mm"] for body in chain], dtype=float)
    return np.array([centres.min(axis=0) - AROUND_MM, centres.max(axis=0) + AROUND_MM])
