"""Views that follow the patient's own shape: along the spine's curve, and in a patch's plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.pictures import View


@dataclass(frozen=True)
class CurvedView(View):
    """A sagittal view whose rows follow the spine to the patient's right or left.

    A flat sagittal cut leaves a scoliotic spine after a few levels; this one stays in the bodies'
    middle. Heights and depths are true, the shift sideways is not shown.

    Attributes:
        path_mm: Points of the spine's middle, head or foot first, RAS+ mm [N, 3], N >= 1; beyond
            its ends the view goes straight on.
    """

    path_mm: np.ndarray

    def to_world(self, pixels: np.ndarray) -> np.ndarray:
        """Map picture coordinates [..., 2] = (column, row) to RAS+ millimetres [..., 3]."""
        points = super().to_world(pixels)
        path = self.path_mm[np.argsort(self.path_mm[:, 2])]
        points[..., 0] = np.interp(points[..., 2], path[:, 2], path[:, 0])
        return points


@dataclass(frozen=True)
class ObliqueView(View):
    """An axial view tilted into a given plane.

    Attributes:
        normal: Unit vector of the plane, RAS+, pointing to the head or to the feet, [3].
    """

    normal: np.ndarray

    def axes(self) -> np.ndarray:
        """Unit vectors, RAS+, that lead right and down in the picture, [2, 3]."""
        up = self.normal * np.sign(self.normal[2])
        left_of_patient = np.array([-1.0, 0.0, 0.0])
        right = left_of_patient - (left_of_patient @ up) * up
        right /= np.linalg.norm(right)
        return np.array([right, np.cross(up, right)])


def oblique_about(
    centre_mm: np.ndarray, normal: np.ndarray, size_mm: tuple[float, float], pixel_mm: float
) -> ObliqueView:
    """Lay a tilted axial view about a point.

    Args:
        centre_mm: What the middle of the picture shows, RAS+ mm [3].
        normal: Of the plane, RAS+ [3], of any length; it may not lie in the axial plane.
        size_mm: Height and width of the picture, mm.
        pixel_mm: Pixel edge, mm.

    Returns:
        The view.

    Raises:
        ValueError: If the plane stands upright, so that it is no axial view.
    """
    length = float(np.linalg.norm(normal))
    if not length or abs(normal[2]) < 0.5 * length:
        raise ValueError(f"normal {normal}: an axial view may be tilted by at most 60°")
    shape = (round(size_mm[0] / pixel_mm), round(size_mm[1] / pixel_mm))
    view = ObliqueView("axial", np.zeros(3), pixel_mm, shape, np.asarray(normal) / length)
    middle = view.to_world(np.array([shape[1] - 1, shape[0] - 1]) / 2)
    return ObliqueView("axial", centre_mm - middle, pixel_mm, shape, view.normal)
