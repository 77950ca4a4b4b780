"""Measures every vertebral body of a label map, the discs between them and the alignment."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tools.levels import HEAD_TO_FOOT, LABEL_IDS
from tools.morphometry.body import BodyShape, measure_shape
from tools.morphometry.frame import FloatArray, Occupancy, cut_out
from tools.morphometry.model import (
    Alignment,
    Body,
    Depths,
    Disc,
    Endplate,
    Heights,
    Morphometry,
    Sacrum,
    Tilt,
    Widths,
)
from tools.morphometry.sacrum import measure_endplate

LARGEST_DISC_MM = 25.0
"""A wider gap between two neighbours means that a level is missing between them."""

LOWEST_LUMBAR = ("L6", "L5", "L4")
"""Bodies that may lie on the sacrum: L6 after lumbarisation, L4 below a sacralised L5."""


def measure(labels: NDArray[np.integer], affine: FloatArray) -> Morphometry:
    """Measures the vertebral bodies of a label map.

    Args:
        labels: ``[X, Y, Z]`` label map of bodies with the ids of :mod:`tools.levels`; any
            orientation, spacing and obliquity.
        affine: ``[4, 4]`` voxel to world (RAS, mm).

    Returns:
        The measures. A body that touches the border of the map is reported as incomplete, a level
        without voxels is absent.

    Raises:
        ValueError: when ``labels`` has not three axes or ``affine`` cannot be inverted.
    """
    labels, affine = np.asarray(labels), np.asarray(affine, float)
    if labels.ndim != 3:
        raise ValueError(f"a label map has three axes, this one has {labels.ndim}")
    if affine.shape != (4, 4) or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise ValueError("the affine of the label map cannot be inverted")
    pieces = _cut_levels(labels, affine)
    shapes = _measure_shapes(pieces)
    last, plate = _measure_sacrum(pieces, shapes)
    axes = _patient_axes(shapes)
    levels = {
        level: _body(piece, shapes.get(level), axes)
        for level, piece in pieces.items()
        if level != "sacrum"
    }
    sacrum = None
    if "sacrum" in pieces:
        sacrum = Sacrum(None, None)
        if plate is not None:
            depth = float(np.linalg.norm(plate[0][0] - plate[0][2]))
            sacrum = Sacrum(_endplate(*plate, axes), depth)
    return Morphometry(
        levels=levels,
        discs=_discs(shapes, levels, sacrum, last),
        sacrum=sacrum,
        alignment=_alignment(levels, sacrum),
    )


def _cut_levels(labels: NDArray[np.integer], affine: FloatArray) -> dict[str, Occupancy]:
    """Cuts every level out of the map, head to foot."""
    boxes = ndimage.find_objects(labels.astype(np.uint8, copy=False), max(LABEL_IDS.values()))
    return {
        level: cut_out(labels, affine, LABEL_IDS[level], boxes[LABEL_IDS[level] - 1])
        for level in HEAD_TO_FOOT
        if boxes[LABEL_IDS[level] - 1] is not None
    }


def _measure_shapes(pieces: dict[str, Occupancy]) -> dict[str, BodyShape]:
    """Measures every whole body; its cranial direction comes from its neighbours."""
    bodies = [level for level in pieces if level != "sacrum"]
    centres = {level: pieces[level].points.mean(axis=0) for level in bodies}
    shapes = {}
    for place, level in enumerate(bodies):
        above, below = bodies[max(place - 1, 0)], bodies[min(place + 1, len(bodies) - 1)]
        up = centres[above] - centres[below] if above != below else np.array([0.0, 0.0, 1.0])
        if up[2] <= 0:  # names out of order: fall back on the patient's axis
            up = np.array([0.0, 0.0, 1.0])
        if not pieces[level].touches_border:
            shape = measure_shape(pieces[level], up)
            if shape is not None:
                shapes[level] = shape
    return shapes


def _measure_sacrum(
    pieces: dict[str, Occupancy], shapes: dict[str, BodyShape]
) -> tuple[str | None, tuple[FloatArray, FloatArray] | None]:
    """Finds S1's endplate below the last lumbar body; returns that body's name and the endplate."""
    present = [level for level in LOWEST_LUMBAR if level in pieces]
    if "sacrum" not in pieces or not present or present[0] not in shapes:
        return None, None
    last, occupancy = present[0], pieces["sacrum"]
    plate = measure_endplate(occupancy, shapes[last])
    if plate is None or np.linalg.norm(plate[0][1] - shapes[last].lower[1]) > LARGEST_DISC_MM:
        return None, None
    return last, plate


def _patient_axes(shapes: dict[str, BodyShape]) -> FloatArray:
    """Right, anterior and superior of the spine: its mean left-to-right line, and the axial plane.

    Angles are measured in the spine's own sagittal and coronal planes, so that a turn of the
    patient about the long axis does not change them.
    """
    right = np.array([1.0, 0.0, 0.0])
    if shapes:
        right = np.mean([shape.frame.axes[0] for shape in shapes.values()], axis=0)
    right[2] = 0.0
    right = right / np.linalg.norm(right)
    up = np.array([0.0, 0.0, 1.0])
    return np.stack([right, np.cross(up, right), up])


def _point(world: FloatArray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in world)
    return x, y, z


def _endplate(points: FloatArray, lateral: FloatArray, axes: FloatArray) -> Endplate:
    """Describes an endplate by its three points and its left-to-right line."""
    _, ahead, rise = axes @ (points[0] - points[2])
    across, _, lift = axes @ lateral
    tilt = Tilt(
        sagittal=float(np.degrees(np.arctan2(-rise, ahead))),
        coronal=float(np.degrees(np.arctan2(lift, across))),
    )
    return Endplate(tilt, *(_point(point) for point in points))


def _body(piece: Occupancy, shape: BodyShape | None, axes: FloatArray) -> Body:
    """Reports one body."""
    if piece.touches_border:
        return Body(complete=False, reason="touches_border")
    if shape is None:
        return Body(complete=False, reason="no_body_shape")
    heights = np.linalg.norm(shape.upper - shape.lower, axis=1)
    chords = [plate[0] - plate[2] for plate in (shape.upper, shape.lower)]
    tilts = [np.arctan2(*(shape.frame.axes @ chord)[[2, 1]]) for chord in chords]
    return Body(
        complete=True,
        volume_mm3=piece.volume_mm3,
        centroid_ras_mm=_point(piece.points.mean(axis=0)),
        height_mm=Heights(*(float(height) for height in heights)),
        depth_mm=Depths(
            upper=float(np.linalg.norm(chords[0])),
            middle=shape.middle_depth,
            lower=float(np.linalg.norm(chords[1])),
        ),
        width_mm=Widths(upper=shape.upper_width, middle=shape.middle_width),
        wedge_deg=float(np.degrees(tilts[1] - tilts[0])),
        upper=_endplate(shape.upper, shape.upper_lateral, axes),
        lower=_endplate(shape.lower, shape.lower_lateral, axes),
    )


def _discs(
    shapes: dict[str, BodyShape],
    levels: dict[str, Body],
    sacrum: Sacrum | None,
    last: str | None,
) -> dict[str, Disc]:
    """Measures the spaces between neighbours."""
    discs = {}
    for level, shape in shapes.items():
        below: Endplate | None
        following = HEAD_TO_FOOT[HEAD_TO_FOOT.index(level) + 1]
        if level == last and sacrum is not None and sacrum.endplate is not None:
            name, below = f"{level}/S1", sacrum.endplate
        elif following in shapes:
            name, below = f"{level}/{following}", levels[following].upper
        else:
            continue
        upper, lower = levels[level].upper, levels[level].lower
        if upper is None or lower is None or below is None:
            continue
        heights = _gap(lower, below, shape.frame.axes[0])
        if heights.middle <= LARGEST_DISC_MM:
            discs[name] = Disc(
                heights,
                angle_deg=below.tilt.sagittal - lower.tilt.sagittal,
                segment_deg=below.tilt.sagittal - upper.tilt.sagittal,
            )
    return discs


def _gap(above: Endplate, below: Endplate, right: FloatArray) -> Heights:
    """Distances between two endplates along the axis halfway between their normals."""
    ahead = np.zeros(3)
    for plate in (above, below):
        chord = np.subtract(plate.front, plate.back)
        ahead += chord / np.linalg.norm(chord)
    axis = np.cross(right, ahead)
    axis /= np.linalg.norm(axis)
    pairs = ((above.front, below.front), (above.middle, below.middle), (above.back, below.back))
    return Heights(*(float(np.subtract(one, two) @ axis) for one, two in pairs))


def _alignment(levels: dict[str, Body], sacrum: Sacrum | None) -> Alignment:
    """Angles of the whole spine."""
    tops = {level: body.upper.tilt for level, body in levels.items() if body.upper is not None}
    ends = {level: body.lower.tilt for level, body in levels.items() if body.lower is not None}
    slope = sacrum.endplate.tilt.sagittal if sacrum and sacrum.endplate else None

    def between(level: str, foot: float | None) -> float | None:
        return foot - tops[level].sagittal if foot is not None and level in tops else None

    pairs = [
        (abs(tops[one].coronal - ends[two].coronal), (one, two))
        for place, one in enumerate(tops)
        for two in list(ends)[place + 1 :]
    ]
    cobb = max(pairs, default=(None, None))
    return Alignment(
        lordosis_t12_s1=between("T12", slope),
        lordosis_l1_s1=between("L1", slope),
        lordosis_l4_s1=between("L4", slope),
        lordosis_l1_l5=between("L1", ends["L5"].sagittal if "L5" in ends else None),
        sacral_slope=slope,
        coronal_cobb=cobb[0],
        coronal_cobb_levels=cobb[1],
    )
