"""Pictures of CT volumes, true to millimetres, in the directions that radiologists expect.

A `View` is a plane through the patient. It samples any volume, of any orientation and obliquity,
so that a CT and its label map always match. Axial and coronal views show the patient's right on
the left of the picture, sagittal views show the front on the left; the head is up.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import map_coordinates

from tools.levels import LABEL_IDS
from tools.volumes import Grid

PlaneName = Literal["sagittal", "coronal", "axial"]
Colour = tuple[int, int, int]

BONE_WINDOW = (350.0, 1000.0)
"""Window level and width for bone, HU (S2 section 3.2)."""

SOFT_WINDOW = (50.0, 400.0)
"""Window level and width for soft tissue, HU: the usual abdominal window."""

AIR_HU = -1000.0
"""What a view shows outside the scanned volume, HU."""

SCALE_BAR_MM = 50.0

ROUNDING = 1e-6
"""Part of a pixel that floating-point error may cost an extent."""

LABEL_COLOURS: Mapping[int, Colour] = {
    # Okabe and Ito's palette, told apart with any colour vision; other levels are grey.
    **dict.fromkeys(LABEL_IDS.values(), (187, 187, 187)),
    LABEL_IDS["T12"]: (0, 114, 178),
    LABEL_IDS["L1"]: (230, 159, 0),
    LABEL_IDS["L2"]: (86, 180, 233),
    LABEL_IDS["L3"]: (0, 158, 115),
    LABEL_IDS["L4"]: (240, 228, 66),
    LABEL_IDS["L5"]: (213, 94, 0),
    LABEL_IDS["sacrum"]: (204, 121, 167),
}

#: Plane -> (axis it is perpendicular to, picture's left to right, top to bottom), RAS+ axes.
_DIRECTIONS: Mapping[str, tuple[int, tuple[int, int, int], tuple[int, int, int]]] = {
    "sagittal": (0, (0, -1, 0), (0, 0, -1)),
    "coronal": (1, (-1, 0, 0), (0, 0, -1)),
    "axial": (2, (-1, 0, 0), (0, -1, 0)),
}

#: Plane -> letters at the left and right edge of the picture.
_EDGE_LETTERS = {"sagittal": ("A", "P"), "coronal": ("R", "L"), "axial": ("R", "L")}


@dataclass(frozen=True)
class View:
    """A rectangle of square pixels in the patient.

    Attributes:
        plane: "sagittal", "coronal" or "axial".
        top_left_mm: RAS+ millimetres of the centre of the first pixel, [3].
        pixel_mm: Pixel edge, mm.
        shape: Rows and columns of the picture.
    """

    plane: PlaneName
    top_left_mm: np.ndarray
    pixel_mm: float
    shape: tuple[int, int]

    def sample(self, volume: np.ndarray, affine: np.ndarray, order: int = 1) -> np.ndarray:
        """Cut the view out of a volume.

        Args:
            volume: Array [X, Y, Z].
            affine: Its 4x4 voxel to RAS+ millimetre matrix.
            order: 1 interpolates (CT), 0 takes the nearest voxel (labels).

        Returns:
            Array [H, W], float32; outside the volume `AIR_HU` for order 1, 0 for order 0.
        """
        rows, columns = np.indices(self.shape)
        points_mm = self.to_world(np.stack([columns, rows], axis=-1))
        index = Grid(volume.shape, affine).to_index(points_mm)
        outside = AIR_HU if order else 0.0
        return map_coordinates(
            volume, np.moveaxis(index, -1, 0), np.float32, order, "grid-constant", outside
        )

    def axes(self) -> np.ndarray:
        """Unit vectors, RAS+, that lead right and down in the picture, [2, 3]."""
        return np.array(_DIRECTIONS[self.plane][1:], dtype=float)

    def to_pixels(self, points_mm: np.ndarray) -> np.ndarray:
        """Project RAS+ millimetres [..., 3] to picture coordinates [..., 2] = (column, row)."""
        return (points_mm - self.top_left_mm) @ self.axes().T / self.pixel_mm

    def to_world(self, pixels: np.ndarray) -> np.ndarray:
        """Map picture coordinates [..., 2] = (column, row) to RAS+ millimetres [..., 3]."""
        return self.top_left_mm + self.pixel_mm * (pixels @ self.axes())


def view_through(
    shape: tuple[int, ...],
    affine: np.ndarray,
    plane: PlaneName,
    position_mm: float,
    pixel_mm: float,
) -> View:
    """Lay a view through a volume that shows all of it.

    Args:
        shape: Voxels of the volume along [X, Y, Z].
        affine: Its 4x4 voxel to RAS+ millimetre matrix.
        plane: "sagittal", "coronal" or "axial".
        position_mm: Where the plane cuts the axis it is perpendicular to, RAS+ mm.
        pixel_mm: Pixel edge, mm.

    Returns:
        The view.
    """
    normal, right, down = _DIRECTIONS[plane]
    last = np.array(shape) - 1
    corners = np.array(list(np.ndindex(2, 2, 2))) * last @ affine[:3, :3].T + affine[:3, 3]
    across, along = corners @ np.array(right), corners @ np.array(down)
    top_left = across.min() * np.array(right) + along.min() * np.array(down)
    top_left[normal] = position_mm
    rows, columns = (int(np.ptp(extent) / pixel_mm + ROUNDING) + 1 for extent in (along, across))
    return View(plane, top_left.astype(float), pixel_mm, (rows, columns))


def window(hu: np.ndarray, level_and_width: tuple[float, float]) -> np.ndarray:
    """Map HU to grey values 0-255, uint8.

    >>> window(np.array([-200.0, -150.0, 350.0, 850.0, 3000.0]), BONE_WINDOW)
    array([  0,   0, 128, 255, 255], dtype=uint8)
    """
    level, width = level_and_width
    grey = (hu - level) / width * 255 + 127.5
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def overlay(
    grey: np.ndarray, labels: np.ndarray, colours: Mapping[int, Colour], opacity: float = 0.3
) -> np.ndarray:
    """Lay coloured labels with their outlines over a grey picture.

    Args:
        grey: Picture [H, W], uint8.
        labels: Ids [H, W]; 0 is background, ids without a colour stay uncoloured.
        colours: Id -> RGB.
        opacity: Of the filling; outlines are opaque.

    Returns:
        Picture [H, W, 3], uint8.
    """
    picture = np.repeat(grey[..., None], 3, axis=2).astype(np.float32)
    edge = outlines(labels)
    for label, colour in colours.items():
        inside = labels == label
        picture[inside] = (1 - opacity) * picture[inside] + opacity * np.array(colour)
        picture[inside & edge] = colour
    return np.rint(picture).astype(np.uint8)


def outlines(labels: np.ndarray) -> np.ndarray:
    """Mark the pixels of each label that touch another label or the background, bool [H, W]."""
    padded = np.pad(labels, 1)
    centre = padded[1:-1, 1:-1]
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    differs = np.any([other != centre for other in neighbours], axis=0)
    return differs & (centre != 0)


def annotate(
    picture: np.ndarray,
    view: View,
    names: Iterable[tuple[str, np.ndarray]] = (),
    bar_mm: float = SCALE_BAR_MM,
    size: int | None = None,
) -> np.ndarray:
    """Write names, the patient's directions and a scale bar into a picture.

    Args:
        picture: Grey [H, W] or RGB [H, W, 3], uint8.
        view: Where the picture lies.
        names: Texts and the RAS+ millimetres [3] they are centred on.
        bar_mm: Length of the scale bar, mm.
        size: Height of the text, pixels; None for what suits the picture.

    Returns:
        Picture [H, W, 3], uint8.
    """
    canvas = Image.fromarray(picture).convert("RGB")
    draw = ImageDraw.Draw(canvas)
    rows, columns = view.shape
    size = size or text_size(view.shape)
    left, right = _EDGE_LETTERS[view.plane]
    for text, point_mm in names:
        column, row = map(float, view.to_pixels(point_mm))
        write(draw, (column, row), text, "mm", size)
    write(draw, (4, rows / 2), left, "lm", size)
    write(draw, (columns - 4, rows / 2), right, "rm", size)
    bar, low = bar_mm / view.pixel_mm, rows - 8
    draw.line([(columns - 8 - bar, low), (columns - 8, low)], fill="white", width=3)
    write(draw, (columns - 8 - bar / 2, low - 4), f"{bar_mm:.0f} mm", "mb", size)
    return np.asarray(canvas)


def text_size(shape: tuple[int, int]) -> int:
    """Height of the text that suits a picture of some rows and columns, pixels."""
    return max(11, min(shape) // 28)


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    anchor: str,
    size: int,
    colour: Colour = (255, 255, 255),
) -> None:
    """Write on a black rim: readable on bone and on air.

    Args:
        draw: What draws into the picture.
        at: Column and row of the anchor.
        text: One line.
        anchor: Pillow's anchor, such as "mm" for the middle.
        size: Height of the text, pixels.
        colour: RGB.
    """
    font = ImageFont.load_default(size=size)
    draw.text(at, text, colour, font, anchor, stroke_width=2, stroke_fill="black")


def png(picture: np.ndarray, smallest: bool = True) -> bytes:
    """Encode a picture [H, W] or [H, W, 3], uint8, as PNG.

    Args:
        picture: What to encode.
        smallest: Spend about ten times as long on a file some percent smaller.

    Returns:
        The file's content; the same picture gives the same bytes.
    """
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=smallest)
    return buffer.getvalue()
