"""Ribs found on drawn spines of rods, and the rule that names the last of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lumbar_bundle.ribs import PROCESS_MM, RIB_MM, RibEvidence, last_ribbed, ribbed_bodies

NAMES = ("L3", "L2", "L1", "T12", "T11", "T10")
T12 = NAMES.index("T12")
PITCH_MM = 31.0
#: Tip of a transverse process, or of a rib as far as it is drawn, mm from the midline.
PROCESS_TIP_MM, KNOB_TIP_MM = 42.0, 24.0


@dataclass(frozen=True)
class Spine:
    """Rods of bone in muscle: what is drawn and how it lies.

    `ends` are the distances from the midline at which the ribs of T12, T11 and T10 stop, mm, on the
    left and on the right; None draws no rib.
    """

    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ends: tuple[tuple[float | None, float | None], ...] = ((90, 90), (90, 90), (90, 90))
    bone_hu: float = 300.0
    noise_hu: float = 0.0
    kidney_hu: float = 40.0
    fall: float = 0.6
    field: tuple[tuple[float, float], tuple[float, float]] = ((-90, 90), (-75, 185))

    def bodies(self) -> np.ndarray:
        """Centres, RAS+ mm [6, 3]."""
        heights = np.arange(len(NAMES)) * PITCH_MM - PITCH_MM
        places = np.stack([np.zeros(6), -8 * np.cos(heights / 60), heights], 1)
        return self._rotation().apply(places)

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        """HU [X, Y, Z] at 3 mm and its affine."""
        (left, right), (low, high) = self.field
        affine = np.diag([3.0, 3.0, 3.0, 1.0])
        affine[:3, 3] = left, -110, low
        shape = (int((right - left) / 3) + 1, 60, int((high - low) / 3) + 1)
        world = np.moveaxis(np.indices(shape), 0, -1) * 3.0 + affine[:3, 3]
        own = self._rotation().inv().apply(world.reshape(-1, 3)).astype(np.float32)
        hu = np.where(own[:, 1] > -85, 55.0, -1000.0)
        for side in (-1, 1):
            # A kidney before the ribs: large and even, from T12 to L3.
            far = (own - [side * 62.0, 12.0, 0.0]) / [28, 24, 55]
            hu[(far**2).sum(1) < 1] = self.kidney_hu
        for index in range(len(NAMES)):
            self._draw_vertebra(hu, own, index)
        noise = np.random.default_rng(3).normal(0, self.noise_hu, hu.shape) if self.noise_hu else 0
        return (hu + noise).reshape(shape).astype(np.float32), affine

    def _draw_vertebra(self, hu: np.ndarray, own: np.ndarray, index: int) -> None:
        height = (index - 1) * PITCH_MM
        front = -8 * np.cos(height / 60)
        middle = (own - [0, front, height]) / [22, 16, 13]
        hu[(np.abs(middle[:, :2] ** 2).sum(1) < 1) & (np.abs(middle[:, 2]) < 1)] = 200.0
        lumbar = index < T12
        tip = PROCESS_TIP_MM if lumbar else KNOB_TIP_MM
        for number, side in enumerate((-1, 1)):
            root = np.array([side * 16.0, front - 16, height + 6])
            knob = [root, np.array([side * tip, front - 32, height + 8])]
            self._draw_rod(hu, own, knob, 4.0)
            end = None if lumbar else self.ends[index - T12][number]
            if end is not None:
                neck = np.array([side * 36.0, front - 32, height + 5])
                fall = self.fall * (end - 36)
                shaft = np.array([side * end, front - 40, neck[2] - fall])
                self._draw_rod(hu, own, [root, neck, shaft], 4.5)

    def _draw_rod(self, hu: np.ndarray, own: np.ndarray, course: list, radius: float) -> None:
        for start, end in pairwise(course):
            low, high = np.minimum(start, end) - radius, np.maximum(start, end) + radius
            near = np.flatnonzero(((own > low) & (own < high)).all(1))
            along = end - start
            share = np.clip((own[near] - start) @ along / (along @ along), 0, 1)
            distance = np.linalg.norm(own[near] - start - share[:, None] * along, axis=1)
            hu[near[distance < radius]] = self.bone_hu

    def _rotation(self) -> Rotation:
        return Rotation.from_euler("xyz", self.turn_deg, degrees=True)


def follow(spine: Spine, use: slice = slice(None)) -> tuple[list[RibEvidence], int | None]:
    image, affine = spine.draw()
    centres = spine.bodies()[use]
    evidence = ribbed_bodies(image, affine, centres)
    return evidence, last_ribbed(evidence, [True] * len(centres))


@pytest.mark.parametrize(
    "spine",
    [
        pytest.param(Spine(), id="plain"),
        pytest.param(Spine(bone_hu=170.0), id="faint bone"),
        pytest.param(Spine(noise_hu=25.0), id="noise"),
        pytest.param(Spine(kidney_hu=220.0), id="enhanced kidneys"),
        pytest.param(Spine(fall=1.4), id="steep ribs"),
        pytest.param(Spine(turn_deg=(0, 15, 0)), id="leaning to one side"),
        pytest.param(Spine(turn_deg=(0, -15, 0)), id="leaning to the other"),
        pytest.param(Spine(turn_deg=(15, 0, 0)), id="leaning back"),
        pytest.param(Spine(turn_deg=(-15, 0, 0)), id="leaning forwards"),
        pytest.param(Spine(turn_deg=(8, -9, 10)), id="turned about all axes"),
        pytest.param(Spine(ends=((90, 60), (90, 90), (90, 90))), id="one short twelfth rib"),
    ],
)
def test_ribs_end_at_t12(spine: Spine) -> None:
    evidence, last = follow(spine)
    assert last == T12
    for item in evidence[:T12]:
        assert max(item.left_mm or 0, item.right_mm or 0) < RIB_MM


def test_lengths_are_those_drawn() -> None:
    evidence, _ = follow(Spine(ends=((60, 72), (90, 90), (90, 90))))
    # From the side wall at 22 mm; the rib, 9 mm thick, falls by 0.6 from 36 mm on.
    for length, end in ((evidence[T12].left_mm, 64), (evidence[T12].right_mm, 76)):
        assert length == pytest.approx(np.hypot(end - 22, 0.6 * (end - 36)), abs=6)
    for item in evidence[:T12]:
        assert item.left_mm == pytest.approx(PROCESS_TIP_MM + 4 - 22, abs=6)


def test_mirrored_image_swaps_sides() -> None:
    spine = Spine(ends=((50, 90), (90, 90), (None, 90)), turn_deg=(5, 8, 0))
    image, affine = spine.draw()
    middle = 2 * affine[0, 3] + 3 * (len(image) - 1)
    mirrored = spine.bodies() * [-1, 1, 1] + [middle, 0, 0]
    plain = ribbed_bodies(image, affine, spine.bodies())
    swapped = ribbed_bodies(image[::-1], affine, mirrored)
    for one, other in zip(plain, swapped, strict=True):
        assert one.left_mm == pytest.approx(other.right_mm, abs=4)
        assert one.right_mm == pytest.approx(other.left_mm, abs=4)


@pytest.mark.parametrize(
    "spine",
    [
        pytest.param(Spine(ends=((58, 58), (90, 90), (90, 90))), id="short twelfth ribs"),
        pytest.param(Spine(ends=((None, None), (90, 90), (90, 90))), id="no twelfth ribs"),
        pytest.param(Spine(field=((-90, 90), (-75, 32))), id="cut above L1"),
        pytest.param(Spine(field=((-90, 90), (45, 185))), id="cut below T12"),
        pytest.param(Spine(field=((-36, 36), (-75, 185))), id="slab about the spine"),
        pytest.param(Spine(noise_hu=90.0), id="too noisy"),
    ],
)
def test_uncertain_rather_than_wrong(spine: Spine) -> None:
    centres = spine.bodies()
    low, high = spine.field[1]
    inside = (centres[:, 2] > low + 5) & (centres[:, 2] < high - 5)
    image, affine = spine.draw()
    evidence = ribbed_bodies(image, affine, centres[inside])
    whole = (centres[inside, 2] > low + 15) & (centres[inside, 2] < high - 15)
    assert last_ribbed(evidence, list(whole)) is None


def test_narrow_field_tells_nothing() -> None:
    evidence, _ = follow(Spine(field=((-24, 24), (-75, 185))))
    assert evidence == [RibEvidence(None, None)] * len(NAMES)


def test_one_side_alone_is_told() -> None:
    evidence, last = follow(Spine(field=((-30, 90), (-75, 185))))
    assert [item.left_mm for item in evidence] == [None] * len(NAMES)
    assert all((item.right_mm or 0) >= RIB_MM for item in evidence[T12:])
    assert all((item.right_mm or 0) <= PROCESS_MM for item in evidence[:T12])
    # Of a body without ribs both sides must be seen.
    assert last is None


def test_body_missing_above_gives_its_ribs_to_none_below() -> None:
    evidence, last = follow(Spine(), slice(0, T12))
    assert last is None
    assert all((item.left_mm or 0) < RIB_MM for item in evidence)


def test_hip_bone_is_no_rib() -> None:
    spine = Spine()
    image, affine = spine.draw()
    x, y, z = (np.indices(image.shape)[axis] * 3.0 + affine[axis, 3] for axis in range(3))
    crest = (np.abs(x) > 46) & (np.abs(y + 30) < 5) & (z < -20)
    evidence = ribbed_bodies(np.where(crest, 400.0, image), affine, spine.bodies())
    assert last_ribbed(evidence, [True] * len(NAMES)) == T12
    lowest = evidence[0]
    assert max(lowest.left_mm or 0, lowest.right_mm or 0) <= PROCESS_MM


def test_refuses_wrong_shapes() -> None:
    with pytest.raises(ValueError, match=r"\[X, Y, Z\]"):
        ribbed_bodies(np.zeros((3, 3)), np.eye(4), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="complete"):
        last_ribbed([RibEvidence(0.0, 0.0)], [])
    assert ribbed_bodies(np.zeros((3, 3, 3)), np.eye(4), np.zeros((0, 3))) == []


RIB, PROCESS, UNSURE = (60.0, 60.0), (25.0, 25.0), (38.0, 38.0)


@pytest.mark.parametrize(
    ("lengths", "last"),
    [
        pytest.param([PROCESS, RIB, RIB], 1, id="plain"),
        pytest.param([PROCESS, PROCESS, RIB], 2, id="only the top has ribs"),
        pytest.param([PROCESS, (None, 60), RIB], 1, id="one side shown, ribs above"),
        pytest.param([PROCESS, (None, 60)], None, id="one side shown, nothing above"),
        pytest.param([PROCESS, (38, 60), RIB], 1, id="one side short"),
        pytest.param([PROCESS, (25, 60), RIB], None, id="sides disagree"),
        pytest.param([(None, 25), RIB, RIB], None, id="one process shown"),
        pytest.param([(20, 38), RIB, RIB], 1, id="one process unsure"),
        pytest.param([(0, 0), RIB, RIB], None, id="not even a process seen"),
        pytest.param([UNSURE, RIB, RIB], None, id="body below unsure"),
        pytest.param([(None, None), RIB, RIB], None, id="body below not shown"),
        pytest.param([PROCESS, RIB, PROCESS], None, id="none above"),
        pytest.param([RIB, PROCESS, RIB], None, id="ribs below none"),
        pytest.param([UNSURE, PROCESS, RIB], 2, id="unsure far below"),
        pytest.param([PROCESS, RIB, UNSURE, RIB], 1, id="unsure above"),
        pytest.param([RIB, RIB], None, id="all have ribs"),
        pytest.param([PROCESS, PROCESS], None, id="none has"),
        pytest.param([], None, id="no body"),
    ],
)
def test_rule_of_the_last_ribs(lengths: list, last: int | None) -> None:
    evidence = [RibEvidence(*pair) for pair in lengths]
    assert last_ribbed(evidence, [True] * len(evidence)) == last


def test_body_below_must_be_whole() -> None:
    evidence = [RibEvidence(*pair) for pair in (PROCESS, RIB, RIB)]
    assert last_ribbed(evidence, [False, True, True]) is None
    assert last_ribbed(evidence, [True, False, True]) == 1
