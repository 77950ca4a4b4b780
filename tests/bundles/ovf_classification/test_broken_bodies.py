"""Where fractures are, learnt from label maps: geometry by hand, truth, loss."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.networks.nets import resnet34
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from ovf_bundle.aggregators import MeanPooling
from ovf_bundle.broken_bodies import (
    BROKEN,
    NOTHING,
    SOUND,
    BodiesOnSlicesd,
    EvidenceLoss,
    EvidenceNet,
    SliceProbabilityd,
    SliceTruthd,
    codes_of,
)
from ovf_bundle.networks import SliceSequenceNet

#: Three slices 4 mm apart at x = 4, 0, -4 mm, whose 64 pixels of 2 mm are given as 128 of 1 mm:
#: rows from z = 63.5 down, columns from y = 63.5 back.
PLACE = np.array([[-4.0, 0, 0, 4], [0, 0, -1, 63.5], [0, -1, 0, 63.5], [0, 0, 0, 1]])


def label_map(path: Path, codes: str) -> Path:
    """A map of 1 mm voxels, -64 to 63 mm: label 2 is a cube on the left, 6 above the middle."""
    labels = np.zeros((128, 128, 128), np.uint8)
    labels[60:63, 64:84, 64:84] = 2  # x -4 to -2, y and z 0 to 19 mm
    labels[:, 64:84, 100:110] = 6
    image = nib.Nifti1Image(
        labels, np.array([[1.0, 0, 0, -64], [0, 1, 0, -64], [0, 0, 1, -64], [0, 0, 0, 1]])
    )
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(codes))
    nib.save(image.as_reoriented(turn), path)
    return path


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR"])
@pytest.mark.parametrize(("broken", "code"), [([2], BROKEN), ([3], SOUND)], ids=["broken", "sound"])
def test_bodies_lie_where_the_map_has_them(
    tmp_path: Path, codes: str, broken: list[int], code: int
) -> None:
    data = {
        "image": torch.zeros(1, 3, 64, 64),
        "places": torch.from_numpy(PLACE)[None],
        "bodies": str(label_map(tmp_path / "map.nii.gz", codes)),
        "broken_ids": broken,
    }
    found = BodiesOnSlicesd("bodies", source_pixels=128)(data)
    bodies = found["bodies"][0]
    assert bodies.dtype == torch.uint8
    assert int(bodies[:2].sum()) == 0, "right and middle slices do not cut it; 6 is no body"
    rows, columns = np.nonzero(bodies[2].numpy() == code)
    assert len(rows) == 100, "20 mm x 20 mm in pixels of 2 mm"
    # z and y of 0 to 19 mm are rows and columns of the finer grid 44.5 to 63.5, halved.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (22, 31, 22, 31)
    area = 400.0 if code == BROKEN else 0.0
    assert found["shown"].flatten().tolist() == pytest.approx([0, 0, area])


@pytest.mark.parametrize(
    ("shown", "label"),
    [(0.0, 0.0), (400.0, 1.0), (50.0, None)],
    ids=["sound", "broken", "edge: undecided"],
)
def test_the_truth_of_a_slice_and_of_its_cells(shown: float, label: float | None) -> None:
    codes = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    codes[..., 0:16, 16:32] = SOUND
    codes[..., 32:48, 48:64] = BROKEN
    codes[..., 48:50, 0:16] = BROKEN  # an eighth of its cell: too little
    found = SliceTruthd("bodies")({"bodies": codes, "shown": torch.tensor([[[[shown]]]])})["label"]
    assert (None if found[0].isnan() else float(found[0])) == label
    body, broken = found[1:].reshape(2, 4, 4)
    assert body.nonzero().tolist() == [[0, 1], [2, 3]]
    assert broken.nonzero().tolist() == [[2, 3]]


@pytest.mark.parametrize(
    ("pixels", "label"), [(0, 0.0), (30, None), (50, 1.0)], ids=["gone", "cut", "in view"]
)
def test_a_fracture_that_a_random_change_moved_out_of_view_is_none(
    pixels: int, label: float | None
) -> None:
    codes = torch.full((1, 1, 64, 64), SOUND, dtype=torch.uint8)
    codes.view(-1)[:pixels] = BROKEN
    data = {"bodies": codes, "shown": torch.tensor([[[[400.0]]]])}
    found = SliceTruthd("bodies")(data)["label"][0]
    assert (None if found.isnan() else float(found)) == label


def test_the_loss_by_hand() -> None:
    """Sure and right costs nothing; a slice that is undecided does not count."""
    sure = 20.0
    truth = torch.tensor([[1.0, 1, 0, 1, 0], [float("nan"), 0, 0, 0, 0]])
    right = torch.where(truth.nan_to_num() > 0, sure, -sure)
    loss = EvidenceLoss()
    assert float(loss(right, truth)) == pytest.approx(0.0, abs=1e-6)
    wrong = right.clone()
    wrong[0, 0] = -sure
    assert float(loss(wrong, truth)) == pytest.approx(sure)
    undecided = right.clone()
    undecided[1, 0] = sure
    assert float(loss(undecided, truth)) == pytest.approx(0.0, abs=1e-6)
    cell = right.clone()
    cell[0, 3] = -sure  # a broken cell missed: one of four cells, weighed 3 and 4
    assert float(loss(cell, truth)) == pytest.approx(sure * 3 * 4 / 4)
    assert torch.isfinite(loss(right[1:], truth[1:])), "a step of undecided slices alone"


def test_the_network_inside_says_what_it_says_alone() -> None:
    torch.manual_seed(0)
    encoder = resnet34(
        spatial_dims=2,
        n_input_channels=3,
        conv1_t_stride=2,
        feed_forward=False,
        bias_downsample=False,
    )
    inner = SliceSequenceNet(encoder, MeanPooling(), pixels=64)
    inner.mean_image.fill_(0.1)
    network = EvidenceNet(inner).eval()
    image = torch.rand(2, 3, 1, 64, 64)
    with torch.no_grad():
        found = network(image, torch.tensor([1, 1]))
        torch.testing.assert_close(found[:, :1], inner(image))
    assert found.shape == (2, 1 + 2 * 4 * 4)


def test_the_slice_is_taken_out_for_the_metric() -> None:
    given = {"pred": torch.tensor([0.0, 9, 9]), "label": torch.tensor([float("nan"), 1, 1])}
    found = SliceProbabilityd(["pred", "label"])(given)
    assert found["pred"].tolist() == [0.5]
    assert found["label"].tolist() == [1.0]


def test_ids_become_codes() -> None:
    labels = np.array([0, 1, 2, 6, 300])
    found = codes_of(labels, bodies={1, 2, 300}, broken={2, 6})
    assert found.tolist() == [NOTHING, SOUND, BROKEN, NOTHING, SOUND]
