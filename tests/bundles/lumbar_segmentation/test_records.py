"""Unusable records are one line before a training starts."""

import json

import pytest

from lumbar_bundle.records import check, labelled_scans

ARGV = ["monai", "run", "training", "--config_file", "train.yaml"]
GOOD = {"image": "ct.nii.gz", "label": "bodies.nii.gz"}


@pytest.fixture
def write(tmp_path):
    for name in GOOD.values():
        (tmp_path / name).touch()

    def write(records):
        path = tmp_path / "list.json"
        path.write_text(json.dumps({"training": records}))
        return str(path)

    return write


def test_paths_are_from_the_datalist_s_folder_on(write, tmp_path):
    (found,) = labelled_scans(write([GOOD | {"scanner": "A"}]), "training")
    expected = {name: str(tmp_path / value) for name, value in GOOD.items()}
    assert found == expected | {"scanner": "A"}


@pytest.mark.parametrize(
    ("records", "says"),
    [
        pytest.param([], "'training' is empty; give it scans", id="none"),
        pytest.param({"a": 1}, "'training' is no list", id="no list"),
        pytest.param([GOOD, "ct.nii.gz"], r"training 1 is no record but str", id="a text"),
        pytest.param([{"image": "ct.nii.gz"}], 'training 0 needs "label"', id="no label"),
        pytest.param([GOOD | {"label": 3}], 'training 0 needs "label"', id="label is a number"),
        pytest.param([GOOD | {"label": "gone.nii.gz"}], r"gone\.nii\.gz does not exist", id="gone"),
    ],
)
def test_an_unusable_record_is_one_line(write, records, says):
    path = write(records)
    with pytest.raises(SystemExit, match=says) as caught:
        check(path, ["training"], ARGV)
    assert str(caught.value).startswith("error: ")
    assert "\n" not in str(caught.value)
    check(path, ["training"], ["pytest"])  # another program judges for itself
