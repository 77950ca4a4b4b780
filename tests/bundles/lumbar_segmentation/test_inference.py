"""`inferring` and `evaluating` as a user runs them, with a network that is always right."""

import csv
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser
from monai.transforms import Compose, SaveImaged

from lumbar_bundle.cases import CaseEvaluator
from tests.bundles.lumbar_segmentation.dicom_files import write_series, write_slice
from tests.bundles.lumbar_segmentation.network_like import Spine, phantom_spine
from tests.bundles.lumbar_segmentation.oracle import Oracle, painted
from tests.bundles.workflows import config_files, prepared
from tools.volumes import reorient

LEVELS = {"L1": 1, "L2": 2, "L3": 3, "L4": 4}
ORACLE = {"_target_": "tests.bundles.lumbar_segmentation.oracle.Oracle"}
SIDE_MM = 45.0  # tissue beside the bodies: a slab of 60 mm would be a sagittal reformat


def patient() -> Spine:
    """One phantom's bodies in a field wide enough for an axial scan, RAS, 2 mm."""
    spine = phantom_spine(seed=5, index=0)
    side = int(SIDE_MM / spine.spacing_mm[0])
    affine = spine.affine.copy()
    affine[:3, 3] -= side * affine[:3, 0]
    return Spine(np.pad(spine.labels, ((side, side), (0, 0), (0, 0))), affine)


def save(path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * np.sum(one & other) / (one.sum() + other.sum())


@pytest.fixture(scope="module")
def spine() -> Spine:
    return patient()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "oracle.pt"
    torch.save(Oracle().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def scans(spine: Spine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One patient in all the ways a folder may hold him, and what else lies there."""
    folder = tmp_path_factory.mktemp("scans")
    hu = painted(spine.labels)
    save(folder / "ras.nii.gz", hu, spine.affine)
    save(folder / "pil.nii.gz", *reorient(hu, spine.affine, "PIL"))
    # DICOM's rows run to the left, its columns to the back, its slices up.
    x, y, z = spine.spacing_mm
    lps, affine = reorient(hu, spine.affine, "LPS")
    origin = np.diag([-1, -1, 1]) @ affine[:3, 3]
    axial = lps.transpose(2, 1, 0).astype(np.int32)
    for index, image in enumerate(axial):
        write_slice(
            folder / "series" / f"{index:03d}.dcm", image, "1.2.3",
            origin + [0, 0, index * z], PixelSpacing=[y, x], SliceThickness=z,
        )  # fmt: skip
    middle = hu.shape[0] // 2
    save(folder / "slice.nii.gz", hu[middle : middle + 1], _moved(spine.affine, middle))
    # What cannot be used.
    save(folder / "scaled.nii.gz", np.linspace(0, 1, 8000).reshape(20, 20, 20), spine.affine)
    (folder / "cut.nii.gz").write_bytes((folder / "ras.nii.gz").read_bytes()[:500])
    write_series(folder / "mr", axial[:4], uid="1.2.8", Modality="MR")
    return folder


def _moved(affine: np.ndarray, first: int) -> np.ndarray:
    moved = affine.copy()
    moved[:3, 3] += first * moved[:3, 0]
    return moved


@pytest.fixture(scope="module")
def results(
    bundle: Path, scans: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Folder of results after one run over all scans."""
    output = tmp_path_factory.mktemp("results")
    (output / "scaled_seg.nii.gz").write_bytes(b"of an earlier run")
    workflow = prepared(
        config_files(bundle, "inference"), "infer", run_id="inferring",
        bundle_root=str(bundle), image=str(scans), output_dir=str(output),
        weights_file=str(weights), network_def=ORACLE,
    )  # fmt: skip
    assert workflow.check_properties() == []
    workflow.run()
    workflow.finalize()
    return output


def levels_of(results: Path, case: str) -> dict[str, Any]:
    return json.loads((results / f"{case}_levels.json").read_text())


SERIES = "series-c47f5b18b8"  # SHA-256 of 1.2.3


def test_every_input_has_its_json_and_nothing_else_is_left(results: Path) -> None:
    found = {path.name for path in results.iterdir()}
    read = {"ras", "pil", "slice", SERIES}
    failed = {"scaled", "cut", levels_name(results, "MR, not CT")}
    assert found == {f"{case}_levels.json" for case in read | failed} | {
        f"{case}_seg.nii.gz" for case in read
    }


def levels_name(results: Path, reason: str) -> str:
    """Case whose failure has this reason."""
    for path in results.glob("*_levels.json"):
        content = json.loads(path.read_text())
        if reason in (content["reason"] or ""):
            return content["case"]
    raise AssertionError(f"no case failed because of {reason}")


@pytest.mark.parametrize("case", ["ras", "pil", SERIES])
def test_levels_are_right_on_the_inputs_own_grid(
    case: str, results: Path, scans: Path, spine: Spine
) -> None:
    written = nib.load(results / f"{case}_seg.nii.gz")
    if case != SERIES:
        given = nib.load(scans / f"{case}.nii.gz")
        assert written.shape == given.shape
        np.testing.assert_allclose(written.affine, given.affine, atol=1e-4)
        assert int(written.header["sform_code"]) == int(written.header["qform_code"]) == 1
    assert written.get_data_dtype() == np.uint8
    labels, affine = reorient(np.asanyarray(written.dataobj), written.affine, "RAS")
    np.testing.assert_allclose(affine, spine.affine, atol=1e-3)
    content = levels_of(results, case)
    assert content["status"] == "done"
    for level, label in LEVELS.items():
        assert content["levels"][level]["status"] == "measured"
        assert dice(labels == label, spine.labels == label) > 0.9
        expected = np.argwhere(spine.labels == label).mean(axis=0)
        place = spine.affine[:3, :3] @ expected + spine.affine[:3, 3]
        assert np.linalg.norm(np.subtract(content["levels"][level]["centroid_ras_mm"], place)) < 1


def test_the_same_patient_gives_the_same_answer_in_every_form(results: Path) -> None:
    answers = [levels_of(results, case)["levels"] for case in ("ras", "pil", SERIES)]
    for other in answers[1:]:
        for level in LEVELS:
            assert other[level]["volume_mm3"] == pytest.approx(
                answers[0][level]["volume_mm3"], rel=1e-3
            )


def test_a_single_slice_is_a_reformat(results: Path, spine: Spine) -> None:
    content = levels_of(results, "slice")
    assert content["input"]["sagittal_reformat"] is True
    assert content["input"]["shape"][0] == 1
    assert levels_of(results, "ras")["input"]["sagittal_reformat"] is False
    written = np.asanyarray(nib.load(results / "slice_seg.nii.gz").dataobj)[0]
    truth = spine.labels[spine.labels.shape[0] // 2]
    for level, label in LEVELS.items():
        assert content["levels"][level]["status"] == "measured"
        assert content["levels"][level]["volume_mm3"] is None
        assert dice(written == label, truth == label) > 0.85


FAILURES = {
    "scaled": r"values 0 to 1 look scaled to 0..1; give the CT in HU, as the scanner wrote it",
    "cut": "is no readable NIfTI file or is cut off; copy or convert it again",
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_case_says_why_and_leaves_no_map(case: str, results: Path) -> None:
    unknown = {"shape": None, "spacing_mm": None, "sagittal_reformat": None}
    assert levels_of(results, case) == {
        "schema": 1, "case": case, "status": "failed", "reason": FAILURES[case],
        "input": {"kind": "nifti", **unknown}, "levels": None, "chain": None,
    }  # fmt: skip


def test_nothing_written_names_the_patient_or_the_path(results: Path, scans: Path) -> None:
    for path in results.glob("*.json"):
        text = path.read_text()
        assert "Doe" not in text
        assert "4711" not in text
        assert str(scans) not in text


def test_the_input_is_described(results: Path, spine: Spine) -> None:
    content = levels_of(results, SERIES)
    assert (content["schema"], content["case"]) == (1, SERIES)
    assert content["input"]["kind"] == "dicom"
    assert content["input"]["shape"] == list(spine.labels.shape)
    assert content["input"]["spacing_mm"] == pytest.approx(list(spine.spacing_mm), abs=1e-3)
    assert list(content["levels"]) == list(LEVELS)  # head to foot
    assert len(content["chain"]) >= 5


def test_the_saver_is_one_that_monai_label_and_deploy_leave_out(bundle: Path) -> None:
    parser = ConfigParser()
    parser.read_config(config_files(bundle, "inference"))
    parser["bundle_root"] = str(bundle)
    *_, last = parser.get_parsed_content("postprocessing").transforms
    assert isinstance(last, SaveImaged)
    assert "SaveImage" in type(last).__name__


@pytest.fixture(scope="module")
def evaluated(
    bundle: Path, spine: Spine, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Folder of `predictions.csv` after an evaluation of three scans, one of them unreadable."""
    folder = tmp_path_factory.mktemp("evaluated")
    records = []
    for case, codes in (("A0001", "RAS"), ("A0002", "LPI"), ("A0003", "RAS")):
        record = {"image": f"images/{case}.nii.gz", "label": f"labels/{case}.nii.gz"}
        labels = spine.labels.astype(np.uint8)
        save(folder / record["image"], *reorient(painted(labels), spine.affine, codes))
        save(folder / record["label"], *reorient(labels, spine.affine, codes))
        records.append(record)
    (folder / "images" / "A0003.nii.gz").write_bytes(b"")
    lists = {"training": [], "validation": [], "test": records}
    (folder / "lumbar_segmentation.json").write_text(json.dumps(lists))
    workflow = prepared(
        config_files(bundle, "train", "evaluate"), "train", run_id="evaluating",
        bundle_root=str(bundle), dataset_dir=str(folder), output_dir=str(folder / "out"),
        weights_file=str(weights), network_def=ORACLE, device=torch.device("cpu"), num_workers=1,
    )  # fmt: skip
    workflow.run()
    workflow.finalize()
    return folder / "out"


def test_every_level_of_every_case_has_a_row(evaluated: Path) -> None:
    with (evaluated / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["level"]) for row in rows] == [
        (case, level) for case in ("A0001", "A0002", "A0003") for level in LEVELS
    ]
    for row in rows:
        assert row["present"] == "1"
        if row["case"] == "A0003":
            assert (row["status"], row["dsc"], row["scan_valid"]) == ("failed", "0.0", "0")
            continue
        assert (row["status"], row["named_right"], row["scan_valid"]) == ("measured", "1", "1")
        assert float(row["dsc"]) > 0.9
        assert float(row["ppv"]) > 0.85
        assert float(row["sensitivity"]) > 0.85
        assert float(row["msd_mm"]) < 1.0


def test_a_case_that_fails_behind_the_network_does_not_stop_the_others(tmp_path: Path) -> None:
    def refuse_the_first(item: dict[str, Any]) -> dict[str, Any]:
        if item["case"] == "a":
            raise ArithmeticError("no such body")
        return item

    evaluator = CaseEvaluator(
        device=torch.device("cpu"),
        val_data_loader=[{"case": [case], "image": torch.zeros(1, 1, 4, 4)} for case in ("a", "b")],
        network=torch.nn.Identity(),
        postprocessing=Compose([refuse_the_first]),
    )
    seen = []
    evaluator.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: seen.append(dict(engine.state.output[0]))
    )
    evaluator.run()
    assert seen[0] == {
        "case": "a",
        "failure": "unexpected ArithmeticError: no such body; see the log",
    }
    assert seen[1]["pred"].shape == (1, 4, 4)
