"""The check of causes compares a patient with itself, and covers what it says it covers."""

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from tools import bundles, fractures
from tools.phantom import recipe
from tools.phantom.checks.fractures import cause
from tools.phantom.checks.fractures.cause import Cover, Row
from tools.phantom.checks.fractures.reading import Reader, Seen, middles_mm, nearest_body


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network that knows nothing."""
    path = tmp_path_factory.mktemp("weights") / "model.pt"
    bundles.module(fractures.NAME, "ovf_bundle")  # puts the package on the path
    config = bundles.FOLDER / fractures.NAME / "configs" / "inference.yaml"
    parser = ConfigParser(ConfigParser.load_config_file(config))
    torch.manual_seed(0)
    torch.save(parser.get_parsed_content("network_def").state_dict(), path)
    return path


def row(**changed):
    usual = Row(0, "L1:wedge:2", 0.9, 0.1, 0.5, 0.5, 0.5, 0.5, "L1", 0.0, True, "")
    return usual._replace(**changed)


@pytest.mark.parametrize(
    ("place", "hidden"),
    [
        pytest.param((0, 0, 40), True, id="in a body"),
        pytest.param((0, 0, 60), True, id="between two bodies"),
        pytest.param((34, 0, 40), True, id="just inside its side"),
        pytest.param((36, 0, 40), False, id="beside it"),
        pytest.param((0, 35, 40), True, id="just inside its front"),
        pytest.param((0, 37, 40), False, id="before it"),
        pytest.param((0, -25, 40), True, id="just inside its rear"),
        pytest.param((0, -27, 40), False, id="the canal"),
        pytest.param((0, 0, 400), True, id="straight on beyond the last body"),
    ],
)
def test_the_cover_is_a_column_about_the_bodies(place, hidden):
    middles = np.array([[0.0, 0.0, z] for z in range(0, 200, 30)])
    assert Cover(middles, 26.0)(np.array([place], dtype=float)).tolist() == [hidden]


def test_the_cover_follows_a_bent_spine():
    z = np.arange(0.0, 200.0, 30.0)
    middles = np.stack([0.1 * z, 20 - 0.002 * z**2, z], axis=1)
    hides = Cover(middles, 26.0)
    places = np.array([[12.0, 20 - 0.002 * 120**2 + 30, 120.0], [12.0, 50.0, 120.0]])
    assert hides(places).tolist() == [True, False]


def test_nothing_covered_is_the_scan_itself_and_all_covered_is_any_scan(weights):
    reader = Reader.of(weights)
    torch.manual_seed(1)
    places = np.diag([-3.0, -1.0, -1.0, 1.0])[None]
    scans = [Seen(0.0, (), torch.rand(3, 4, 224, 224), places, ()) for _ in range(2)]
    bare = [reader.covered(one, lambda at: np.zeros(len(at), bool)) for one in scans]
    for one, found in zip(scans, bare, strict=True):
        with torch.no_grad():
            logit = reader.bundle.inferer(one.image[None], reader.bundle.network)[0, 0]
        assert found == pytest.approx(float(torch.sigmoid(logit)))
    assert bare[0] != bare[1]
    hidden = [reader.covered(one, lambda at: np.ones(len(at), bool)) for one in scans]
    assert hidden[0] == hidden[1]


def test_places_covered_are_millimetres_of_the_patient(weights):
    reader = Reader.of(weights)
    places = np.array([[-3.0, 0, 0, 6], [0, 0, -1, 90], [0, -1, 0, 200], [0, 0, 0, 1]])
    seen = Seen(0.0, (), torch.zeros(3, 4, 224, 224), places[None], ())
    asked = []
    reader.covered(seen, lambda at: asked.append(at) or np.zeros(len(at), bool))
    assert [float(np.unique(at[:, 0])[0]) for at in asked] == [6.0, 3.0, 0.0, -3.0]
    low, high = asked[0].min(0), asked[0].max(0)
    scale = 512 / 224
    assert high[2] == pytest.approx(200 - (scale - 1) / 2)  # middle of the first row's area
    assert low[1] == pytest.approx(90 - 511 + (scale - 1) / 2)


def test_the_nearest_body_and_how_far_it_is():
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[2:5, 2:5, 2:5], labels[2:5, 2:5, 7:9], labels[9, 9, 9] = 1, 2, 6
    names, affine = {1: "L1", 2: "L2"}, np.diag([2.0, 2.0, 2.0, 1.0])
    assert nearest_body(np.array([6.0, 6.0, 6.0]), labels, affine, names) == ("L1", 0.0)
    assert nearest_body(np.array([6.0, 6.0, 11.0]), labels, affine, names) == ("L1", 3.0)
    assert nearest_body(np.array([18.0, 18.0, 18.0]), labels, affine, names)[0] == "L2"
    assert nearest_body(np.zeros(3), labels * 0, affine, names) == (None, float("inf"))
    assert {name: at.tolist() for name, at in middles_mm(labels, affine, names).items()} == {
        "L1": [6.0, 6.0, 6.0],
        "L2": [6.0, 6.0, 15.0],
    }


def test_the_table_counts_what_lies_outside_and_what_is_refused():
    rows = [
        *(row(patient=number) for number in range(8)),
        row(patient=8, broken=0.2, whole=0.3, peak="T12", on_fracture=False),
        row(patient=9, kinds=""),
        row(patient=10, reasons="field_too_small", broken=float("nan")),
    ]
    found = cause.table(rows)
    assert "11 patients: 1 with no fracture whole in the field, 1 refused, 9 counted" in found
    assert "| probability rises with the fracture | 0.889" in found
    assert "of 8 positives" in found
    assert "| bodies and discs | 0.500" in found


@pytest.mark.slow
def test_a_patient_is_read_broken_and_whole(weights):
    given = recipe.load("quick")
    given["pathology"] |= {"grades": [3], "mimics": 0.4, "highest": "T12"}
    found, shown = cause.read_patient(given, 3, 0, "A", str(weights))
    assert found.kinds
    assert all(kind.endswith(":3") for kind in found.kinds.split())
    assert found.broken != found.whole
    assert len({found.broken, found.broken_bodies, found.broken_vertebrae}) == 3
    assert found.peak
    assert shown.picture.shape == (224, 224)
    broken, whole = (cause._twin(given, 3, 0, "A", share) for share in (1.0, 0.0))
    assert whole.truth["label"] == 0
    assert broken.truth["age"] == whole.truth["age"]
    # A broken spine leans a little otherwise, and the field with it, mm.
    np.testing.assert_allclose(broken.affine, whole.affine, atol=0.5)


def test_weights_that_are_missing_are_one_line(tmp_path, capsys):
    assert cause.main([str(tmp_path / "out"), "--weights", str(tmp_path / "none.pt")]) == 2
    error = capsys.readouterr().err
    assert "none.pt" in error
    assert error.count("\n") == 1
