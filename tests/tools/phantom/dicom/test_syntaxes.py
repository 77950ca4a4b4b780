"""Every transfer syntax, decoded by libraries that did not encode it."""

import io

import itk
import numpy as np
import pydicom
import pytest
from scipy.ndimage import gaussian_filter

from tests.tools.phantom.dicom import volumes
from tools.phantom import recipe
from tools.phantom.dicom.syntaxes import SYNTAXES

EXTREMES = {"unsigned": (-1024, 3071), "signed": (-2000, 3071)}


@pytest.fixture(params=EXTREMES, scope="module")
def image(request):
    low, high = EXTREMES[request.param]
    return volumes.volume("LPS", low=low, high=high)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_numbers_come_back_exactly(syntax, image, tmp_path):
    array, affine = image
    volumes.write(tmp_path / "series", array, affine, syntax)
    paths = sorted((tmp_path / "series").iterdir())
    assert len(paths) == array.shape[2]
    for index, path in enumerate(paths):
        header = pydicom.dcmread(path)
        assert header.file_meta.TransferSyntaxUID == SYNTAXES[syntax].uid
        expected = array[:, :, index].T
        slice_ = itk.imread(str(path), itk.F)
        np.testing.assert_array_equal(itk.array_from_image(slice_)[0], expected)
        hu = header.pixel_array.astype(int) + int(header.RescaleIntercept)
        np.testing.assert_array_equal(hu, expected)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_same_numbers_give_the_same_bytes(syntax):
    numbers = gaussian_filter(np.random.default_rng(0).normal(0, 900, (33, 27)), 1)
    numbers = (numbers + 1000).astype(np.uint16)
    assert SYNTAXES[syntax].encode(numbers) == SYNTAXES[syntax].encode(numbers)


def test_recipes_offer_every_syntax():
    scan = recipe.schema()["properties"]["scan"]["properties"]
    offered = scan["dicom"]["properties"]["transfer_syntax"]["items"]["enum"]
    assert offered == list(SYNTAXES)


def test_files_are_whole_dicom_files(tmp_path):
    array, affine = volumes.volume()
    volumes.write(tmp_path / "series", array, affine)
    content = (tmp_path / "series" / "0001.dcm").read_bytes()
    assert content[128:132] == b"DICM"
    pydicom.dcmread(io.BytesIO(content), force=False)
