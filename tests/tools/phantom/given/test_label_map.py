"""What is no label map of a spine is refused in one line; levels are named by their scheme."""

import nibabel as nib
import numpy as np
import pytest

from tools.phantom.given.label_map import interpret, read

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def blocks(*ids, dtype=np.uint8):
    """One block per id, head to foot."""
    array = np.zeros((8, 8, 6 * len(ids)), dtype)
    for number, value in enumerate(reversed(ids)):
        array[2:6, 2:6, 6 * number + 1 : 6 * number + 5] = value
    return array


@pytest.mark.parametrize(
    ("array", "scheme", "levels"),
    [
        pytest.param(blocks(19, 20, 21), "verse", ["T12", "L1", "L2"], id="VerSe"),
        pytest.param(blocks(20.0, 21.0, dtype=float), "verse", ["L1", "L2"], id="whole floats"),
        pytest.param(blocks(7, 11, 12), "verse", ["T4", "T5"], id="T1 to T3 are left out"),
        pytest.param(blocks(24, 26), "verse", ["L5"], id="a given sacrum is left out"),
        pytest.param(
            blocks(32, 31, 30), "totalsegmentator", ["T12", "L1", "L2"], id="TotalSegmentator"
        ),
    ],
)
def test_levels_are_found_head_to_foot(array, scheme, levels):
    found = interpret(array, AFFINE, scheme, "map.nii.gz").levels
    assert list(found) == levels
    assert all(inside.sum() == 64 for inside in found.values())


@pytest.mark.parametrize(
    ("array", "affine", "message"),
    [
        pytest.param(blocks(0), AFFINE, "is empty", id="empty"),
        pytest.param(blocks(20) * 1.005, AFFINE, "holds fractions", id="fractions"),
        pytest.param(blocks(20).astype(complex), AFFINE, "holds complex128", id="dtype"),
        pytest.param(blocks(20)[..., None], AFFINE, "has 4 axes", id="four axes"),
        pytest.param(blocks(200, 201), AFFINE, "no label of T4 to L5.*200, 201", id="other organs"),
        pytest.param(blocks(19, 21), AFFINE, "L1 is missing between", id="gap"),
        pytest.param(blocks(21, 20), AFFINE, "do not follow head to foot", id="upside down"),
        pytest.param(blocks(24, 25), AFFINE, "holds L6, for which", id="L6"),
        pytest.param(blocks(19, 28, 20), AFFINE, "holds T13", id="T13"),
        pytest.param(blocks(20), np.diag([1, 1, 6.0, 1]), "at most 4 mm", id="thick"),
        pytest.param(blocks(20), np.diag([1, 0, 1.0, 1]), "at most 4 mm", id="flat"),
    ],
)
def test_what_is_no_spine_is_refused_in_one_line(array, affine, message):
    with pytest.raises(ValueError, match=message) as caught:
        interpret(array, affine, "verse", "map.nii.gz")
    assert str(caught.value).startswith("given_map: map.nii.gz: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_image_is_refused(tmp_path):
    path = tmp_path / "map.nii.gz"
    path.write_bytes(b"no image")
    for name in (path, tmp_path / "absent.nii.gz"):
        with pytest.raises(ValueError, match="cannot be read as NIfTI"):
            read(name, "verse")


def test_a_file_is_read_with_its_affine(tmp_path):
    path = tmp_path / "map.nii.gz"
    nib.save(nib.Nifti1Image(blocks(20, 21), AFFINE), path)
    found = read(path, "verse")
    assert list(found.levels) == ["L1", "L2"]
    np.testing.assert_allclose(found.affine, AFFINE)
