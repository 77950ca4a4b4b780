"""JPEG2000 at 10:1, and shrinking by areas."""

import io

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from ovf_bundle.transforms import Jpeg2000, Jpeg2000d, ShrinkSlices, ShrinkSlicesd


def pictures(noise_hu, pixels=256):
    """Two smooth pictures with noise, HU [1, 2, rows, columns]."""
    y, x = np.mgrid[:pixels, :pixels] / pixels
    smooth = np.stack([800 * np.sin(5 * x) * np.cos(7 * y), 300 * np.cos(9 * x * y)])
    noise = np.random.default_rng(0).normal(0, noise_hu, smooth.shape)
    return torch.from_numpy((smooth + noise)[None].astype(np.float32))


@pytest.mark.parametrize(
    ("noise_hu", "ratio", "most_rms_hu"),
    [
        pytest.param(0, 10, 1.0, id="smooth"),
        pytest.param(10, 10, 7.0, id="10 HU"),
        pytest.param(30, 10, 17.0, id="30 HU: half the noise goes"),
        pytest.param(30, 2.5, 3.0, id="2.5 to 1"),
    ],
)
def test_the_file_is_so_many_times_smaller_and_the_error_small(noise_hu, ratio, most_rms_hu):
    image = pictures(noise_hu)
    code = Jpeg2000(ratio)
    for picture in image[0].numpy():
        content = code.encode(picture)
        # Rounding of the last packet: within 1 % of 16 bits a pixel over the ratio.
        assert len(content) <= 1.01 * picture.size * 2 / ratio
        with Image.open(io.BytesIO(content)) as file:
            assert (file.format, file.mode) == ("JPEG2000", "I;16")
    error = (code(image) - image).numpy()
    assert error.std() < most_rms_hu
    assert abs(error.mean()) < 0.5


def test_each_picture_is_coded_by_itself_and_keeps_its_place():
    image = MetaTensor(pictures(10, 64), affine=torch.diag(torch.tensor([3.0, 2.0, 2.0, 1.0])))
    both = Jpeg2000d("image")({"image": image, "case": "a"})
    assert both["case"] == "a"
    assert torch.equal(both["image"][:, 1:], Jpeg2000()(image[:, 1:]))
    assert torch.equal(both["image"].affine, image.affine)
    assert not torch.equal(both["image"], image)  # the original stays


def test_values_beyond_12_bits_are_clipped():
    image = torch.full((1, 1, 64, 64), -3024.0)
    image[..., 32:] = 9000.0
    found = Jpeg2000(2.0)(image)[0, 0]
    assert float(found[:, :24].mean()) == pytest.approx(-1024, abs=2)
    assert float(found[:, 40:].mean()) == pytest.approx(4095 - 1024, abs=2)


def test_no_ratio_leaves_pictures_alone():
    image = pictures(10, 32)
    assert Jpeg2000(None)(image) is image


@pytest.mark.parametrize("ratio", [1.0, 0.0, -3.0])
def test_an_impossible_ratio_is_refused(ratio):
    with pytest.raises(ValueError, match="more than 1"):
        Jpeg2000(ratio)


@pytest.mark.parametrize(("size", "pixels"), [(512, 224), (224, 224), (30, 12), (9, 4)])
def test_a_pixel_is_the_mean_of_the_area_it_covers(size, pixels):
    image = torch.from_numpy(np.random.default_rng(0).normal(0, 100, (1, 1, size, size)))
    found = ShrinkSlices(pixels)(image)
    # Cut into pieces so small that every new pixel is a whole number of them.
    pieces = np.lcm(size, pixels)
    fine = image.numpy().repeat(pieces // size, 2).repeat(pieces // size, 3)
    block = pieces // pixels
    expected = fine.reshape(1, 1, pixels, block, pixels, block).mean(axis=(3, 5))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_shrunk_picture_lies_where_it_lay():
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, 3] = torch.tensor([10.0, 20.0, 30.0])
    image = MetaTensor(torch.zeros(1, 2, 512, 512), affine=affine)
    found = ShrinkSlicesd("image", 224)({"image": image})["image"]
    assert found.shape == (1, 2, 224, 224)
    step = 512 / 224
    np.testing.assert_allclose(np.diag(found.affine), [1, step, step, 1])
    # The outer corner of the picture stays.
    corner = found.affine @ torch.tensor([0, -0.5, -0.5, 1], dtype=torch.float64)
    np.testing.assert_allclose(corner[:3], [10, 19.5, 29.5])
