"""Identifiers: made up, legal, repeatable, and another for whatever differs."""

import dataclasses
import re
import uuid

import pydicom
import pytest

from tests.tools.phantom.dicom import volumes
from tools.phantom import recipe
from tools.phantom.completion import Job
from tools.phantom.dicom.identity import Identity, cohort_digest, derived_uid

KINDS = ("study", "series", "frame", "image")


def test_uids_are_legal_and_hold_a_uuid_of_version_five():
    for kind in KINDS:
        uid = volumes.IDENTITY.uid(kind)
        assert uid.is_valid
        assert len(uid) <= 64
        root, number = uid.rsplit(".", 1)
        assert root == "2.25"
        assert uuid.UUID(int=int(number)).version == 5


def test_uids_of_one_case_never_change():
    # Written down once: other UIDs for the same content would make two studies of one.
    assert derived_uid("a", 1) == "2.25.250247176687595910400968401776104265602"
    again = dataclasses.replace(volumes.IDENTITY)
    assert [again.uid(kind) for kind in KINDS] == [volumes.IDENTITY.uid(kind) for kind in KINDS]


def test_every_uid_is_another():
    other = dataclasses.replace(volumes.IDENTITY, fingerprint="e" * 64)
    uids = [one.uid(kind, n) for one in (volumes.IDENTITY, other) for kind in KINDS for n in (1, 2)]
    assert len(set(uids)) == len(uids)


@pytest.mark.parametrize(
    "change",
    [{"seed": 4}, {"index": 1}, {"case": "A0002"}, {"recipe": {"name": "other"}}, {"paired": True}],
    ids=lambda change: next(iter(change)),
)
def test_another_job_has_other_uids(change):
    job = Job("A0001", "A-0001", "A", 0, 3, False, {"name": "r"}, format="dicom")
    one, other = (
        Identity(j.case, j.patient_id, 1, "", j.fingerprint).uid("series")
        for j in (job, dataclasses.replace(job, **change))
    )
    assert one != other


def test_patients_of_two_cohorts_are_told_apart():
    quick, standard = recipe.load("quick"), recipe.load("standard")
    digests = {cohort_digest(quick, 0), cohort_digest(quick, 1), cohort_digest(standard, 0)}
    assert len(digests) == 3
    assert all(re.fullmatch("[0-9a-f]{8}", digest) for digest in digests)


def test_nothing_in_a_file_names_a_person_a_place_or_a_day(tmp_path):
    volumes.write(tmp_path / "series", *volumes.volume())
    header = pydicom.dcmread(tmp_path / "series" / "0001.dcm")
    assert str(header.PatientName) == "PHANTOM^A-0001"
    assert header.PatientID == "PHANTOM-0123abcd-A-0001"
    assert header.QualityControlSubject == "YES"
    assert "phantom" in header.ImageComments.lower()
    assert "phantom" in header.SeriesDescription.lower()
    for element in header.iterall():
        if element.VR == "DA":
            assert element.value in ("", "20000101"), element
        if element.VR == "TM":
            assert element.value in ("", "120000"), element
        if element.VR == "PN":
            assert str(element.value) in ("", "PHANTOM^A-0001"), element
        assert not element.tag.is_private, element
