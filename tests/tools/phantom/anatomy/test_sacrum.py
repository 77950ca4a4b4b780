"""Wings of the sacrum: sparse inside, one mass beside the foramina, drawn of their own stream."""

from dataclasses import replace

import numpy as np
import pytest

from tests.tools.phantom import scene
from tools.levels import LABEL_IDS
from tools.phantom.anatomy.sacrum import ALAE, draw_sacrum
from tools.phantom.draw import draw
from tools.phantom.physics.beam import REFERENCE_BEAM
from tools.volumes import Grid

STEP_MM = 1.5


def with_alae(density):
    """A patient whose alae hold this share of the sacral bodies' mineral."""
    shown = scene.patient(3)
    return replace(
        shown,
        sacrum=replace(shown.sacrum, alae=shown.sacrum.alae._replace(density=density, cortex=1.0)),
    )


def sacral_grid(shown):
    """A grid about S1 to S3, 60 mm to each side."""
    places = np.array([segment.frame.origin for segment in shown.sacrum.segments[:3]])
    low, high = places.min(0) - [60, 50, 25], places.max(0) + [60, 30, 25]
    affine = np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0])
    affine[:3, 3] = low
    return Grid(tuple(int(n) for n in np.ceil((high - low) / STEP_MM)), affine)


@pytest.fixture(scope="module", params=[0.0, 0.5], ids=["void", "half"])
def shown(request):
    return with_alae(request.param)


@pytest.fixture(scope="module")
def sacrum(shown):
    """HU and trabecular label of a drawing, and each voxel's place in S1's frame, mm."""
    grid = sacral_grid(shown)
    drawing = draw(shown, grid, REFERENCE_BEAM)
    index = np.indices(grid.shape).reshape(3, -1).T
    world = index @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    first = shown.sacrum.segments[0]
    place = (world - first.frame.origin) @ first.frame.axes
    core = drawing.labels.trabecular.numpy().reshape(-1) == LABEL_IDS["sacrum"]
    bodies = drawing.labels.bodies.numpy() == LABEL_IDS["sacrum"]
    return drawing.hu.numpy().reshape(-1), core, place, first, bodies, world


def test_alae_hold_their_share_of_the_bodies_mineral(shown, sacrum):
    hu, core, place, first, *_ = sacrum
    height = np.abs(place[:, 2]) < first.height / 4
    middle = core & height & (np.abs(place[:, 0]) < 10) & (np.abs(place[:, 1]) < 8)
    aside = core & height & (np.abs(np.abs(place[:, 0]) - 42) < 6)
    assert min(middle.sum(), aside.sum()) > 100
    marrow = shown.bones["L5"].marrow_hu(REFERENCE_BEAM)
    share = (np.median(hu[aside]) - marrow) / (np.median(hu[middle]) - marrow)
    assert share == pytest.approx(shown.sacrum.alae.density, abs=0.05)


def test_only_alae_without_mineral_read_below_water(sacrum, shown):
    hu, core, place, *_ = sacrum
    aside = core & (np.abs(np.abs(place[:, 0]) - 42) < 6) & (np.abs(place[:, 2]) < 8)
    assert (np.median(hu[aside]) < 0) == (shown.sacrum.alae.density == 0)


def test_the_alae_are_one_mass_beside_the_foramina(shown, sacrum):
    *_, bodies, world = sacrum
    inside = bodies.reshape(-1)
    for side in (-1, 1):
        ways = [
            segment.frame.point(side * u * shown.sacrum.scale, v * shown.sacrum.scale, 0.0)
            for segment, u, v in zip(shown.sacrum.segments, (38, 36), (-16, -15), strict=False)
        ]
        for share in np.linspace(0, 1, 8):
            place = ways[0] + share * (ways[1] - ways[0])
            assert inside[np.linalg.norm(world - place, axis=1).argmin()]


def test_what_follows_the_sacrum_does_not_depend_on_its_alae():
    """Their draws come from a stream of their own."""
    spine = scene.patient(3).spine
    first, second = np.random.default_rng(5), np.random.default_rng(5)
    draw_sacrum(first, spine)
    one = first.random()
    second.spawn(1)
    assert draw_sacrum(second, spine).alae != draw_sacrum(np.random.default_rng(5), spine).alae
    assert second.random() == one


def test_alae_differ_within_their_ranges():
    spine = scene.patient(3).spine
    drawn = [draw_sacrum(np.random.default_rng(seed), spine).alae for seed in range(20)]
    for name, (low, high) in ALAE.items():
        values = np.array([getattr(alae, name) for alae in drawn])
        assert low <= values.min() < values.max() <= high
        assert np.ptp(values) > 0.5 * (high - low)
