"""Patches and HU-linear density on the real CTs, with the masks that came with them.

The masks of `lumbar_ct_3mm` are another network's output, not manual truth.
"""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from bmd_bundle.calibration import reference
from bmd_bundle.geometry import to_index, to_world
from bmd_bundle.patches import Patch, extract
from lumbar_bundle.borders import touches_face
from lumbar_bundle.grids import to_ras

pytestmark = pytest.mark.realdata

#: Ids of `vertebral_bodies.nii.gz`.
BODIES = {"L1": 20, "L2": 21, "L3": 22, "L4": 23}
#: Parts of `subregions.nii.gz`: border and spongy interior of bodies.
BORDER, SPONGY = 49, 50


def load(path):
    if not path.exists():
        pytest.skip(f"{path} is absent")
    file = nib.load(path)
    return np.asarray(file.dataobj), file.affine


@pytest.fixture(scope="module")
def lumbar(shared_data):
    """CT, label map and matrix."""
    folder = shared_data / "lumbar_ct_3mm"
    image, affine = load(folder / "ct.nii.gz")
    return image.astype(np.float32), load(folder / "vertebral_bodies.nii.gz")[0], affine


@pytest.fixture(scope="module")
def crop(shared_data):
    """CT, L3's body, its spongy part, and matrix."""
    image, affine = load(shared_data / "l3_crop" / "ct.nii.gz")
    bodies, parts = crop_bodies(shared_data)
    body = bodies == BODIES["L3"]
    return image.astype(np.float32), body, body & (parts == SPONGY), affine


def crop_bodies(shared_data):
    """Bodies of the crop's own mask by the ids of its vertebrae, and its parts, [X, Y, Z]."""
    folder = shared_data / "l3_crop"
    parts = load(folder / "subregions.nii.gz")[0]
    own = load(folder / "vertebrae.nii.gz")[0]
    return np.where(np.isin(parts, (BORDER, SPONGY)), own, 0), parts


def patches_of(image, bodies, affine, **settings) -> dict[str, Patch]:
    return {
        level: extract(image, affine, bodies == number, **settings)
        for level, number in BODIES.items()
    }


def density(patch: Patch) -> float:
    """HU-linear density, mg/cm³ HA."""
    return reference().density(patch.trabecular_hu)


@pytest.mark.parametrize("tilt", [True, False])
def test_levels_of_the_lumbar_ct_agree(lumbar, tilt):
    found = patches_of(*lumbar, tilt=tilt)
    for level, patch in found.items():
        print(f"{level} {patch.trabecular_hu:.1f} HU, patch {patch.mean_hu:.1f}, "
              f"{density(patch):.1f} mg/cm³, tilt {patch.tilt_deg:.1f}°")  # fmt: skip
        assert 95 <= patch.trabecular_hu <= 125, level
        assert 60 <= density(patch) <= 105, level
        assert patch.purity == 1, level
        assert patch.size_mm >= 18, level
    densities = [density(patch) for patch in found.values()]
    assert max(densities) - min(densities) <= 15


def test_the_dense_spot_in_l1_is_seen_and_left_out(lumbar):
    found = patches_of(*lumbar)
    assert found["L1"].dense_share > 0.05
    assert found["L1"].mean_hu - found["L1"].median_hu > 15
    for level in ("L2", "L3", "L4"):
        assert found[level].dense_share == 0, level


@pytest.mark.parametrize(("level", "cut"), [("L2", True), ("L3", False), ("L4", True)])
def test_neighbours_in_the_crop_touch_its_border(shared_data, level, cut):
    bodies, _ = crop_bodies(shared_data)
    affine = load(shared_data / "l3_crop" / "ct.nii.gz")[1]
    view, ras = to_ras(bodies == BODIES[level], affine)
    points = to_world(ras, np.argwhere(view).astype(float))
    assert touches_face(points, ras, view.shape, reformat=False) == cut


def test_patch_of_the_crop_is_spongy_bone(crop):
    image, body, spongy, affine = crop
    patch = extract(image, affine, body)
    places = to_world(patch.affine, np.moveaxis(np.indices(patch.hu.shape), 0, -1).astype(float))
    index = np.round(to_index(affine, places)).astype(int)
    assert spongy[tuple(np.moveaxis(index, -1, 0))].mean() >= 0.95
    # The same slices: as far from the patch's plane as its outer slices and half a voxel.
    voxels = np.argwhere(spongy)
    away = np.abs((to_world(affine, voxels.astype(float)) - patch.centre_mm) @ patch.normal)
    same = image[tuple(voxels[away <= 1.75].T)]
    print(f"patch {patch.mean_hu:.1f}, spongy part {same.mean():.1f}, slab "
          f"{patch.trabecular_hu:.1f} HU, noise {patch.noise_hu:.0f}")  # fmt: skip
    assert patch.mean_hu == pytest.approx(same.mean(), abs=10)
    assert patch.trabecular_hu == pytest.approx(same.mean(), abs=10)
    assert density(patch) < 80


@pytest.mark.parametrize("offset", [-40.0, 40.0])
def test_an_offset_of_the_bodies_moves_density_by_the_slope(lumbar, offset):
    image, bodies, affine = lumbar
    moved = image + np.where(np.isin(bodies, list(BODIES.values())), offset, 0)
    before, after = patches_of(image, bodies, affine), patches_of(moved, bodies, affine)
    for level in BODIES:
        change = density(after[level]) - density(before[level])
        assert change == pytest.approx(offset / reference().slope_hu_per_mg_cm3, abs=0.01), level


def turned(image, bodies, affine, spacing, turn_deg):
    """The CT on another grid, each body apart so that interpolation does not mix labels."""
    size = np.array(image.shape) * np.linalg.norm(affine[:3, :3], axis=0)
    rotation = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    made = np.eye(4)
    made[:3, :3] = rotation @ np.diag(spacing)
    shape = np.ceil(size / spacing).astype(int)
    middle = to_world(affine, (np.array(image.shape) - 1) / 2)
    made[:3, 3] = middle - made[:3, :3] @ ((shape - 1) / 2)
    places = to_world(made, np.moveaxis(np.indices(tuple(shape)), 0, -1).astype(float))
    index = np.moveaxis(to_index(affine, places), -1, 0)
    labels = np.zeros(tuple(shape), dtype=np.uint8)
    for number in BODIES.values():
        share = ndimage.map_coordinates((bodies == number).astype(np.float32), index, order=1)
        labels[share >= 0.5] = number
    return ndimage.map_coordinates(image, index, order=1, cval=-1024.0), labels, made


CHANGES = {
    "turned 10 degrees": ((3, 3, 3), (10, 0, 0)),
    "turned -10 degrees": ((3, 3, 3), (0, -10, 0)),
    "turned about the body": ((3, 3, 3), (0, 0, 10)),
    "1 mm": ((1, 1, 1), (0, 0, 0)),
    "5 mm slices": ((3, 3, 5), (0, 0, 0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_another_grid_moves_density_less_than_5_mg(lumbar, name):
    before = patches_of(*lumbar)
    after = patches_of(*turned(*lumbar, *CHANGES[name]))
    for level in BODIES:
        change = density(after[level]) - density(before[level])
        print(f"{name}: {level} {change:+.2f} mg/cm³")
        assert abs(change) < 5, level


def test_a_mirrored_patient_reads_the_same(lumbar):
    image, bodies, affine = lumbar
    before, after = patches_of(image, bodies, affine), patches_of(image[::-1], bodies[::-1], affine)
    for level in BODIES:
        assert density(after[level]) == pytest.approx(density(before[level]), abs=0.5), level
