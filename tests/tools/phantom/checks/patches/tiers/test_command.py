"""The whole table, of patients whose errors are known; and what it refuses, in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.tools.phantom.checks.patches.tiers.made_up import OFFSET_HU, SLOPE, write
from tools.calibration.spine_phantom import Measured
from tools.phantom.checks.patches.tiers import calibrations, command, made
from tools.phantom.checks.patches.tiers.cohort import Cohort
from tools.phantom.objects.scans import EspScan

SETTINGS = {"size_mm": 20.0, "pixels": 32, "margin_mm": 5.0, "slice_step_mm": 2.7,
            "slice_thickness_mm": 2.7}  # fmt: skip
CNN_BIAS = 5.0
"""What the made-up network reads too much, mg/cm³."""


class MeanReader:
    """A network that reads the mean of its slices and 5 mg/cm³ more."""

    settings = SETTINGS
    interval = None
    bundle = SimpleNamespace(weights_sha256="ab" * 32)

    def read(self, cohort: Cohort, line: Any) -> np.ndarray:
        seen = line.to_reference(cohort.slices.astype(float)).mean(axis=(2, 3, 4))
        return np.where(cohort.read, seen / SLOPE + CNN_BIAS, np.nan)


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network and a test object whose lines are known."""

    def scan(scanner: str, seed: int, kvp: float, body_mm: Any) -> EspScan:
        assert body_mm == (380.0, 280.0)
        return EspScan(np.array([OFFSET_HU[scanner] + SLOPE * seed]), np.eye(4), {})

    def measure(image: np.ndarray, affine: np.ndarray, certificate: Any) -> Measured:
        hu = tuple(SLOPE * one + float(image[0]) for one in certificate)
        return Measured(tuple(certificate), hu, SLOPE, float(image[0]), 0.0, 25.0)

    monkeypatch.setattr(calibrations, "scan_esp", scan)
    monkeypatch.setattr(calibrations.spine_phantom, "measure", measure)
    monkeypatch.setattr(command, "_networks", lambda options: {"cnn": MeanReader()})


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("made_up") / "bench")


def biases(out: Path) -> dict[tuple[str, str, str], float]:
    with (out / "tiers.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["scanner"], row["reading"], row["tier"]): float(row["value"])
            for row in csv.DictReader(file)
            if (row["table"], row["measure"]) == ("levels", "bias")
        }


@pytest.mark.slow
def test_what_is_known_of_a_scanner_takes_its_error_away(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert command.main([str(bench), str(out), "--scanner", "A,C"]) == 0
    found = biases(out)
    noise = 0.6  # four standard errors of 237 levels with 4 HU of noise each
    # The line of A's patients carries C's whole offset; A itself is not scored with it.
    offset = (OFFSET_HU["C"] - OFFSET_HU["A"]) / SLOPE
    assert found["C", "hu_linear", "A"] == pytest.approx(offset, abs=noise)
    assert ("A", "hu_linear", "A") not in found
    for scanner in "AC":
        error = OFFSET_HU[scanner] / SLOPE
        for reading, own in (("hu_linear", 0.0), ("cnn", CNN_BIAS)):
            assert found[scanner, reading, "T0"] == pytest.approx(error + own, abs=noise)
            assert found[scanner, reading, "T1"] == pytest.approx(own, abs=noise)
            assert found[scanner, reading, "T2"] == pytest.approx(0.0, abs=2 * noise)
    content = json.loads((out / "tiers.json").read_text(encoding="utf-8"))
    assert content["phantom"] is True
    cells = content["scanners"]["C"]["hu_linear"]
    assert cells["T0"]["counts"]["patients"] == 60
    assert cells["T2"]["counts"]["patients"] == 30
    assert cells["T1"]["counts"]["unread"] == {"patch_outside_body": 1}
    assert content["scanners"]["C"]["calibrations"]["T2"]["cnn"]["patients"] == 30
    # Every further scan of the object reads 1 mg/cm3 more in its water.
    scans = content["scanners"]["C"]["calibrations"]["T1_hu_linear_bias_of_scans_mg_cm3"]
    assert scans[0] == pytest.approx(found["C", "hu_linear", "T1"], abs=1e-3)
    np.testing.assert_allclose(np.diff(scans), -1.0, atol=1e-3)
    # Its 95 % intervals: the reference line's is wide, the pairs' own holds about its share.
    assert cells["T2"]["interval"]["coverage"]["value"] > 0.9
    network = content["scanners"]["C"]["cnn"]
    assert network["T1"]["interval"]["coverage"]["value"] is None
    assert network["T2"]["interval"]["coverage"]["value"] > 0.9
    page = (out / "tiers.md").read_text(encoding="utf-8")
    assert "phantom results" in page.splitlines()[0]
    assert "internal calibration is left out: its weights are missing" in page
    shown = capsys.readouterr().out
    assert shown.startswith("phantom results")
    assert (
        shown.count("\n| ") == 14
    )  # the head, two readings of two scanners in three tiers, A's line


def test_pairs_are_drawn_by_the_seed(bench: Path) -> None:
    cohort = command.cohort.load(bench, "B", command.slabs.weights(2.7, 2.7))
    one, same, other = (calibrations.draw(cohort, seed) for seed in (1, 1, 2))
    assert one.sum() == other.sum() == 30
    assert (one == same).all()
    assert (one != other).any()


def test_the_rest_does_not_move_what_is_fitted(bench: Path) -> None:
    """The correction comes of the pairs alone."""
    cohort = command.cohort.load(bench, "B", command.slabs.weights(2.7, 2.7))
    chosen = calibrations.draw(cohort, 0)
    density = np.where(cohort.read, cohort.trabecular_hu / SLOPE, np.nan)
    one = calibrations.of_pairs(cohort, density, chosen, "hu_linear", None).correction
    spoiled = np.where(chosen[:, None], density, 7.0)
    again = calibrations.of_pairs(cohort, spoiled, chosen, "hu_linear", None).correction
    assert one == again
    gap = (cohort.qct_ha - density)[cohort.read & chosen[:, None]].mean()
    assert one.correct(100.0) - 100.0 == pytest.approx(gap, abs=1.0)


def test_a_reading_that_knows_nothing_has_no_correction(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others still have their rows, and the page says why."""

    def read(self: MeanReader, cohort: Cohort, line: Any) -> np.ndarray:
        return np.where(cohort.read, 200.0 - cohort.qct_ha, np.nan)

    monkeypatch.setattr(MeanReader, "read", read)
    assert command.main([str(bench), str(tmp_path), "--scanner", "A"]) == 0
    assert ("A", "cnn", "T2") not in biases(tmp_path)
    assert ("A", "hu_linear", "T2") in biases(tmp_path)
    assert "A, T2, CNN: left out" in (tmp_path / "tiers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("made", "more", "words"),
    [
        (None, [], "holds no bench"),
        ({"scanners": "AB"}, [], "holds no patients of scanner 'C'"),
        ({"scanners": "A", "patients": 39}, ["--scanner", "A"], "39 patients with a reference"),
        ({"scanners": "A", "margin_mm": 4.0}, [], "margin_mm 4, the network reads 5"),
        ({"scanners": "A"}, ["--scanner", ","], "names no scanner"),
        ({"scanners": "A"}, ["--object_scans", "0"], "--object_scans and --pair_draws are"),
        ({"scanners": "A"}, ["--pair_draws", "0"], "--object_scans and --pair_draws are"),
    ],
    ids=[
        "no bench",
        "no scanner",
        "few patients",
        "other patches",
        "no name",
        "no scan",
        "no draw",
    ],
)
def test_what_cannot_be_used_is_one_line(
    made: dict[str, Any] | None, more: list[str], words: str, tmp_path: Path, capsys: Any
) -> None:
    folder = tmp_path / "bench"
    if made is not None:
        write(folder, **{"patients": 40, **made})
    out = tmp_path / "out"
    assert command.main([str(folder), str(out), *more]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_several_voltages_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "bench", "A", 4)
    block = folder / "A-00000.npz"
    with np.load(block) as found:
        arrays = dict(found)
    arrays["kvp"][1] = 100.0
    np.savez(block, **arrays)
    with pytest.raises(ValueError, match="used at 100 and 120 kV"):
        command.cohort.load(folder, "A", command.slabs.weights(2.7, 2.7))


@pytest.mark.parametrize("content", ["{", "{}", '{"patch": {"size_mm": 20.0}}', "[]"])
def test_a_damaged_bench_is_one_line(tmp_path: Path, content: str) -> None:
    """Settings without the patch ended in a traceback."""
    (tmp_path / "bench.json").write_text(content)
    with pytest.raises(ValueError, match=r"bench\.json is damaged; draw the bench again"):
        made.settings(tmp_path)
