"""Whole axial slices of a real CT: a trunk, alike in any orientation of the file, unenhanced."""

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from bmd_bundle.areal import MeasureSlicesd
from bmd_bundle.axial import FORWARD_MM, Slices, cut
from tests.realdata.test_patches import BODIES, load

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def scan(shared_data):
    """HU, ids 1-4 of L1-L4, and their affine."""
    hu, affine = load(shared_data / "lumbar_ct_3mm" / "ct.nii.gz")
    bodies, _ = load(shared_data / "lumbar_ct_3mm" / "vertebral_bodies.nii.gz")
    labels = np.zeros(bodies.shape, dtype=np.uint8)
    for number, own in enumerate(BODIES.values(), 1):
        labels[bodies == own] = number
    return hu, labels, affine


def test_slices_show_the_trunk_about_the_body(scan):
    hu, labels, affine = scan
    found = cut(hu, affine, labels, Slices())
    assert list(found) == ["L1", "L2", "L3", "L4"]
    row, column = 63.5 + FORWARD_MM / 3.125, 63.5  # the body's middle
    for slices in found.values():
        for plane in slices:
            body = plane[round(row) - 2 : round(row) + 3, round(column) - 2 : round(column) + 3]
            assert 50 < body.mean() < 300
            trunk = plane > -200
            assert 0.15 < trunk.mean() < 0.6
            assert not trunk[0].any()  # air before the belly


def test_the_file_s_orientation_does_not_matter(scan):
    hu, labels, affine = scan
    straight = cut(hu, affine, labels, Slices())
    turned, ids = (
        nib.Nifti1Image(volume, affine).as_reoriented(
            nib.orientations.ornt_transform(
                nib.orientations.io_orientation(affine),
                nib.orientations.axcodes2ornt(("I", "P", "L")),
            )
        )
        for volume in (hu.astype(np.float32), labels)
    )
    other = cut(np.asarray(turned.dataobj), turned.affine, np.asarray(ids.dataobj), Slices())
    for level, slices in straight.items():
        np.testing.assert_allclose(other[level], slices, atol=0.05)


def test_its_blood_is_unenhanced(scan):
    hu, labels, affine = scan
    given = {
        "image": MetaTensor(torch.from_numpy(hu.astype(np.float32))[None], affine=affine),
        "mask": MetaTensor(torch.from_numpy(labels)[None], affine=affine),
    }
    found = MeasureSlicesd("image")(given)
    assert set(found["reasons"].values()) == {""}
    assert found["image"].shape == (12, 1, 128, 128)
