"""The anatomy comparison on analytic spines, and the real masks it is held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tools.morphometry.bodies import Body, draw, turn
from tools.morphometry import measure
from tools.morphometry.published import REFERENCES
from tools.phantom.checks import anatomy, coarse, real_masks, tables
from tools.phantom.checks.picture import draw_points
from tools.phantom.checks.rows import LENGTHS, Row, flatten, voxel_tolerance


def drawn(
    recipe: dict[str, Any], seed: int, index: int, spacing_mm: float = 1.0
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Two bodies whose size grows with the patient's number."""
    body = Body(anterior=24.0 + index, posterior=25.0 + index, bowl=1.0)
    placed = [
        (label, body, turn(5, 3, 2), np.array([0.0, 0.0, height]))
        for label, height in ((2, 20.0), (3, -20.0))
    ]
    labels, affine = draw(placed, (spacing_mm,) * 3, turn(2, 1, 3))
    return labels, affine, {"sex": "FM"[index % 2], "age": 40.0 + index}


@pytest.fixture
def patients(monkeypatch: pytest.MonkeyPatch) -> list[tables.PatientRows]:
    monkeypatch.setattr(anatomy.case, "draw_labels", drawn)
    return anatomy.measure_all({}, 3, 4, workers=1)


def test_patients_are_summarised_per_sex(patients: list[tables.PatientRows]) -> None:
    found = tables.collect(patients)
    women = found["L2", "height_posterior", "F"]
    men = found["L2", "height_posterior", "M"]
    assert (women.count, men.count) == (2, 2)
    assert women.mean == pytest.approx(26.0, abs=0.6)
    assert men.mean == pytest.approx(27.0, abs=0.6)
    assert found["L2", "height_posterior", "both"].count == 4
    assert tables.collect(patients, coarse=True)["L3", "depth_middle", "both"].count == 4


def test_report_sets_measured_beside_published(patients: list[tables.PatientRows]) -> None:
    text = anatomy.report(patients, 3, "standard", [])
    line = next(row for row in text.splitlines() if row.startswith("| L2 | height_posterior | F"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    published = next(
        row for row in REFERENCES if (row.place, row.measure, row.sex) == ("L2", cells[1], "F")
    )
    assert cells[5] == f"{published.mean:.1f} ± {published.sd:.1f}"
    measured = float(cells[4].split()[0])
    assert published.sd is not None
    assert float(cells[6]) == pytest.approx((measured - published.mean) / published.sd, abs=0.05)


def test_every_value_is_listed(patients: list[tables.PatientRows]) -> None:
    lines = anatomy.to_csv(patients).splitlines()
    assert lines[0] == "patient,sex,age,spacing_mm,place,measure,value"
    assert len(lines) == 1 + sum(len(one.rows) + len(one.coarse) for one in patients)


def test_segment_shares_add_up() -> None:
    rows = [
        Row(place, "segment_angle", angle)
        for place, angle in zip(
            ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1"), (1.0, 4.0, 9.0, 12.0, 24.0), strict=True
        )
    ]
    found = tables.collect([tables.PatientRows(0, "F", 50.0, rows, [], {})])
    shares = {key[0]: one.mean for key, one in found.items() if key[1] == "segment_share"}
    assert sum(shares.values()) == pytest.approx(100)
    assert shares["L5/S1"] == pytest.approx(48)


@pytest.mark.parametrize("shift", [(0, 0, 0), (1, 2, 0)])
def test_coarse_maps_keep_place_and_size(shift: tuple[int, int, int]) -> None:
    labels, affine, _ = drawn({}, 0, 0)
    fine = measure(labels, affine).levels["L2"]
    rough = measure(*coarse.coarsen(labels, affine, 3, shift)).levels["L2"]
    assert fine.centroid_ras_mm is not None
    assert rough.centroid_ras_mm == pytest.approx(fine.centroid_ras_mm, abs=0.4)
    assert rough.volume_mm3 == pytest.approx(fine.volume_mm3, rel=0.03)


def test_published_measures_are_measured_ones() -> None:
    labels, affine, _ = drawn({}, 0, 0)
    names = {row.measure for row in flatten(measure(labels, affine))}
    alone = {"segment_share", "lordosis_t12_s1", "lordosis_l4_s1", "sacral_slope"}
    assert {row.measure for row in REFERENCES} <= names | alone
    assert names - LENGTHS >= {"wedge", "volume"}
    assert voxel_tolerance("volume", 35.0, 3.0) is None


def test_values_outside_the_range_are_named() -> None:
    labels, affine, _ = drawn({}, 0, 0)
    mask = real_masks.RealMask("made", labels, affine, 1.0, 1, "drawn so")
    ranges = {("L2", "height_posterior"): (23.0, 27.0), ("L3", "depth_upper"): (40.0, 50.0)}
    verdicts, missing = real_masks.compare(mask, ranges)
    assert [verdict.inside for verdict in verdicts] == [True, False]
    assert verdicts[1].off == pytest.approx(6.0, abs=0.5)
    assert missing == {}
    text = "\n".join(tables.mask_table(mask, verdicts, missing))
    assert "1 of 2 values lie inside" in text
    assert ": drawn so |" in text


def test_points_are_drawn(tmp_path: Path) -> None:
    labels, affine, _ = drawn({}, 0, 0)
    draw_points(tmp_path / "a" / "points.png", labels, affine)
    draw_points(tmp_path / "empty.png", np.zeros((9, 9, 9), np.uint8), affine)
    assert (tmp_path / "a" / "points.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "empty.png").is_file()


@pytest.mark.parametrize(
    "words",
    [["out", "--patients", "1"], ["out", "--workers", "0"], ["out", "--patiens", "9"], []],
    ids=["too-few", "no-workers", "misspelt", "no-folder"],
)
def test_unusable_requests_end_with_status_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        anatomy.main(words)
    assert end.value.code == 2


def test_unknown_recipe_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert anatomy.main([str(tmp_path / "out"), "--recipe", "standrad"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.realdata
def test_bodies_of_the_lumbar_ct_have_human_size(shared_data: Path) -> None:
    folder = shared_data / "lumbar_ct_3mm"
    if not folder.is_dir():
        pytest.skip("no lumbar_ct_3mm")
    mask = real_masks.lumbar(folder)
    found = measure(mask.labels, mask.affine)
    assert found.levels["T12"].reason == "touches_border"
    for level in ("L1", "L2", "L3", "L4", "L5"):
        height, depth = found.levels[level].height_mm, found.levels[level].depth_mm
        assert height is not None
        assert depth is not None
        assert 20 < height.posterior < 33
        assert 20 < height.middle < 33
        assert 29 < depth.middle < 45
    assert found.alignment.sacral_slope == pytest.approx(48, abs=8)
    assert [disc for disc in found.discs if disc.endswith("S1")] == ["L5/S1"]


@pytest.mark.realdata
def test_body_of_the_l3_crop_is_one_vertebra(shared_data: Path) -> None:
    folder = shared_data / "l3_crop"
    if not folder.is_dir():
        pytest.skip("no l3_crop")
    mask = real_masks.l3_crop(folder)
    body = measure(mask.labels, mask.affine).levels["L3"]
    assert body.height_mm is not None
    assert 22 < body.height_mm.posterior < 32
    assert body.volume_mm3 is not None
    assert 20_000 < body.volume_mm3 < 60_000
