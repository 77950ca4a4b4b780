"""Measured points over the mid-sagittal plane of a label map, or of the CT it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tools.files import write_atomically
from tools.morphometry import Morphometry, measure
from tools.morphometry.model import Endplate
from tools.volumes import reorient

WINDOW_HU = (-200.0, 500.0)
"""Grey window of a CT under the points."""


def endplates(found: Morphometry) -> list[Endplate]:
    """Lists every measured endplate, the sacrum's last."""
    plates = [plate for body in found.levels.values() for plate in (body.upper, body.lower)]
    plates.append(found.sacrum.endplate if found.sacrum else None)
    return [plate for plate in plates if plate is not None]


def draw_points(
    path: Path, labels: np.ndarray, affine: np.ndarray, image: np.ndarray | None = None
) -> None:
    """Draw front, middle and back of every endplate, and the line between its edges.

    The plane is the sagittal one through the mean of the measured points, so a spine that bends
    sideways leaves it at its ends.

    Args:
        path: PNG to write.
        labels: [X, Y, Z] label map.
        affine: 4x4 voxel to RAS mm.
        image: CT on the same grid in HU; the labels are drawn where it is None.
    """
    plates = endplates(measure(labels, affine))
    shown, turned = reorient(labels if image is None else image, affine, "RAS")
    inverse = np.linalg.inv(turned)
    points = np.array([(plate.front, plate.middle, plate.back) for plate in plates])
    points = points.reshape(-1, 3, 3) @ inverse[:3, :3].T + inverse[:3, 3]
    plane = shown.shape[0] // 2
    if len(points):
        plane = int(np.clip(round(points[..., 0].mean()), 0, shown.shape[0] - 1))
    spacing = np.linalg.norm(turned[:3, :3], axis=0)
    figure = Figure(figsize=(6, 9), layout="constrained")
    axes = figure.subplots()
    style: dict[str, Any] = {"cmap": "tab20"}
    if image is not None:
        style = {"cmap": "gray", "vmin": WINDOW_HU[0], "vmax": WINDOW_HU[1]}
    axes.imshow(
        shown[plane].T,
        origin="lower",
        interpolation="nearest",
        aspect=float(spacing[2] / spacing[1]),
        **style,
    )
    for front, middle, back in points[..., 1:]:
        axes.plot(*np.transpose([front, back]), "-", color="yellow", linewidth=1)
        axes.plot(*np.transpose([front, middle, back]), ".", color="red", markersize=5)
    axes.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)

    def save(temporary: Path) -> None:
        figure.savefig(temporary, format="png", dpi=80)

    write_atomically(path, save)
