"""The phantom command: files, repetition, interruption, and bad requests."""

import dataclasses
import errno
import hashlib
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.data import load_decathlon_datalist

from tools.phantom import cohort, completion

FAKE_FILE = Path(__file__).with_name("fake_cohort.py")


def load_fake():
    spec = importlib.util.spec_from_file_location("fake_cohort", FAKE_FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contents(out):
    """Every file's bytes by its path in the cohort."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def calls(monkeypatch):
    """Put the stand-in in place of the simulation; holds the arguments of each call."""
    fake = load_fake()
    made = []

    def simulate(recipe, seed, index, scanner, paired, device):
        made.append((scanner, index))
        assert device == "cpu"
        return fake.simulate(recipe, seed, index, scanner, paired)

    monkeypatch.setattr(cohort, "simulate", simulate)
    return made


def make(out, **options):
    cohort.phantom(out, **{"cases": 3, "recipe": "quick"} | options)


# Files


def test_cohort_holds_the_files_the_contract_names(calls, tmp_path, capsys):
    make(tmp_path / "new" / "cohort", cases=3)
    expected = {
        f"{folder}/A000{i}.nii.gz"
        for folder in ("images", "labels", "trabecular", "posterior")
        for i in (1, 2, 3)
    }
    expected |= {f"truth/A000{i}.json" for i in (1, 2, 3)} | {"truth.json", "cohort.json"}
    expected |= {"lumbar_segmentation.json", "bmd_regression.json", "ovf_classification.json"}
    expected |= {"bmd_regression_dxa.json"}
    assert set(contents(tmp_path / "new" / "cohort")) == expected
    printed = capsys.readouterr()
    assert "3 scans" in printed.out
    assert "1 training" in printed.out
    assert "3/3" in printed.err


def test_volumes_keep_what_was_simulated(calls, tmp_path):
    make(tmp_path, cases=1, seed=4)
    fake = load_fake().simulate(cohort.recipes.load("quick"), 4, 0)
    for folder, attribute in [
        ("images", "image"),
        ("labels", "labels"),
        ("trabecular", "trabecular"),
        ("posterior", "posterior"),
    ]:
        volume = nib.load(tmp_path / folder / "A0001.nii.gz")
        expected = getattr(fake, attribute)
        assert volume.get_data_dtype() == expected.dtype
        np.testing.assert_array_equal(np.asanyarray(volume.dataobj), expected)
        np.testing.assert_allclose(volume.affine, fake.affine)


def test_joined_truth_holds_each_case_and_what_it_was_made_from(calls, tmp_path):
    make(tmp_path, cases=2, seed=9)
    joined = read_json(tmp_path / "truth.json")
    assert joined["seed"] == 9
    assert joined["recipe"] == cohort.recipes.load("quick")
    assert joined["software"]["version"]
    assert list(joined["cases"]) == ["A0001", "A0002"]
    for case, truth in joined["cases"].items():
        own = read_json(tmp_path / "truth" / f"{case}.json")
        assert own.pop("completion")["files"].keys() == {
            f"{folder}/{case}.nii.gz" for folder in completion.VOLUME_FOLDERS
        }
        assert own == truth
        assert (truth["case"], truth["seed"], truth["recipe"]) == (case, 9, "quick")
    assert joined["cases"]["A0002"]["patient_id"] == "A-0002"


@pytest.mark.parametrize(
    ("bundle", "is_segmentation", "paths"),
    [
        ("lumbar_segmentation", True, ["image", "label"]),
        ("bmd_regression", False, ["image", "mask"]),
        ("ovf_classification", False, ["image", "bodies"]),
    ],
)
def test_monai_reads_the_datalists(calls, tmp_path, bundle, is_segmentation, paths):
    make(tmp_path, cases=12)
    sizes = {}
    for part in ("training", "validation", "test"):
        records = load_decathlon_datalist(tmp_path / f"{bundle}.json", is_segmentation, part)
        sizes[part] = len(records)
        for record in records:
            for key in paths:
                assert Path(record[key]).is_absolute()
                assert Path(record[key]).is_file()
    assert sizes == {"training": 8, "validation": 2, "test": 2}


def test_paired_scans_name_the_same_patient(calls, tmp_path, monkeypatch):
    monkeypatch.setattr(cohort, "SCANNERS", {"A": None, "B": None})
    make(tmp_path, cases=3, scanner="A,B", paired=True)
    truth = read_json(tmp_path / "truth.json")["cases"]
    assert [truth[case]["patient_id"] for case in ("A0002", "B0002")] == ["P-0002", "P-0002"]
    lists = read_json(tmp_path / "lumbar_segmentation.json")
    assert [record["image"] for record in lists["test_2"]] == ["images/B0001.nii.gz"]


# Repetition and interruption


def test_same_request_gives_the_same_bytes_and_another_seed_others(calls, tmp_path):
    for folder, seed in (("one", 3), ("two", 3), ("three", 4)):
        make(tmp_path / folder, seed=seed)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    one, three = contents(tmp_path / "one"), contents(tmp_path / "three")
    assert all(one[name] != three[name] for name in one if name.startswith("images/"))


def test_finished_cases_are_not_made_again(calls, tmp_path):
    make(tmp_path)
    before = contents(tmp_path)
    calls.clear()
    make(tmp_path)
    assert calls == []
    assert contents(tmp_path) == before


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["images/A0002.nii.gz", "posterior/A0002.nii.gz"])
@pytest.mark.parametrize("harm", [Path.unlink, truncate, flip_a_bit, lambda p: p.write_bytes(b"")])
def test_damaged_volume_is_made_anew(calls, tmp_path, name, harm):
    make(tmp_path)
    before = contents(tmp_path)
    calls.clear()
    harm(tmp_path / name)
    make(tmp_path)
    assert calls == [("A", 1)]
    assert contents(tmp_path) == before


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"completion": 3}'])
def test_damaged_record_is_not_trusted(calls, tmp_path, text):
    make(tmp_path)
    before = contents(tmp_path)
    calls.clear()
    (tmp_path / "truth" / "A0003.json").write_text(text, encoding="utf-8")
    make(tmp_path)
    assert calls == [("A", 2)]
    assert contents(tmp_path) == before


def test_record_of_another_case_is_not_trusted(calls, tmp_path):
    """Copying a case over another leaves files that match their record, but not their name."""
    make(tmp_path)
    before = contents(tmp_path)
    calls.clear()
    for path in tmp_path.glob("*/A0001.*"):
        (path.parent / path.name.replace("1", "2")).write_bytes(path.read_bytes())
    make(tmp_path)
    assert calls == [("A", 1)]
    assert contents(tmp_path) == before


@pytest.mark.parametrize("failing_write", range(16))
def test_full_disk_leaves_nothing_that_a_rerun_trusts(calls, tmp_path, monkeypatch, failing_write):
    """Three cases of five files, after the settings: each write in turn finds the disk full."""
    make(tmp_path / "undisturbed")
    writes = []
    replace = Path.replace

    def full(self, target):
        writes.append(target)
        if len(writes) == failing_write + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            make(tmp_path / "cohort")
    message = str(caught.value)
    assert "\n" not in message
    finished = max(failing_write - 1, 0) // 5
    if failing_write:
        assert f"{finished} of 3 scans are finished" in message
    assert not list(tmp_path.rglob(".part-*"))
    assert not (tmp_path / "cohort" / "truth.json").exists()
    calls.clear()
    make(tmp_path / "cohort")
    assert len(calls) == 3 - finished
    assert contents(tmp_path / "cohort") == contents(tmp_path / "undisturbed")


def test_joined_files_vanish_while_a_case_is_missing(calls, tmp_path, monkeypatch):
    make(tmp_path)
    (tmp_path / "images" / "A0001.nii.gz").unlink()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cohort, "simulate", stop)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["cohort.json"]


def start_slowly(out, cases, workers, seconds, **options):
    words = [sys.executable, str(FAKE_FILE), str(out), str(cases), str(workers), str(seconds)]
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        words,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def wait_until(condition, seconds, process=None):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)


def is_running(number):
    """Tell whether a process lives; a dead one whose parent has not noticed does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("workers", [1, 2])
def test_kill_ends_the_workers_and_a_rerun_makes_the_rest(calls, tmp_path, workers):
    make(tmp_path / "undisturbed", cases=6)
    out = tmp_path / "cohort"
    process = start_slowly(out, 6, workers, 0.15)
    wait_until(lambda: len(list(out.glob("truth/*.json"))) >= 2, 60, process)
    images = len(list(out.glob("images/*.nii.gz")))
    wait_until(lambda: len(list(out.glob("images/*.nii.gz"))) > images, 60, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    numbers = [int(path.stem) for path in tmp_path.glob("*.pid")]
    assert 1 <= len(numbers) <= workers
    wait_until(lambda: not any(is_running(number) for number in numbers), 5)

    (out / "images" / ".part-left").write_bytes(b"half a file")
    finished = {path: path.stat().st_mtime_ns for path in out.glob("truth/A*.json")}
    assert 2 <= len(finished) < 6
    calls.clear()
    make(out, cases=6, workers=1)
    assert len(calls) == 6 - len(finished)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_second_run_in_one_folder_is_refused(calls, tmp_path):
    process = start_slowly(tmp_path / "cohort", 4, 1, 0.3)
    try:
        wait_until(lambda: list(tmp_path.glob("cohort/images/*.nii.gz")), 60, process)
        with pytest.raises(OSError, match="another run is writing here"):
            make(tmp_path / "cohort", cases=4)
        assert calls == []
    finally:
        process.kill()
        process.communicate()


def test_killed_worker_is_reported_in_one_line(tmp_path):
    process = start_slowly(tmp_path / "cohort", 4, 2, 0.3)
    wait_until(lambda: list(tmp_path.glob("*.pid")), 60, process)
    os.kill(int(next(tmp_path.glob("*.pid")).stem), signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    last = errors.decode().strip().splitlines()[-1]
    assert last.startswith("OSError: a worker was killed")
    assert "of 4 scans are finished" in last


def test_worker_that_cannot_write_is_reported_in_one_line(tmp_path):
    """The system itself refuses a file of more than 8 kB, as a full disk would."""

    def limit_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    process = start_slowly(tmp_path / "cohort", 3, 2, 0, preexec_fn=limit_files)
    _, errors = process.communicate(timeout=60)
    last = errors.decode().strip().splitlines()[-1]
    assert process.returncode == 1
    assert last.startswith("OSError:")
    assert "File too large; 0 of 3 scans are finished" in last
    assert sorted(path.name for path in (tmp_path / "cohort").rglob("*.*")) == [
        ".lock",
        "cohort.json",
    ]


# Bad requests


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cases": 0}, "cases is a whole number of at least 1, not 0"),
        ({"cases": -3}, "not -3"),
        ({"cases": 2.5}, "not 2.5"),
        ({"cases": "ten"}, "not 'ten'"),
        ({"cases": True}, "not True"),
        ({"workers": 0}, "workers is a whole number of at least 1, not 0"),
        ({"seed": -1}, "seed is a whole number from 0"),
        ({"seed": 2**32}, "seed is a whole number from 0"),
        ({"scanner": "D"}, "unknown scanner 'D'; known: A"),
        ({"scanner": "A,"}, "unknown scanner ''"),
        ({"scanner": ""}, "unknown scanner ''"),
        ({"scanner": "A,A"}, "each scanner once"),
        ({"recipe": "quik"}, "did you mean 'quick'"),
        ({"format": "dicm"}, "did you mean 'dicom'"),
        ({"format": "nfti"}, "did you mean 'nifti'"),
        ({"paired": "yes"}, "paired is True or False"),
    ],
)
def test_bad_request_is_one_line_before_any_work(calls, tmp_path, options, words):
    with pytest.raises(ValueError, match=r"\w") as caught:
        make(tmp_path / "cohort", **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert calls == []
    assert not (tmp_path / "cohort").exists()


def test_a_file_as_folder_is_refused(calls, tmp_path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="is a file"):
        make(tmp_path / "file")
    with pytest.raises(OSError, match="Not a directory"):
        make(tmp_path / "file" / "cohort")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_folder_with_other_content_is_refused_and_left_alone(calls, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "A0001.nii.gz").write_bytes(b"mine")
    with pytest.raises(ValueError, match="not empty and holds no phantom cohort"):
        make(tmp_path)
    assert contents(tmp_path) == {"images/A0001.nii.gz": b"mine"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission_is_refused(calls, tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(OSError, match="Permission denied"):
        make(tmp_path / "cohort")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"cases": 4}, "cases 3, not 4"),
        ({"recipe": "standard"}, "recipe.name quick, not standard"),
        ({"paired": True}, "paired False, not True"),
    ],
)
def test_other_settings_in_a_used_folder_are_refused(calls, tmp_path, options, words):
    make(tmp_path)
    before = contents(tmp_path)
    calls.clear()
    with pytest.raises(ValueError, match="choose another folder") as caught:
        make(tmp_path, **options)
    assert words in str(caught.value)
    assert calls == []
    assert contents(tmp_path) == before


def test_cohort_of_another_version_is_refused(calls, tmp_path, monkeypatch):
    make(tmp_path)
    monkeypatch.setattr(completion, "software", lambda _: {"version": "0.0.1"})
    with pytest.raises(ValueError, match=r"another version \(version differs\)"):
        make(tmp_path)


def test_damaged_settings_are_refused(calls, tmp_path):
    make(tmp_path)
    (tmp_path / "cohort.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="is damaged"):
        make(tmp_path)


# Device


@pytest.fixture
def card(monkeypatch):
    """Pretend to have a graphics card; holds the device of each call."""
    fake = load_fake()
    devices = []

    def simulate(recipe, seed, index, scanner, paired, device):
        devices.append(device)
        return fake.simulate(recipe, seed, index, scanner, paired)

    monkeypatch.setattr(cohort, "simulate", simulate)
    monkeypatch.setattr(cohort.torch.cuda, "is_available", lambda: True)
    return devices


def test_a_graphics_card_draws_every_case_and_is_remembered(card, tmp_path):
    make(tmp_path, device="cuda")
    assert card == ["cuda"] * 3
    assert read_json(tmp_path / "cohort.json")["device"] == "cuda"
    make(tmp_path, device="cuda")
    assert len(card) == 3
    with pytest.raises(ValueError, match="made with device cuda, not None"):
        make(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cuda"}, "cuda is not available here"),
        ({"device": "gpu"}, "unknown device 'gpu'; known: cpu, cuda"),
    ],
)
def test_a_device_that_is_not_there_is_refused(calls, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        make(tmp_path / "cohort", **options)
    assert not (tmp_path / "cohort").exists()


def test_a_graphics_card_is_not_shared_by_processes(card, tmp_path):
    with pytest.raises(ValueError, match="one process: leave workers at 1"):
        make(tmp_path / "cohort", device="cuda", workers=2)
    assert card == []


def test_fingerprint_of_a_case_on_the_cpu_is_that_of_before_there_was_a_choice():
    made = completion.Job("A0001", "A-0001", "A", 0, 3, False, {"name": "r"})
    parts = {"case": "A0001", "patient_id": "A-0001", "scanner": "A", "index": 0, "seed": 3}
    content = json.dumps(
        [parts | {"paired": False, "recipe": {"name": "r"}}, completion.software()], sort_keys=True
    )
    assert made.fingerprint == hashlib.sha256(content.encode()).hexdigest()
    assert dataclasses.replace(made, device="cuda").fingerprint != made.fingerprint
