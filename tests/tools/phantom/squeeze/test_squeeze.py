"""A squeezed body has the height that was asked for, its neighbours theirs, and no texture tells.

Bodies are analytic, so heights are known without a network; they are read as `screen` reads them.
"""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from tests.tools.morphometry.bodies import Body, draw, turn
from tools.levels import LABEL_IDS
from tools.phantom.squeeze import squeeze, squeeze_softly
from tools.phantom.squeeze.__main__ import main
from tools.phantom.squeeze.command import KINDS
from tools.screen import heights
from tools.volumes import save_nifti

LEVELS = ("L3", "L2", "L1", "T12")  # foot to head
PLACES = ("anterior", "middle", "posterior")
BODY = Body(depth=33, width=42, anterior=26, posterior=26, bowl=1.5, apex=0.2, rounding=1.0)
#: A lordotic, slightly leaning stack: forward bend of each body, degrees, and disc height, mm.
TILTS = (14.0, 6.0, -2.0, -8.0)
DISC_MM = 9.0


def stack(spacing=(1.0, 1.0, 1.0), orientation="RAS", grid_turn=None):
    """Labels and affine of four bodies on discs."""
    placed, centre = [], np.zeros(3)
    for number, (level, tilt) in enumerate(zip(LEVELS, TILTS, strict=True)):
        axes = turn(-tilt, 2.0, 0.0)
        if number:
            between = turn(-(tilt + TILTS[number - 1]) / 2, 2.0, 0.0)[:, 2]
            centre = centre + between * (26 + DISC_MM)
        placed.append((LABEL_IDS[level], BODY, axes, centre))
    return draw(placed, spacing, grid_turn, orientation, margin=2.0)


def read(squeezed, affine):
    """Heights by level, mm [3]."""
    numbers = np.zeros(squeezed.labels.shape, np.uint8)
    for number, level in enumerate(LEVELS, start=1):
        numbers[squeezed.labels == LABEL_IDS[level]] = number
    found = heights.measure(squeezed.coverage, numbers, affine)
    return {
        LEVELS[number - 1]: np.array([getattr(body, place) for place in PLACES])
        for number, body in found.items()
    }


@pytest.fixture(scope="module")
def spine():
    labels, affine = stack()
    ct = (labels > 0).astype(np.int16) * 150
    return ct, labels, affine, read(squeeze_softly(ct, labels, affine, "L2", 0.0), affine)


#: Loss in front, in the middle and behind, relative to the one asked for.
SHAPES = {"wedge": (1.0, 0.5, 0.0), "biconcave": (0.0, 1.0, 0.0), "crush": (1.0, 1.0, 1.0)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "loss", [0.3, *(pytest.param(loss, marks=pytest.mark.slow) for loss in (0.0, 0.2, 0.45))]
)
def test_heights_are_those_asked_for_and_no_other_level_changes(spine, kind, loss):
    ct, labels, affine, before = spine
    after = read(squeeze_softly(ct, labels, affine, "L2", loss, kind), affine)
    lost = {level: 1 - after[level] / before[level] for level in LEVELS}
    for level in LEVELS:
        asked = loss * np.array(SHAPES[kind]) if level == "L2" else np.zeros(3)
        np.testing.assert_allclose(lost[level], asked, atol=0.02, err_msg=level)


def test_a_crushed_body_is_raised_again(spine):
    ct, labels, affine, before = spine
    after = read(squeeze_softly(ct, labels, affine, "L2", -0.25, "crush"), affine)
    for level in LEVELS:
        gained = 0.25 if level == "L2" else 0.0
        np.testing.assert_allclose(after[level] / before[level] - 1, gained, atol=0.02)


NOISE_HU = 20.0


@pytest.fixture(scope="module")
def noisy():
    """Noise over 0 HU, with the labels of a coarse stack."""
    labels, affine = stack((2.0, 2.0, 2.0))
    rng = np.random.default_rng(3)
    return rng.normal(0, NOISE_HU, labels.shape).astype(np.float32), labels, affine


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_noise_is_alike_in_bodies_that_moved_and_that_stayed(noisy, loss):
    ct, labels, affine = noisy
    new, moved = squeeze(ct, labels, affine, "L2", loss, "crush", seed=1)
    for level in ("L3", "L1", "T12"):  # below the squeezed body, and above it
        assert new[moved == LABEL_IDS[level]].std() == pytest.approx(NOISE_HU, rel=0.06), level


def test_without_renoising_noise_depends_on_the_place(noisy):
    """So that the test above can fail."""
    new, moved = squeeze(*noisy, "L2", 0.3, "crush")
    assert new[moved == LABEL_IDS["T12"]].std() < 0.9 * new[moved == LABEL_IDS["L3"]].std()


@pytest.mark.parametrize("impaction", [False, True], ids=["moved", "impacted"])
def test_mineral_is_kept_only_with_impaction(impaction):
    labels, affine = stack((1.5, 1.5, 1.5))
    place = LABEL_IDS["L2"]
    ct = np.where(labels == place, 130.0, -20.0).astype(np.float32)  # 150 HU of mineral in marrow
    near = ndimage.binary_dilation(labels == place, iterations=3)
    before, after = (
        squeeze(ct, labels, affine, "L2", loss, "crush", impaction=impaction)[0]
        for loss in (0.0, 0.3)
    )
    kept = float((after + 20)[near].sum() / (before + 20)[near].sum())
    assert kept == pytest.approx(1.0 if impaction else 0.7, abs=0.05)


@pytest.mark.parametrize(
    ("spacing", "orientation"),
    [
        pytest.param((1.5, 1.5, 1.5), "LPI", id="flipped"),
        pytest.param((1.0, 1.0, 2.5), "PIR", id="thick, reordered"),
    ],
)
def test_any_grid_gives_the_same_patient(spacing, orientation):
    labels, affine = stack(spacing, orientation, turn(8, -5, 6))
    ct = (labels > 0).astype(np.float32)
    done = squeeze_softly(ct, labels, affine, "L2", 0.3, "crush")
    before = squeeze_softly(ct, labels, affine, "L2", 0.0, "crush")
    lost = 1 - read(done, affine)["L2"] / read(before, affine)["L2"]
    np.testing.assert_allclose(lost, 0.3, atol=0.04)


def test_nothing_below_and_far_aside_moves(noisy):
    ct, labels, affine = noisy
    still, new = (squeeze(ct, labels, affine, "L2", loss, "wedge")[0] for loss in (0.0, 0.4))
    below = np.argwhere(labels == LABEL_IDS["L2"])[:, 2].min() - 4
    np.testing.assert_allclose(new[:, :, :below], still[:, :, :below], atol=1e-3)
    assert abs(new - still)[:, :, below + 20 :].max() > 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": 0.7}, "a loss of 0.7 is outside 0 to 0.6"),
        ({"loss": -0.1}, "outside 0 to 0.6"),
        ({"loss": -0.7, "kind": "crush"}, "a loss of -0.7 is outside -0.6 to 0.6"),
        ({"kind": "burst"}, "unknown kind 'burst'; known: wedge, crush, biconcave"),
        ({"level": "L5"}, "the label map holds no L5"),
        ({"level": "C3"}, "unknown level 'C3'"),
        ({"ct": np.zeros((3, 3, 3))}, "not two volumes of one grid"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else None,
)
def test_what_cannot_be_squeezed_is_refused_in_one_line(noisy, change, message):
    ct, labels, affine = noisy
    usual = {"ct": ct, "labels": labels, "affine": affine, "level": "L2", "loss": 0.3}
    with pytest.raises(ValueError, match=message) as caught:
        squeeze(**usual | change)
    assert "\n" not in str(caught.value)


def test_a_body_cut_off_by_the_field_is_refused(noisy):
    ct, labels, affine = noisy
    top = int(np.argwhere(labels == LABEL_IDS["T12"])[:, 2].mean())
    with pytest.raises(ValueError, match="T12 is cut off"):
        squeeze(ct[:, :, :top], labels[:, :, :top], affine, "T12", 0.3)


def test_the_command_writes_both_volumes(tmp_path, noisy):
    ct, labels, affine = noisy
    save_nifti(tmp_path / "ct.nii.gz", np.rint(ct).astype(np.int16), affine)
    save_nifti(tmp_path / "labels.nii.gz", labels, affine)
    words = [str(tmp_path / "ct.nii.gz"), str(tmp_path / "labels.nii.gz"), "L2", "0.3"]
    assert main([*words, str(tmp_path / "out"), "--kind", "crush"]) == 0
    expected = squeeze(np.rint(ct).astype(np.int16), labels, affine, "L2", 0.3, "crush")
    for name, volume in zip(("ct", "labels"), expected, strict=True):
        stored = nib.Nifti1Image.from_filename(tmp_path / "out" / f"{name}.nii.gz")
        np.testing.assert_array_equal(np.asanyarray(stored.dataobj), volume)
    assert main([*words[:2], "L5", "0.3", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


@pytest.fixture
def files(tmp_path, noisy):
    """The command's first three words: CT, labels, level."""
    ct, labels, affine = noisy
    save_nifti(tmp_path / "a.nii.gz", np.rint(ct).astype(np.int16), affine)
    save_nifti(tmp_path / "b.nii.gz", labels, affine)
    return [str(tmp_path / "a.nii.gz"), str(tmp_path / "b.nii.gz"), "L2"]


@pytest.mark.parametrize("name", ["ct.nii.gz", "labels.nii.gz"])
def test_nothing_that_exists_is_overwritten(files, tmp_path, capsys, name):
    """The input was, where it lay in OUT."""
    (tmp_path / name).write_bytes(b"mine")
    assert main([*files, "0.3", str(tmp_path)]) == 2
    assert f"{name} exists" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda ids: (ids + 256 * (ids == 2)).astype(np.int16), "holds no L2",
                     id="258 is no 2"),
        pytest.param(lambda ids: (ids * 1.2).astype(np.float32), "holds fractions", id="fractions"),
        pytest.param(lambda ids: np.where(ids == 2, np.nan, ids).astype(np.float32), "no finite",
                     id="NaN"),
    ],
)  # fmt: skip
def test_labels_that_name_no_level_are_refused(files, tmp_path, noisy, capsys, change, says):
    """They were rounded, or counted modulo 256."""
    _, labels, affine = noisy
    assert LABEL_IDS["L2"] == 2
    save_nifti(tmp_path / "b.nii.gz", change(labels), affine)
    assert main([*files, "0.3", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_ct_with_what_is_no_number_is_refused(files, tmp_path, noisy, capsys):
    """One such voxel made all of them so."""
    ct, _, affine = noisy
    broken = ct.astype(np.float32).copy()
    broken[0, 0, 0] = np.nan
    save_nifti(tmp_path / "a.nii.gz", broken, affine)
    assert main([*files, "0.3", str(tmp_path / "out")]) == 2
    assert "no finite numbers" in capsys.readouterr().err


@pytest.mark.parametrize("harm", ["missing", "text", "cut short", "damaged"])
def test_a_file_that_cannot_be_read_is_one_line(files, tmp_path, capsys, harm):
    path = tmp_path / "a.nii.gz"
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.unlink()
    if harm != "missing":
        path.write_bytes({
            "text": b"none",
            "cut short": whole[:middle],
            "damaged": whole[:middle] + bytes(200) + whole[middle + 200 :],
        }[harm])  # fmt: skip
    assert main([*files, "0.3", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "a.nii.gz: cannot be read as NIfTI" in said
    assert said.count("\n") == 1


def test_a_seed_below_nought_is_named(files, tmp_path, capsys):
    assert main([*files, "0.3", str(tmp_path / "out"), "--seed", "-5"]) == 2
    assert "--seed is a whole number" in capsys.readouterr().err
