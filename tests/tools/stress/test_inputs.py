"""The stress test of bad inputs: what is made, what counts as a fault, what is written."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.bundles.lumbar_segmentation.dicom_files import body, write_series
from tools import cli
from tools.screen import folder, gate
from tools.stress import __main__, inputs, mutants, verdict
from tools.stress.mutants import KINDS, SAMPLES, Mutant, Way
from tools.volumes import save_nifti

AFFINE = np.diag([-2.0, 2.0, 3.0, 1.0])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Stand-ins for the real samples: every voxel has a value of its own."""
    root = tmp_path_factory.mktemp("data")
    volume = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)
    for name, file in mutants.NIFTI.items():
        (root / name).mkdir()
        save_nifti(root / name / file, volume, AFFINE)
    for name, (file, _) in inputs.MASKS.items():
        save_nifti(root / name / file, (volume % 30).astype(np.uint8), AFFINE)
    write_series(root / mutants.DICOM, body(9))
    return root


def files(place):
    return {path.name: path.read_bytes() for path in Path(place).rglob("*") if path.is_file()}


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_mutant_and_the_sample_stays(sample, kind, data, tmp_path):
    before = files(data)
    made = [mutants.make(Mutant(sample, kind, seed), data, tmp_path / f"{n}") for n, seed in
            enumerate((3, 3, 4, 5, 6, 7))]  # fmt: skip
    content = [files(tmp_path / f"{n}") for n in range(len(made))]
    assert content[0] == content[1]
    assert any(other != content[0] for other in content[2:])
    assert content[0] != files(data / sample)
    assert files(data) == before


@pytest.mark.parametrize("kind", ["crop", "flip"])
@pytest.mark.parametrize("seed", range(6))
def test_the_way_back_leads_to_the_same_voxel(kind, seed, data, tmp_path):
    path, way = mutants.make(Mutant("l3_crop", kind, seed), data, tmp_path / "made")
    source = np.asanyarray(nib.load(data / "l3_crop" / "ct.nii.gz").dataobj)
    made = np.asanyarray(nib.load(path).dataobj)
    index = np.moveaxis(np.indices(made.shape), 0, -1)
    back = way.back(index)
    np.testing.assert_array_equal(made, source[tuple(np.moveaxis(back, -1, 0))])
    if kind == "crop":  # the patient stays where he was
        moved = nib.load(path).affine @ [0, 0, 0, 1]
        np.testing.assert_allclose(moved, AFFINE @ [*back[0, 0, 0], 1])


def test_samples_and_kinds_are_all_combined():
    drawn = {(one.sample, one.kind) for one in mutants.draw(30, 7)}
    assert len(drawn) == len(SAMPLES) * len(KINDS) == 30


# ---- what is a fault ----

ENTRY = {"case": "ct", "input": "ct.nii.gz", "status": "refused", "reason": "no_anchor"}


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        pytest.param([ENTRY], None, id="refused"),
        pytest.param([], "no entry", id="none"),
        pytest.param([ENTRY | {"reason": None}], "no one-line reason", id="no reason"),
        pytest.param([ENTRY | {"reason": "a\nb"}], "no one-line reason", id="two lines"),
        pytest.param([ENTRY | {"status": "lost"}], "status lost", id="status"),
        pytest.param(
            [ENTRY | {"status": "failed", "reason": "unexpected KeyError: 1"}],
            "unexpected KeyError",
            id="unexpected",
        ),
    ],
)
def test_faults_of_a_run(entries, fault, tmp_path, data):
    given = data / "l3_crop" / "ct.nii.gz"
    assert verdict.judge(tmp_path, given, verdict.NOTHING).faults == ["no run.json"]
    (tmp_path / "run.json").write_text(json.dumps({"cases": entries}))
    found = verdict.judge(tmp_path, given, verdict.NOTHING)
    assert found.entries == entries
    assert len(found.faults) == (fault is not None)
    assert all(fault in one for one in found.faults)


def boxes(level_box, shape=(60, 60, 60)):
    mask = np.zeros(shape, np.uint8)
    mask[level_box] = 1
    return mask


@pytest.mark.parametrize(
    ("start", "ids", "faults"),
    [
        pytest.param((10, 10, 10), {"L1": 1}, [], id="in its mask"),
        pytest.param((10, 10, 10), {"L2": 1}, ["L1 measured outside its mask"], id="another's"),
        pytest.param((40, 10, 10), {"L1": 1}, ["L1 measured outside its mask"], id="cropped away"),
        pytest.param(None, {}, ["L1 measured where nothing is known"], id="no mask"),
    ],
)
def test_a_measured_patch_must_lie_in_the_mask_of_its_level(start, ids, faults, tmp_path):
    """The mutant is a crop of the source from `start` on; L1 is a box of 40 x 36 x 32 mm in it."""
    written = boxes((slice(5, 25), slice(5, 23), slice(5, 21)), (40, 40, 40))
    rng = np.random.default_rng(0)
    hu = np.where(written == 1, 150, -80) + rng.normal(0, 5, written.shape)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    save_nifti(tmp_path / "ct.nii.gz", hu.astype(np.int16), affine)
    place = tmp_path / "out" / "ct"
    place.mkdir(parents=True)
    save_nifti(place / folder.SEGMENTATION, written, affine)
    levels = {name: {"status": gate.REFUSED} for name in ("L2", "L3", "L4")}
    report = {"levels": levels | {"L1": {"status": gate.MEASURED}}}
    (place / folder.REPORT).write_text(json.dumps(report))
    done = ENTRY | {"status": "done", "reason": None}
    (tmp_path / "out" / "run.json").write_text(json.dumps({"cases": [done]}))
    truth = verdict.NOTHING
    if start is not None:
        source = boxes((slice(15, 35), slice(15, 33), slice(15, 31)))
        truth = verdict.Truth(source, ids, Way(start=start))
    ending = verdict.judge(tmp_path / "out", tmp_path / "ct.nii.gz", truth)
    assert ending.faults == faults
    assert (ending.levels, ending.misplaced) == (1, len(faults))


# ---- the command ----


@pytest.fixture
def screened(monkeypatch):
    """A stand-in for `screen`: fails every input, and one of them badly."""
    seen = []

    def screen(asked, out):
        seen.append(asked)
        text = Path(asked).read_text() if asked.endswith(".txt") else ""
        if "text.nii.gz" in text:
            print("Traceback (most recent call last):")
            raise RuntimeError("nothing works\nat all")
        out.mkdir()
        entry = ENTRY | {"status": "failed", "reason": "no CT"}
        (out / "run.json").write_text(json.dumps({"cases": [entry]}))

    monkeypatch.setattr(inputs, "screen", screen)
    return seen


def run(*words):
    table, intro = __main__.COMMANDS, __main__.INTRO
    return cli.main(table, intro, ["inputs", *map(str, words)], "python -m tools.stress")


def test_every_input_is_judged_once_and_counted(screened, data, tmp_path, capsys):
    words = (tmp_path / "out", "--mutations", 12, "--data", data, "--groups", "mutants,others")
    assert run(*words) == 0
    content = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert content["all"]["inputs"] == 12 + len(inputs.OTHERS) == len(screened)
    assert content["groups"]["mutants"]["statuses"] == {"done": 0, "refused": 0, "failed": 12}
    assert content["groups"]["mutants"]["faulty"]["ci95"] == pytest.approx([0, 0.2646], abs=1e-4)
    assert content["groups"]["others"]["faulty"]["count"] == 1
    (bad,) = [row for row in content["rows"] if row["faults"]]
    assert bad["name"] == "text.nii.gz"
    assert set(bad["faults"]) == {
        "no run.json", "stopped the run, RuntimeError: nothing works", "traceback"
    }  # fmt: skip
    assert "others text.nii.gz: traceback" in capsys.readouterr().out
    assert len(list((tmp_path / "out" / "work").iterdir())) == 1  # kept to be looked at
    assert run(*words) == 0
    assert len(screened) == 12 + len(inputs.OTHERS)


@pytest.mark.parametrize(
    "words", [("--groups", "mutant"), ("--mutations", -1), ("--workers", 0)], ids=str
)
def test_bad_requests_are_refused_before_anything_is_written(words, tmp_path):
    assert run(tmp_path / "out", *words) == 2
    assert not (tmp_path / "out").exists()


def test_all_of_pydicoms_files_are_given():
    jobs = inputs.plan("pydicom", 0, 0)
    assert len(jobs) > 150
    assert len({job.name for job in jobs}) == len(jobs)
    assert {"MR_small.dcm", "CT_small.dcm", "DICOMDIR"} <= {Path(job.source).name for job in jobs}
