"""A small phantom scan that the tests of `screen` share."""

import copy

import pytest

from tools.demo import patient_recipe
from tools.phantom.case import simulate
from tools.volumes import save_nifti


@pytest.fixture(scope="session")
def patient():
    """A patient of the demo's small size: lumbar spine, 2 mm pixels, 3 mm slices."""
    return simulate(copy.deepcopy(patient_recipe("small")), 1, 0)


@pytest.fixture(scope="session")
def ct(patient, tmp_path_factory):
    """The patient's CT as a file."""
    path = tmp_path_factory.mktemp("ct") / "small.nii.gz"
    save_nifti(path, patient.image, patient.affine)
    return path
