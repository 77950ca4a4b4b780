"""A case's folder: trusted only when every file is as it was written."""

import json

import pytest

from tools.screen import folder
from tools.screen.folder import Outcome

MARK, ORIGIN = "f" * 64, "e" * 64


@pytest.fixture
def case(tmp_path):
    """A finished case."""
    place = tmp_path / "out" / "ct"
    folder.prepare(place)
    folder.write(place, {"report.json": '{"schema": 1}', "sagittal.png": b"\x89PNG"})
    folder.finish(
        place, Outcome("ct", "/data/ct.nii.gz", "done", None, {"load": 0.5}), MARK, ORIGIN
    )
    return place


def test_a_finished_case_gives_its_outcome_back(case):
    found = folder.read(case, MARK)
    assert found == Outcome("ct", "/data/ct.nii.gz", "done", None, {"load": 0.5})
    assert folder.read_report(case) == {"schema": 1}


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda place: (place / "report.json").write_text("{}"), id="changed"),
        pytest.param(lambda place: (place / "sagittal.png").unlink(), id="missing"),
        pytest.param(lambda place: (place / "case.json").unlink(), id="no record"),
        pytest.param(lambda place: (place / "case.json").write_text('{"case"'), id="cut off"),
        pytest.param(lambda place: (place / "case.json").write_text("[]"), id="other JSON"),
        pytest.param(
            lambda place: (place / "case.json").write_text(
                json.dumps(json.loads((place / "case.json").read_text()) | {"files": 3})
            ),
            id="files no table",
        ),
    ],
)
def test_a_harmed_case_is_not_trusted(case, harm):
    harm(case)
    assert folder.read(case, MARK) is None


def test_another_fingerprint_is_not_trusted(case):
    assert folder.read(case, "0" * 64) is None


@pytest.mark.parametrize("status", ["done", "refused", "failed"])
def test_only_a_failed_case_is_tried_again(status, tmp_path):
    """A case that failed for want of memory stayed failed on every later run."""
    outcome = Outcome("ct", "/data/ct.nii.gz", status, "out of memory")
    folder.prepare(tmp_path / "ct")
    folder.finish(tmp_path / "ct", outcome, MARK, ORIGIN)
    assert folder.read(tmp_path / "ct", MARK) == (None if status == "failed" else outcome)


@pytest.mark.parametrize("name", ["window.png", "sagittal_mine.png", "axial_L5.png"])
def test_pictures_of_the_users_own_are_not_deleted(case, name):
    """Every PNG in a case's folder was taken for the report's."""
    mine = case / name
    mine.write_bytes(b"mine")
    with pytest.raises(ValueError, match="holds other files"):
        folder.check(case)
    folder.prepare(case)
    assert [path.name for path in case.iterdir()] == [name]
    folder.finish(case, Outcome("ct", "/data/ct.nii.gz", "done"), MARK, ORIGIN)
    mine.write_bytes(b"changed")
    assert folder.read(case, MARK) is not None


def test_preparing_again_clears_results_and_the_leftovers_of_a_kill(case):
    (case / ".part-abc").write_text("half")
    folder.prepare(case)
    assert list(case.iterdir()) == []


@pytest.mark.parametrize("name", ["notes.txt", "ct.nii.gz", "report.json/x"])
def test_a_folder_with_other_files_is_refused_and_left_alone(case, name):
    foreign = case / name
    if "/" in name:
        foreign.parent.unlink()
        foreign.parent.mkdir()
    foreign.write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        folder.check(case)
    assert foreign.read_text() == "mine"


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "ct").write_text("mine")
    with pytest.raises(ValueError, match="is a file"):
        folder.check(tmp_path / "ct")


def test_own_and_missing_folders_pass(case, tmp_path):
    folder.check(case)
    folder.check(tmp_path / "new")
