"""What a DICOM header says about how a CT was made, with the tags as departments fill them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from monai.data import MetaTensor
from pydicom.dataset import Dataset

from tests.bundles.lumbar_segmentation.dicom_files import body, write_series, write_slice
from tools.screen import assemble, gate
from tools.screen.header import Header, describe, merge, read
from tools.screen.scan import Case, Scan
from tools.screen.settings import Settings


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
        pytest.param({"SliceThickness": "5"}, Header(thickness_mm=5.0), id="thickness"),
        pytest.param({"SliceThickness": "0"}, Header(), id="no thickness"),
        pytest.param(
            {"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "SPECTRAL 70KEV"]},
            Header(beam_problem=True),
            id="keV",
        ),
    ],
)
def test_tags_are_read(tags, expected):
    assert describe(dataset(**tags)) == expected


@pytest.mark.parametrize(
    "tags",
    [
        {"SeriesDescription": "Mono 70 keV"},
        {"SeriesDescription": "MonoE_55keV"},
        {"SeriesDescription": "VMI+ 40"},
        {"SeriesDescription": "Abd Iodine Map 2.0"},
        {"SeriesDescription": "DE_VNC 3.0"},
        {"SeriesDescription": "Z Effective"},
        {"DerivationDescription": "monoenergetic reconstruction"},
        {"SeriesDescription": "Abd Sn100 2.0 Br40"},
        {"ProtocolName": "LDCT_Sn150"},
        {"FilterType": "SN"},
        {"KVP": ["100", "140"]},
    ],
    ids=lambda tags: str(*tags.values()),
)
def test_other_beams_are_known_by_what_a_series_is_called(tags):
    """Symptom: a mono-energetic series whose ImageType is plain was calibrated as 120 kV."""
    said = {"KVP": "120", "ImageType": ["DERIVED", "PRIMARY", "AXIAL"]} | tags
    assert describe(dataset(**said)).beam_problem


@pytest.mark.parametrize(
    "tags",
    [
        {"SeriesDescription": "Abdomen 3.0 Br40 S3"},
        {"SeriesDescription": "monitoring"},
        {"SeriesDescription": "Kevin 1.0 standard"},
        {"ProtocolName": "DE_Abdomen_LiverVNC"},
        {"SeriesDescription": "SNAP 120 kV"},
        {"KVP": ["120", "120"]},
    ],
    ids=lambda tags: str(*tags.values()),
)
def test_other_words_are_no_other_beam(tags):
    found = describe(dataset(**{"KVP": "120"} | tags))
    assert (found.kvp, found.beam_problem) == (120.0, False)


@pytest.mark.parametrize(
    "agent",
    ["NO CONTRAST", "0", "-", "keine", "Ohne KM", "w/o contrast", "n/a", "no i.v. contrast"],
)
def test_words_for_no_agent_are_not_taken_for_one(agent):
    """Symptom: an unenhanced scan lost its density for "NO CONTRAST" in its header."""
    assert describe(dataset(ContrastBolusAgent=agent)).contrast == "none"


@pytest.mark.parametrize("agent", ["CONTRAST", "IV", "no reaction to Omnipaque", "KM: ja", "370"])
def test_other_words_are_an_agent(agent):
    assert describe(dataset(ContrastBolusAgent=agent)).contrast == "applied"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param({"ContrastBolusVolume": "90"}, "applied", id="volume"),
        pytest.param(
            {"ContrastBolusVolume": "90", "ContrastBolusAgent": "NONE"},
            "applied",
            id="not none",
        ),
        pytest.param(
            {"ContrastBolusVolume": "0", "ContrastBolusAgent": "NONE"}, "none", id="volume 0"
        ),
        pytest.param({"ContrastBolusVolume": "0"}, "unknown", id="volume 0 alone"),
        pytest.param({"ContrastBolusTotalDose": "60"}, "applied", id="dose"),
        pytest.param({"ContrastFlowRate": ["3", "0"]}, "applied", id="flow"),
        pytest.param({"ContrastFlowRate": "0"}, "unknown", id="no flow"),
        pytest.param({"ContrastBolusStartTime": "101530"}, "applied", id="time"),
        pytest.param({"ContrastBolusStopTime": "101530"}, "applied", id="end"),
        pytest.param({"ContrastBolusStartTime": "000000"}, "unknown", id="time of zeros"),
        pytest.param({"ContrastBolusAgent": "unknown"}, "unknown", id="unknown"),
    ],
)
def test_an_amount_or_a_time_tells_contrast_too(tags, expected):
    """Symptom: an enhanced scan whose header names no agent but its volume passed as unknown."""
    assert describe(dataset(**tags)).contrast == expected


# ---- a series ----


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param(Header(120.0), Header(120.0), id="alike"),
        pytest.param(Header(100.0), Header(None, beam_problem=True), id="two voltages"),
        pytest.param(Header(), Header(120.0), id="voltage once"),
        pytest.param(
            Header(120.0, contrast="applied"), Header(120.0, contrast="applied"), id="agent later"
        ),
        pytest.param(Header(120.0, contrast="none"), Header(120.0), id="none said once"),
        pytest.param(
            Header(120.0, beam_problem=True), Header(120.0, beam_problem=True), id="other beam"
        ),
        pytest.param(
            Header(120.0, "B30f", thickness_mm=6.0),
            Header(120.0, "B30f", thickness_mm=6.0),
            id="thicker",
        ),
    ],
)
def test_every_slice_of_a_series_counts(others, expected):
    assert merge([Header(120.0), others]) == expected
    assert merge([others, Header(120.0)]) == expected


def test_every_file_of_a_series_is_read(tmp_path):
    """Symptom: a series of two tube voltages was calibrated by that of its first file."""
    paths = write_series(tmp_path, body(), KVP="120", ConvolutionKernel="B30f")
    assert read(paths) == Header(120.0, "B30f", thickness_mm=4.0)
    write_slice(
        paths[3], body()[3], "1.2.3", (10, 10, 22), KVP="80", ContrastBolusAgent="Ultravist"
    )
    assert read(paths) == Header(None, "B30f", "applied", True, 4.0)


def test_a_malformed_number_is_not_known(tmp_path):
    """Symptom: letters in the tube voltage failed the whole case."""
    (path, *_) = write_series(tmp_path, body(1), KVP="121.5", SliceThickness=4.5)
    path.write_bytes(path.read_bytes().replace(b"121.5", b"about"))
    assert read([path]) == Header(thickness_mm=4.5)


def judge_thickness(header: Header, grid: np.ndarray) -> gate.Judgement:
    image = MetaTensor(np.zeros((1, 4, 4, 4), np.int16), affine=grid)
    scan = Scan(Case("ct", "dicom", (Path("a.dcm"),)), image, header)
    found = SimpleNamespace(aorta=SimpleNamespace(hu_median=None))
    return gate.judge(assemble._scan_facts(scan, found, Settings(), 120.0), {})


@pytest.mark.parametrize(
    ("thickness_mm", "interval_mm", "expected"),
    [(10.0, 2.0, "reasons"), (6.0, 2.0, "warnings"), (2.0, 6.0, "warnings"), (None, 2.0, "")],
)
def test_overlapping_thick_slices_are_thick(thickness_mm, interval_mm, expected):
    """Symptom: slices of 10 mm every 2 mm were measured without a word."""
    grid = np.diag([1.0, 1.0, interval_mm, 1.0])
    judged = judge_thickness(Header(120.0, thickness_mm=thickness_mm), grid)
    assert ("thick" in judged.reasons) == (expected == "reasons")
    assert ("thick" in judged.warnings) == (expected != "")


@pytest.mark.parametrize(
    ("interval_mm", "tilt_mm", "warned"),
    [
        pytest.param(5.0, 0.0, False, id="5 mm"),
        pytest.param(5.0 + 1e-6, 0.0, False, id="rounded places"),
        pytest.param(5.0, 2.0, False, id="tilted gantry"),
        pytest.param(5.1, 0.0, True, id="thick"),
    ],
)
def test_slices_of_5_mm_are_not_thick(interval_mm, tilt_mm, warned):
    """Symptom: an oblique scan of 5 mm slices was warned of, 6e-15 mm over the limit."""
    grid = np.diag([1.0, 1.0, interval_mm, 1.0])
    grid[1, 2] = tilt_mm
    judged = judge_thickness(Header(120.0, thickness_mm=5.0), grid)
    assert ("thick" in judged.warnings) == warned


@pytest.mark.realdata
def test_the_real_series_names_its_voltage_and_agent(shared_data):
    folder = shared_data / "upper_abdomen_dicom"
    found = read(sorted(path for path in folder.rglob("*") if path.is_file()))
    assert found.kvp is not None
    assert 80 <= found.kvp <= 140
    assert found.thickness_mm is not None
