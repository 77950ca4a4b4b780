"""Real CTs: the slices show the lumbar bodies, in a volume, a stack, and a single slice."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from ovf_bundle.transforms import CheckCTd, LoadImageCTd, SagittalSlicesd

pytestmark = pytest.mark.realdata

#: Ids of L1 to L5 in `vertebral_bodies.nii.gz`.
BODIES = range(20, 25)


@pytest.fixture(scope="module")
def lumbar(shared_data: Path) -> Path:
    folder = shared_data / "lumbar_ct_3mm"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder


def shown_mm2(found: dict, lumbar: Path) -> np.ndarray:
    """Area of each of L1 to L5 on each slice, mm2 [slices, 5], by the label map's nearest voxel."""
    image = nib.load(lumbar / "vertebral_bodies.nii.gz")
    labels = np.asarray(image.dataobj)
    index = np.moveaxis(np.indices(found["image"].shape[1:]), 0, -1)
    place = found["places"][0].numpy()
    points = index @ place[:3, :3].T + place[:3, 3]
    inverse = np.linalg.inv(image.affine)
    at = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = ((at >= 0) & (at < labels.shape)).all(axis=-1)
    ids = np.where(inside, labels[tuple(np.moveaxis(np.where(inside[..., None], at, 0), -1, 0))], 0)
    pixel_mm2 = found["facts"]["pixel_mm"] ** 2
    return np.stack([(ids == body).sum(axis=(1, 2)) * pixel_mm2 for body in BODIES], axis=1)


def stack(image: MetaTensor, first: int, last: int) -> MetaTensor:
    """Some of a volume's sagittal slices, as a reformat holds them."""
    affine = image.affine.clone()
    affine[:3, 3] += affine[:3, 0] * first
    return MetaTensor(image.as_tensor()[:, first:last].clone(), affine=affine)


@pytest.mark.parametrize(
    ("first", "last", "centre", "slices"),
    [
        pytest.param(0, 122, "extent", 6, id="whole, middle of the scan"),
        pytest.param(0, 122, "canal", 6, id="whole, canal"),
        pytest.param(0, 90, "canal", 4, id="48 mm off centre, canal"),
        pytest.param(52, 70, "extent", 3, id="stack"),
        pytest.param(61, 62, "extent", 1, id="single slice"),
    ],
)
def test_every_slice_shows_l1_to_l5(
    first: int, last: int, centre: str, slices: int, lumbar: Path
) -> None:
    data = CheckCTd("image")(LoadImageCTd("image")({"image": str(lumbar / "ct.nii.gz")}))
    data["image"] = stack(data["image"], first, last)
    found = SagittalSlicesd("image", centre=centre, pixels=224)(data)
    assert found["image"].shape == (1, slices, 224, 224)
    assert found["facts"]["reason"] == ""
    assert shown_mm2(found, lumbar).min() > 300


def test_a_patient_48_mm_off_centre_is_refused_without_the_canal(lumbar: Path) -> None:
    data = CheckCTd("image")(LoadImageCTd("image")({"image": str(lumbar / "ct.nii.gz")}))
    data["image"] = stack(data["image"], 0, 90)
    found = SagittalSlicesd("image", pixels=224)(data)
    assert found["facts"]["reason"] == "spine_beside_slices"
    assert shown_mm2(found, lumbar).max() < 300
    assert bool(torch.isfinite(found["image"]).all())
