"""On a real CT's bodies, the edges of the endplates come to lie as the squeeze was asked."""

import numpy as np
import pytest

from tools.levels import MEASURED_LEVELS, TOTALSEGMENTATOR_BODY_IDS
from tools.phantom import real
from tools.phantom.squeeze.command import KINDS
from tools.phantom.squeeze.field import Squeeze
from tools.phantom.squeeze.plates import find

pytestmark = pytest.mark.realdata

#: Loss in front, in the middle and behind, relative to the one asked for.
SHAPES = {"wedge": (1.0, 0.5, 0.0), "biconcave": (0.0, 1.0, 0.0), "crush": (1.0, 1.0, 1.0)}


@pytest.fixture(scope="module")
def lumbar(shared_data) -> real.Scan:
    folder = shared_data / "lumbar_ct_3mm"
    return real.lumbar(folder / "ct.nii.gz", folder / "vertebral_bodies.nii.gz")


def followed(change: Squeeze, points: np.ndarray) -> np.ndarray:
    """Where points come to lie, found by going back from there."""
    places = points.copy()
    for _ in range(60):
        places = places - 0.7 * (change.sources(places) - points)
    np.testing.assert_allclose(change.sources(places), points, atol=1e-6)
    return places


def edges(plate: np.ndarray) -> np.ndarray:
    """Front edge, middle between the edges, back edge, RAS+ mm [3, 3]."""
    return np.stack([plate[0], (plate[0] + plate[2]) / 2, plate[2]])


@pytest.mark.parametrize("level", MEASURED_LEVELS)
@pytest.mark.parametrize("kind", KINDS)
def test_endplates_come_to_lie_as_asked(lumbar, level, kind):
    bodies = find(lumbar.bodies, lumbar.affine, TOTALSEGMENTATOR_BODY_IDS, level)
    for loss in (0.0, 0.2, 0.3, 0.45):
        change = Squeeze(bodies, level, loss, kind)
        for name, body in bodies.items():
            plates = [edges(plate) for plate in (body.shape.upper, body.shape.lower)]
            before, after = (
                np.linalg.norm(upper - lower, axis=1)
                for upper, lower in (plates, [followed(change, plate) for plate in plates])
            )
            asked = loss * np.array(SHAPES[kind]) if name == level else 0.0
            np.testing.assert_allclose(1 - after / before, asked, atol=0.02, err_msg=name)
