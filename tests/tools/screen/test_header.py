"""What a DICOM header says about how a CT was made, with the tags as departments fill them."""

import pytest
from pydicom.dataset import Dataset

from tools.screen.header import Header, describe, read


def dataset(**tags):
    made = Dataset()
    for keyword, value in tags.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param({}, Header(), id="nothing"),
        pytest.param(
            {"KVP": "120", "ConvolutionKernel": "B30f"}, Header(120.0, "B30f"), id="usual"
        ),
        pytest.param(
            {"ConvolutionKernel": ["Br40d", "3"]}, Header(None, "Br40d\\3"), id="two values"
        ),
        pytest.param({"KVP": "", "ConvolutionKernel": ""}, Header(), id="empty"),
        pytest.param({"KVP": "0"}, Header(), id="zero voltage"),
        pytest.param({"ContrastBolusAgent": "Iomeron 400"}, Header(contrast="applied"), id="agent"),
        pytest.param({"ContrastBolusAgent": "NONE"}, Header(contrast="none"), id="agent none"),
        pytest.param({"ContrastBolusAgent": " "}, Header(), id="agent blank"),
        pytest.param(
            {"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "MONOENERGETIC 70"]},
            Header(beam_problem=True),
            id="mono-energetic",
        ),
        pytest.param(
            {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "IODINE MAP"]},
            Header(beam_problem=True),
            id="iodine map",
        ),
        pytest.param(
            {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "FilterMaterial": "TIN"},
            Header(beam_problem=True),
            id="tin",
        ),
        pytest.param(
            {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "FilterMaterial": "ALUMINUM"},
            Header(),
            id="aluminium",
        ),
    ],
)
def test_tags_are_read(tags, expected):
    assert describe(dataset(**tags)) == expected


@pytest.mark.realdata
def test_the_real_series_names_its_voltage_and_agent(shared_data):
    found = read(shared_data / "upper_abdomen_dicom")
    assert found.kvp is not None
    assert 80 <= found.kvp <= 140
