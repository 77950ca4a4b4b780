"""What morphometry reports: plain values per level, per disc and for the whole spine."""

from dataclasses import asdict, dataclass, field
from typing import Any

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Heights:
    """Heights in mm at the front edge, the midpoint and the back edge, mid-sagittal."""

    anterior: float
    middle: float
    posterior: float


@dataclass(frozen=True)
class Depths:
    """Front-to-back distances in mm at the upper endplate, at mid height and at the lower one."""

    upper: float
    middle: float
    lower: float


@dataclass(frozen=True)
class Widths:
    """Greatest left-to-right distances in mm at the upper endplate and at mid height (waist)."""

    upper: float
    middle: float


@dataclass(frozen=True)
class Tilt:
    """Direction of one endplate against the patient's axial plane, degrees.

    Attributes:
        sagittal: positive where the front edge is lower than the back edge.
        coronal: positive where the right edge is higher than the left edge.
    """

    sagittal: float
    coronal: float


@dataclass(frozen=True)
class Endplate:
    """One endplate.

    Attributes:
        tilt: its direction.
        front: front edge in the mid-sagittal plane, RAS mm.
        middle: its midpoint between front and back edge, RAS mm.
        back: back edge, RAS mm.
    """

    tilt: Tilt
    front: Point
    middle: Point
    back: Point


@dataclass(frozen=True)
class Body:
    """Measures of one vertebral body; everything but ``complete`` is None for a body that is cut.

    Attributes:
        complete: whether the body lies wholly inside the map and has the shape of a body.
        reason: why it is not measured.
        wedge_deg: angle between the endplates' rim lines, positive where the front is lower.
    """

    complete: bool
    reason: str | None = None
    volume_mm3: float | None = None
    centroid_ras_mm: Point | None = None
    height_mm: Heights | None = None
    depth_mm: Depths | None = None
    width_mm: Widths | None = None
    wedge_deg: float | None = None
    upper: Endplate | None = None
    lower: Endplate | None = None


@dataclass(frozen=True)
class Sacrum:
    """Upper endplate of S1; ``endplate`` is None where it is not found."""

    endplate: Endplate | None
    depth_mm: float | None


@dataclass(frozen=True)
class Disc:
    """Space between two neighbouring endplates.

    Attributes:
        height_mm: distances along the space's own axis.
        angle_deg: angle between the endplates' rim lines, positive where the front is higher.
        segment_deg: lordosis of the body above with this disc: upper endplate to upper endplate.
    """

    height_mm: Heights
    angle_deg: float
    segment_deg: float


@dataclass(frozen=True)
class Alignment:
    """Angles of the whole spine in degrees; None where an endplate is missing.

    Attributes:
        lordosis_t12_s1: upper endplate of T12 to S1, positive when lordotic.
        lordosis_l1_s1: upper endplate of L1 to S1.
        lordosis_l4_s1: upper endplate of L4 to S1.
        lordosis_l1_l5: upper endplate of L1 to lower endplate of L5.
        sacral_slope: S1's endplate against the patient's axial plane.
        coronal_cobb: greatest angle between an upper and a lower endplate in the coronal plane.
        coronal_cobb_levels: the two levels of that angle, head to foot.
    """

    lordosis_t12_s1: float | None = None
    lordosis_l1_s1: float | None = None
    lordosis_l4_s1: float | None = None
    lordosis_l1_l5: float | None = None
    sacral_slope: float | None = None
    coronal_cobb: float | None = None
    coronal_cobb_levels: tuple[str, str] | None = None


@dataclass(frozen=True)
class Morphometry:
    """All measures of one label map.

    Attributes:
        levels: level name -> body, head to foot; absent levels are left out.
        discs: such as ``L4/L5`` and ``L5/S1`` -> disc, between neighbours that are both measured.
        sacrum: None without a sacrum label.
        alignment: angles of the whole spine.
    """

    levels: dict[str, Body] = field(default_factory=dict)
    discs: dict[str, Disc] = field(default_factory=dict)
    sacrum: Sacrum | None = None
    alignment: Alignment = field(default_factory=Alignment)

    def to_dict(self) -> dict[str, Any]:
        """Returns nested plain values, ready for JSON."""
        return asdict(self)
