"""Of the series of a study that show the same part of the body one is measured, by fixed rules."""

import json
import logging
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests.bundles.lumbar_segmentation.dicom_files import body, write_series, write_slice
from tools.screen import case as cases
from tools.screen import choosing, scan
from tools.screen.choosing import Series
from tools.screen.command import screen
from tools.screen.folder import Outcome
from tools.screen.header import Header
from tools.screen.scan import Case
from tools.screen.settings import Settings

GOOD = Header(120.0, "B30f", "none", False, 1.0)


def series(name="other", header=GOOD, axial=True, original=True, range_mm=(0.0, 200.0)):
    return Series(Case(name, "dicom", (Path(f"{name}.dcm"),)), header, axial, original, range_mm)


BEST = series("best")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        pytest.param(
            series(header=replace(GOOD, beam_problem=True)),
            "its beam can be calibrated",
            id="mono-energetic",
        ),
        pytest.param(
            series(header=replace(GOOD, kvp=70.0)),
            "its beam can be calibrated",
            id="70 kV",
        ),
        pytest.param(
            series(header=replace(GOOD, contrast="applied")),
            "no contrast medium is recorded",
            id="enhanced",
        ),
        pytest.param(
            series(header=replace(GOOD, contrast="unknown")),
            "no contrast medium is recorded",
            id="perhaps enhanced",
        ),
        pytest.param(series(axial=False), "it is axial", id="reformat"),
        pytest.param(
            series(header=replace(GOOD, kvp=100.0)),
            "its tube voltage is 120 kV",
            id="100 kV",
        ),
        pytest.param(
            series(header=replace(GOOD, kernel="B70f")),
            "its kernel is soft",
            id="sharp",
        ),
        pytest.param(
            series(header=replace(GOOD, thickness_mm=5.0)),
            "its slices are thinner",
            id="thick",
        ),
        pytest.param(series(range_mm=(0.0, 100.0)), "it is longer", id="short"),
        pytest.param(series(original=False), "the scanner reconstructed it", id="derived"),
        pytest.param(series("later"), "it comes first by name", id="alike"),
    ],
)
def test_each_rule_tells_two_series_apart(other, why):
    expected = [(other, BEST, why)]
    assert choosing.rank([other, BEST]) == choosing.rank([BEST, other]) == expected


def test_rules_before_others_win():
    """Thin but enhanced goes behind thick without contrast medium."""
    enhanced = series("enhanced", Header(120.0, "B30f", "applied", False, 0.6))
    thick = series("thick", Header(100.0, "B70f", "none", False, 5.0))
    assert [one.case.name for one, *_ in choosing.rank([enhanced, thick])] == ["enhanced"]


@pytest.mark.parametrize(
    ("range_mm", "left_out"),
    [
        ((0.0, 200.0), True),
        ((-40.0, 160.0), True),
        ((-45.0, 155.0), False),
        ((200.0, 400.0), False),
    ],
    ids=["same", "80 %", "less", "chest"],
)
def test_what_another_series_does_not_show_is_measured_too(range_mm, left_out):
    other = series(header=replace(GOOD, thickness_mm=5.0), range_mm=range_mm)
    assert len(choosing.rank([BEST, other])) == left_out


def write_study(folder, **tags):
    """A study of a thin and a thick series, a sagittal reformat, a scout and a plan; two others."""
    study = {"StudyInstanceUID": "1.9.1", "KVP": "120", "FrameOfReferenceUID": "1.9.2"} | tags
    shape = body(20)
    write_series(folder / "thick", shape[::2], "1.2.2", (0, 0, 8.0), SliceThickness=8.0, **study)
    write_series(folder / "thin", shape, "1.2.1", (0, 0, 4.0), **study)
    sagittal = {"ImageOrientationPatient": [0, 1, 0, 0, 0, 1], "PixelSpacing": [10.0, 3.0]}
    write_series(folder / "mpr", body(4, 8), "1.2.3", (4.0, 0, 0), **sagittal, **study)
    kind = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    write_slice(folder / "scout.dcm", shape[0], "1.2.4", (0, 0, 0), **kind, **study)
    plan = {"Modality": "RTSTRUCT", "PixelData": None, "Rows": None, "Columns": None}
    write_slice(folder / "plan.dcm", shape[0], "1.2.5", (0, 0, 0), **plan, **study)


@pytest.fixture
def measured(monkeypatch):
    """Measure nothing; every case that can be read is done."""

    def measure(case, *_):
        scan.read(case)
        return Outcome(case.name, case.source, "done")

    monkeypatch.setattr(cases, "_measure", measure)
    monkeypatch.setattr(Settings, "segmentation", lambda self: None)
    monkeypatch.setattr(Settings, "density", lambda self: None)


def entries(out):
    """Folder of each series, or name of a lone file -> status and reason."""
    content = json.loads((out / "run.json").read_text(encoding="utf-8"))
    places = [Path(one["input"]) for one in content["cases"]]
    names = [path.stem if path.stem in ("scout", "plan") else path.parent.name for path in places]
    said = [(one["status"], one["reason"]) for one in content["cases"]]
    return dict(zip(names, said, strict=True))


def test_every_series_of_a_study_has_an_entry(tmp_path, measured, capsys):
    write_study(tmp_path / "study")
    screen(str(tmp_path / "study"), tmp_path / "out")
    thin = scan.find(tmp_path / "study" / "thin", tmp_path / "out")[0].name
    found = entries(tmp_path / "out")
    assert found["thin"] == ("done", None)
    used = f"left out: {thin} of the same study is used, as "
    assert found["thick"] == ("refused", f"{used}its slices are thinner")
    assert found["mpr"] == ("refused", f"{used}it is axial")
    printed = capsys.readouterr().out
    assert all(f" {found[name][1]}\n" in printed for name in ("thick", "mpr"))
    assert found["scout"][0] == found["plan"][0] == "failed"
    assert found["scout"][1].startswith("is a localizer")
    assert found["plan"][1].startswith("its modality is RTSTRUCT")
    screen(str(tmp_path / "study"), tmp_path / "out")
    assert entries(tmp_path / "out") == found


def test_a_series_given_by_itself_is_measured(tmp_path, measured):
    """What was left out of a study can still be asked for."""
    write_study(tmp_path / "study")
    screen(str(tmp_path / "study"), tmp_path / "out")
    screen(str(tmp_path / "study" / "thick"), tmp_path / "out")
    assert entries(tmp_path / "out")["thick"] == ("done", None)


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param({"StudyInstanceUID": ""}, id="no study"),
        pytest.param({"StudyInstanceUID": "1.9.7"}, id="another study"),
        pytest.param({"PatientID": "4712"}, id="another patient"),
        pytest.param({"FrameOfReferenceUID": "1.9.8"}, id="another frame"),
    ],
)
def test_only_one_place_of_one_patient_is_compared(tmp_path, tags):
    study = {"StudyInstanceUID": "1.9.1", "FrameOfReferenceUID": "1.9.2"}
    write_series(tmp_path / "a", body(), "1.2.1", **study)
    write_series(tmp_path / "b", body(), "1.2.2", **study | tags)
    cases = choosing.choose(scan.find(tmp_path, tmp_path / "out"))
    assert [case.left_out for case in cases] == [None, None]


def test_a_series_with_a_missing_slice_goes_before_none(tmp_path):
    """It fails; the one behind it, which could be read, must not be left out for it."""
    study = {"StudyInstanceUID": "1.9.1"}
    write_series(tmp_path / "thin", body(9), "1.2.1", SliceThickness=1.0, **study)[4].unlink()
    write_series(tmp_path / "thick", body(9), "1.2.2", SliceThickness=5.0, **study)
    cases = choosing.choose(scan.find(tmp_path, tmp_path / "out"))
    assert [case.left_out for case in cases] == [None, None]


def test_odd_values_of_a_header_are_not_quoted(tmp_path, caplog):
    """Symptom: pydicom's warnings of damaged tags quoted the patient's name that follows them."""
    (path,) = write_series(tmp_path, body(1), StudyInstanceUID="1.9.1")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"UI\x06\x001.2.3", b"UI\x46\x001.2.3"))
    with warnings.catch_warnings(record=True) as said, caplog.at_level(logging.DEBUG, "pydicom"):
        warnings.simplefilter("always")
        (found,) = choosing.choose(scan.find(tmp_path, tmp_path / "out"))
        with pytest.raises(ValueError, match="; "):
            scan.read(found)
    assert not said
    assert not caplog.records


def test_a_tilted_gantry_keeps_its_range(tmp_path):
    paths = write_series(tmp_path, body(), step_mm=(0.0, 1.5, 4.0), StudyInstanceUID="1.9.1")
    found = choosing._look(Case("a", "dicom", tuple(paths)))
    assert found is not None
    assert found.axial
    np.testing.assert_allclose(found.range_mm, (10.0 - 2.0, 26.0 + 2.0))
    assert pydicom.dcmread(paths[0]).SliceThickness == 4


# ---- a chosen series that fails ----


def write_three(folder):
    """Three reconstructions of one scan, the thinner the better, each of other pixels."""
    for number, thickness in enumerate((1.0, 3.0, 5.0), start=1):
        write_series(
            folder / f"{thickness:.0f} mm", body(9) + number, f"1.2.{number}",
            SliceThickness=thickness, StudyInstanceUID="1.9.1",
        )  # fmt: skip


def cut_off(series):
    """Take bytes of a slice's pixels, which no header shows."""
    path = sorted(series.iterdir())[4]
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    return path, whole


@pytest.mark.parametrize(
    "words",
    [
        pytest.param({}, id="whole"),
        pytest.param({"num_parts": 2, "part_id": 0}, id="in parts"),
    ],
)
def test_where_the_chosen_series_fails_the_next_is_measured(words, tmp_path, measured, capsys):
    """Symptom: one slice of a study was cut off, and none of its three series gave a result."""
    study, out = tmp_path / "study", tmp_path / "out"
    write_three(study)
    cut_off(study / "1 mm")
    path, whole = cut_off(study / "3 mm")
    names = {place.name: scan.find(place, out)[0].name for place in study.iterdir()}
    screen(str(study), out, **words)
    found = entries(out)
    assert found["1 mm"] == found["3 mm"] == ("failed", found["1 mm"][1])
    assert found["1 mm"][1].startswith("its pixels are missing or cut off")
    assert found["5 mm"] == ("done", None)
    said = capsys.readouterr().err
    assert f"{names['3 mm']} is measured in place of {names['1 mm']}, which failed" in said
    assert f"{names['5 mm']} is measured in place of {names['3 mm']}, which failed" in said
    screen(str(study), out, **words)  # what failed is tried again, what stands in is finished
    assert entries(out) == found
    path.write_bytes(whole)
    screen(str(study), out, **words)
    reason = f"left out: {names['3 mm']} of the same study is used, as its slices are thinner"
    assert entries(out)["3 mm"] == ("done", None)
    assert entries(out)["5 mm"] == ("refused", reason)


def test_only_what_failed_is_chosen_anew(tmp_path):
    """A scout fails in nearly every study: its headers are not read twice for that."""
    write_study(tmp_path)
    cases = choosing.choose(scan.find(tmp_path, tmp_path / "out"))
    used = {case.better for case in cases} - {None}
    others = {case.name for case in cases if case.better is None} - used
    assert len(used) == 1
    assert len(others) == 2
    assert choosing.choose_again(cases, others) == cases
    again = choosing.choose_again(cases, others | used)
    assert {case.better for case in again} - {None} == {
        scan.find(tmp_path / "thick", "out")[0].name
    }


def test_the_reason_names_the_folder_that_the_used_series_has(tmp_path, measured):
    """Symptom: of a copy of a study screened before, it named the first one's folder."""
    out = tmp_path / "out"
    for place in ("first", "copy"):
        write_study(tmp_path / place)
        screen(str(tmp_path / place), out)
    content = json.loads((out / "run.json").read_text(encoding="utf-8"))
    used = {one["case"] for one in content["cases"] if one["status"] == "done"}
    said = {one["reason"].split()[2] for one in content["cases"] if one["status"] == "refused"}
    assert len(used) == 2
    assert said == used
