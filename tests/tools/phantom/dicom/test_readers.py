"""What other programs read from a series is the volume that was written, voxel for voxel."""

import itertools

import itk
import numpy as np
import pydicom
import pytest
from monai.transforms import LoadImage
from pydicom.uid import HTJ2KLossless
from scipy.spatial.transform import Rotation

from tests.tools.phantom.dicom import volumes
from tools import bundles, segmentation
from tools.phantom.dicom.syntaxes import SYNTAXES
from tools.volumes import Grid, reorient

TOLERANCE_MM = 1e-6


def lumbar(module):
    return bundles.module(segmentation.NAME, f"lumbar_bundle.{module}")


def with_monai(reader):
    def read(folder):
        image = LoadImage(reader=reader, image_only=True)(folder)
        return np.asarray(image), np.asarray(image.affine, dtype=float)

    return read


def with_itk(folder):
    names = itk.GDCMSeriesFileNames.New()
    names.SetDirectory(str(folder))
    (series,) = names.GetSeriesUIDs()
    image = itk.imread(list(names.GetFileNames(series)), itk.F)
    affine = np.eye(4)
    directions = np.array(itk.array_from_matrix(image.GetDirection()))
    affine[:3, :3] = directions * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return itk.array_from_image(image).T, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def with_own_loader(folder):
    image = lumbar("loading").LoadImageCT()(folder)
    return np.asarray(image)[0], np.asarray(image.affine, dtype=float)


READERS = {
    "monai-itk": with_monai("ITKReader"),
    "monai-pydicom": with_monai("PydicomReader"),
    "itk": with_itk,
    "own": with_own_loader,
}


def agree(found, written):
    """Compare two volumes in RAS order: readers may turn axes, the anatomy stays."""
    (one, one_affine), (other, other_affine) = (reorient(*part, "RAS") for part in (found, written))
    assert one.shape == other.shape
    np.testing.assert_array_equal(one, other)
    corners = [Grid(other.shape, affine).corners_mm() for affine in (one_affine, other_affine)]
    np.testing.assert_allclose(*corners, atol=TOLERANCE_MM)


PLACES = [f"{o}-{t}" for o, t in itertools.product(volumes.ORIENTATIONS, volumes.TURNS_DEG)]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("place", PLACES)
def test_readers_agree_on_every_orientation(place, reader, tmp_path):
    written = volumes.volume(*place.split("-"))
    volumes.write(tmp_path / "series", *written)
    agree(READERS[reader](tmp_path / "series"), written)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("orientation", ["LPS", "LPI", "PIR"])
def test_readers_agree_on_every_syntax(orientation, syntax, reader, tmp_path):
    written = volumes.volume(orientation, "oblique")
    volumes.write(tmp_path / "series", *written, syntax)
    agree(READERS[reader](tmp_path / "series"), written)


def test_own_loader_reads_a_tilted_gantry(tmp_path):
    image, affine = volumes.volume()
    affine[:3, :2] = Rotation.from_euler("x", 15, degrees=True).as_matrix() @ affine[:3, :2]
    volumes.write(tmp_path / "series", image, affine)
    agree(with_own_loader(tmp_path / "series"), (image, affine))


@pytest.mark.parametrize("reader", ["own", "monai-pydicom"])
def test_a_single_slice_is_as_thick_as_it_says(reader, tmp_path):
    image, affine = volumes.volume("PIR")
    affine[:3, 2] *= 4.0 / np.linalg.norm(affine[:3, 2])
    reformat = {"thickness_mm": 4.0}
    volumes.write(tmp_path / "series", image[:, :, :1], affine, reformat=reformat)
    found, found_affine = READERS[reader](tmp_path / "series")
    np.testing.assert_array_equal(np.squeeze(found), image[:, :, 0])
    if reader == "own":
        agree((found, found_affine), (image[:, :, :1], affine))


def test_own_loader_names_the_series_and_refuses_what_it_cannot_decode(tmp_path):
    volumes.write(tmp_path / "series", *volumes.volume(), "jpeg_lossless")
    for path in (tmp_path / "series").iterdir():  # calls itself what no library here decodes
        named = pydicom.dcmread(path)
        named.file_meta.TransferSyntaxUID = HTJ2KLossless
        named.save_as(path)
    (case,) = lumbar("inputs").find_cases(str(tmp_path))
    assert case["kind"] == "dicom"
    assert case["case"].startswith("series-")
    with pytest.raises(lumbar("cases").CaseError, match="cannot be decoded"):
        lumbar("loading").LoadImageCT()(case["image"])


@pytest.mark.parametrize(
    ("place", "value"), [(4, 128), (5, 9), (9, 3)], ids=["bits", "rows", "colours"]
)
def test_a_damaged_lossless_jpeg_fails_in_one_line(place, value, tmp_path):
    """Symptom: a segmentation fault in the decoder ended the whole run."""
    volumes.write(tmp_path / "series", *volumes.volume(), "jpeg_lossless")
    for path in (tmp_path / "series").iterdir():
        content = bytearray(path.read_bytes())
        content[content.index(b"\xff\xc3\x00") + place] = value
        path.write_bytes(content)
    (case,) = lumbar("inputs").find_cases(str(tmp_path))
    with pytest.raises(lumbar("cases").CaseError, match="its pixels are damaged"):
        lumbar("loading").LoadImageCT()(case["image"])


def test_a_padded_scan_is_not_padded_again(tmp_path):
    image, affine = volumes.volume(low=-1000)
    image[0, 0] = -2000
    said = {"padding_hu": -2000, "circle_mm": 15.5}
    made = volumes.write(tmp_path / "series", image, affine, padded=True, **said)
    header = pydicom.dcmread(tmp_path / "series" / "0001.dcm")
    assert made["padded"]
    assert header.PixelPaddingValue + header.RescaleIntercept == -2000
    assert header.ReconstructionDiameter == 15.5
    agree(with_own_loader(tmp_path / "series"), (image, affine))


def test_padding_changes_only_what_lies_outside_the_circle(tmp_path):
    image, affine = volumes.volume()
    volumes.write(tmp_path / "series", image, affine, padded=True)
    found, _ = with_own_loader(tmp_path / "series")
    changed = found != image
    assert (found[changed] == -3024).all()
    assert changed[0, 0].all()
    assert not changed[5:-5, 5:-5].any()
