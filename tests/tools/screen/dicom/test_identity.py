"""The objects join the source's patient and study; nothing else ever says who it is."""

import warnings

import pydicom
import pytest

from tests.tools.screen.dicom import made
from tools.screen.dicom import identity

NAME, NUMBER, BORN = "Müller^Zoë", "4711-0815", "19500102"
PATIENT = {
    "PatientName": NAME,
    "PatientID": NUMBER,
    "PatientBirthDate": BORN,
    "PatientSex": "F",
    "StudyID": "77",
    "StudyDate": "20240102",
    "StudyTime": "101112",
    "AccessionNumber": "A-9",
    "ReferringPhysicianName": "Doe^John",
}
MORE = {"PatientAge": "074Y", "IssuerOfPatientID": "Hospital", "StudyDescription": "CT abdomen"}


@pytest.fixture
def with_tags(tmp_path):
    """Write a series whose slices say something of their patient; read it."""

    def make(tags):
        made.scan(tmp_path / "series")
        for path in (tmp_path / "series").iterdir():
            header = pydicom.dcmread(path)
            with pydicom.config.disable_value_validation():
                for key, value in tags.items():
                    setattr(header, key, value)
                header.save_as(path)
        return made.read(tmp_path / "series")

    return make


@pytest.mark.parametrize("keep", [False, True], ids=["usual", "kept"])
def test_what_the_standard_demands_is_copied_and_more_only_if_asked_for(keep, with_tags):
    one = with_tags(PATIENT | MORE)
    for file in made.written(one, made.outlines(one), keep_identity=keep).values():
        assert {tag: str(file[tag].value) for tag in PATIENT} == PATIENT
        assert {tag: str(file[tag].value) for tag in MORE if tag in file} == (MORE if keep else {})
        assert file.SpecificCharacterSet == "ISO_IR 100"
        assert ("PatientComments" in file) is keep  # the phantom's own


def test_other_alphabets_are_kept(with_tags):
    name = "Ιωάννης^Ωμέγα=山田^太郎"
    one = with_tags({"PatientName": name, "SpecificCharacterSet": "ISO_IR 192"})
    for file in made.written(one, made.outlines(one)).values():
        assert str(file.PatientName) == name


def test_an_object_of_a_deidentified_series_says_so(with_tags):
    said = {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "by hand"}
    one = with_tags(said)
    for file in made.written(one, made.outlines(one)).values():
        assert {tag: file[tag].value for tag in said} == said


MALFORMED = {
    "PatientID": "Secret" * 20,
    "PatientBirthDate": "Secret",
    "PatientSex": "SECRET",
    "StudyDate": "Secret",
    "StudyTime": "Secret",
    "StudyID": "Secret" * 5,
    "AccessionNumber": "Secret" * 5,
}


def test_malformed_values_are_left_empty_and_not_logged(with_tags, caplog, capsys):
    """pydicom's and highdicom's warnings show what they warn of."""
    one = with_tags(MALFORMED)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        files = made.written(one, made.outlines(one), keep_identity=True)
    assert set(files) == {"report.dcm", "segmentation.dcm"}
    for file in files.values():
        assert [tag for tag in MALFORMED if file[tag].value] == []
    told = caplog.text + "".join(capsys.readouterr()) + "".join(str(one.message) for one in seen)
    assert "secret" not in told.lower()


@pytest.mark.parametrize("name", ["Secret", "Secret" + "x" * 70], ids=["one word", "too long"])
def test_a_name_is_kept_as_it_is_and_not_logged(name, with_tags, caplog):
    """highdicom warns of a name without a caret, and shows it."""
    one = with_tags({"PatientName": name})
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        files = made.written(one, made.outlines(one))
    assert str(files["report.dcm"].PatientName) == name
    assert "Secret" not in caplog.text + "".join(str(one.message) for one in seen)


def test_every_optional_tag_exists_and_none_is_demanded():
    for tag in identity.READ:
        assert pydicom.datadict.tag_for_keyword(tag) is not None, tag
    assert not set(identity.OPTIONAL) & {*identity.DEMANDED, *identity.DEIDENTIFIED}
