"""Each CT finds its label map."""

from pathlib import Path

import pytest

from bmd_bundle.common import SettingError
from bmd_bundle.pairs import find_pairs


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("masks", "mask"),
    [
        pytest.param(["m/A1.nii.gz", "m/A2.nii"], "m", id="the CT's own name"),
        pytest.param(["m/A2_seg.nii.gz", "m/A1_seg.nii.gz"], "m", id="as the other bundle writes"),
        pytest.param(
            ["m/A1/segmentation.nii.gz", "m/A2/segmentation.nii.gz"], "m", id="as screen writes"
        ),
        pytest.param(["m/A1.nii.gz", "m/A2.nii.gz", "m/A3.nii.gz"], "m/*.nii.gz", id="pattern"),
    ],
)
def test_a_folder_is_paired_by_name(masks: list[str], mask: str, tmp_path: Path) -> None:
    touch(tmp_path, "i/A1.nii.gz", "i/A2.nii.gz", *masks)
    pairs = find_pairs(str(tmp_path / "i"), str(tmp_path / mask))
    assert [case["case"] for case in pairs] == ["A1", "A2"]
    for case in pairs:
        assert Path(case["mask"]).is_file()
        assert case["case"] in case["mask"]


def test_one_file_and_one_file_are_a_pair_whatever_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "ct.nii.gz", "outline.nii.gz")
    (pair,) = find_pairs(str(tmp_path / "ct.nii.gz"), str(tmp_path / "outline.nii.gz"))
    assert (pair["case"], Path(pair["mask"]).name) == ("ct", "outline.nii.gz")


def test_label_maps_beside_their_cts_are_no_cts(tmp_path: Path) -> None:
    touch(tmp_path, "A1.nii.gz", "A1_seg.nii.gz", "A2.nii.gz", "A2_seg.nii.gz")
    pairs = find_pairs(str(tmp_path), str(tmp_path / "*_seg.nii.gz"))
    assert [(c["case"], Path(c["mask"]).name) for c in pairs] == [
        ("A1", "A1_seg.nii.gz"),
        ("A2", "A2_seg.nii.gz"),
    ]


def test_a_ct_without_a_label_map_stays_a_case(tmp_path: Path) -> None:
    touch(tmp_path, "i/A1.nii.gz", "i/A2.nii.gz", "m/A1.nii.gz")
    pairs = find_pairs(str(tmp_path / "i"), str(tmp_path / "m"))
    assert [bool(case["mask"]) for case in pairs] == [True, False]


@pytest.mark.parametrize(
    ("masks", "mask", "words"),
    [
        ([], "m", "mask: .* does not exist"),
        ([], "", "mask: give the label map"),
        (["m/notes.txt"], "m", "holds no NIfTI label map"),
        (["m/A1.nii.gz", "m/A1_seg.nii.gz"], "m", "are both label maps of A1; give one"),
    ],
)
def test_what_cannot_be_paired_is_one_line(
    masks: list[str], mask: str, words: str, tmp_path: Path
) -> None:
    touch(tmp_path, "i/A1.nii.gz", "i/A2.nii.gz", *masks)
    with pytest.raises(SettingError, match=words):
        find_pairs(str(tmp_path / "i"), str(tmp_path / mask) if mask else "")
