"""The pretrain command: stages, repetition, interruption, and bad requests."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tools import __main__, cli
from tools.pretraining import command, export, training

BUNDLE = "lumbar_segmentation"


def pretrain(out, **options):
    command.pretrain(BUNDLE, out, **{"cases": 4, "epochs": 3, "device": "cpu"} | options)


def manifest_of(out):
    return json.loads((out / "manifest.json").read_text())


def test_weights_are_a_plain_state_dict_in_half_precision(stages, tmp_path):
    pretrain(tmp_path / "new")
    weights = torch.load(tmp_path / "new" / "model.pt", weights_only=True)
    assert {key: value.dtype for key, value in weights.items()} == {
        "conv.weight": torch.float16,
        "norm.num_batches_tracked": torch.int64,
        "tenth": torch.float16,
    }
    assert weights["conv.weight"].tolist() == [[3.0] * 3] * 2
    assert int(weights["norm.num_batches_tracked"]) == 21


def test_manifest_says_how_the_weights_were_made(stages, tmp_path):
    pretrain(tmp_path, seed=5)
    made = manifest_of(tmp_path)
    assert made["sha256"] == export.sha256(tmp_path / "model.pt")
    assert made["cohort_sha256"] == export.sha256(tmp_path / "cohort" / "truth.json")
    assert made["bytes"] == (tmp_path / "model.pt").stat().st_size
    assert made["parameters"] == 8
    assert (made["bundle"], made["cases"], made["seed"], made["epochs"]) == (BUNDLE, 4, 5, 3)
    assert made["recipe"]["name"] == "lumbar_pretraining"
    assert made["validation"] == {
        "metric": "val_dice",
        "value": pytest.approx(0.8),
        "epoch": 3,
        "best": pytest.approx(0.9),
    }
    assert made["versions"]["torch"] == torch.__version__
    assert set(made["seconds"]) == {"cohort", "training"}


def test_training_is_the_stock_run_on_the_cohort(stages, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pretrain(Path("out"), seed=5, workers=2)
    assert stages.drawn == [
        {
            "cases": 4,
            "seed": 5,
            "recipe": "lumbar_pretraining",
            "scanner": "A",
            "workers": 2,
            "device": "cpu",
        }
    ]
    (ids,) = stages.trained
    assert ids["--dataset_dir"] == str(tmp_path / "out" / "cohort")
    assert ids["--cache_dir"] == str(tmp_path / "out" / "cache")
    assert (ids["--seed"], ids["--resume"]) == ("5", "True")
    assert ids["--device"] == "$torch.device('cpu')"
    assert [Path(name).name for name in ids["--config_file"].strip("[]'").split("', '")] == [
        "train.yaml",
        "pretrain.yaml",
    ]


def test_every_id_of_the_command_line_is_one_of_the_configs(stages, tmp_path):
    from monai.bundle import ConfigParser

    pretrain(tmp_path)
    files = [
        str(path)
        for path in training.config_files(command.bundles.FOLDER / BUNDLE, ("train", "pretrain"))
    ]
    known = ConfigParser.load_config_files(files)
    options = [word.removeprefix("--") for word in stages.trained[0]]
    assert set(options) - {"bundle_root", "config_file"} <= set(known)


def test_finished_weights_are_not_made_again(stages, tmp_path, capsys):
    pretrain(tmp_path)
    before = (tmp_path / "manifest.json").read_bytes()
    pretrain(tmp_path, workers=3)
    assert (len(stages.drawn), len(stages.trained)) == (1, 1)
    assert (tmp_path / "manifest.json").read_bytes() == before
    assert "finished before" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["model.pt", "manifest.json"])
def test_harmed_weights_are_written_again_without_training(stages, tmp_path, name):
    pretrain(tmp_path)
    before = (tmp_path / "model.pt").read_bytes()
    (tmp_path / name).write_bytes(b"{}")
    pretrain(tmp_path)
    assert len(stages.trained) == 1
    assert (tmp_path / "model.pt").read_bytes() == before


def test_failed_training_is_one_line_and_goes_on_from_its_last_epoch(stages, tmp_path):
    stages.stop_after = 2
    with pytest.raises(OSError, match=r"status 1, see its messages above; .* after epoch 2"):
        pretrain(tmp_path)
    assert not (tmp_path / "model.pt").exists()
    stages.stop_after = None
    pretrain(tmp_path)
    assert len(stages.trained) == 2
    assert manifest_of(tmp_path)["checkpoint"] == "checkpoint_epoch=3.pt"


def test_damaged_checkpoint_is_named(stages, tmp_path):
    pretrain(tmp_path)
    (tmp_path / "model.pt").unlink()
    (tmp_path / "checkpoints" / "checkpoint_epoch=3.pt").write_bytes(b"half")
    with pytest.raises(OSError, match=r"checkpoint_epoch=3\.pt: damaged; delete it"):
        pretrain(tmp_path)


def test_weights_too_large_for_half_precision_are_refused(tmp_path):
    torch.save({"model": {"a": torch.tensor([1.0, 1e6])}}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="a is not finite in half precision"):
        export.half_precision(tmp_path / "c.pt")


def test_a_cohort_that_is_there_is_used(stages, tmp_path):
    (tmp_path / "cohort").mkdir()
    pretrain(tmp_path)
    assert manifest_of(tmp_path)["epochs"] == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"cases": 5}, "cases 4, not 5"),
        ({"epochs": 4}, "epochs 3, not 4"),
        ({"recipe": "quick"}, "recipe lumbar_pretraining, not quick"),
    ],
)
def test_other_settings_in_a_used_folder_are_refused(stages, tmp_path, options, words):
    pretrain(tmp_path)
    with pytest.raises(ValueError, match="choose another folder") as caught:
        pretrain(tmp_path, **options)
    assert words in str(caught.value)
    assert len(stages.trained) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cases": 2}, "cases is a whole number of at least 3, not 2"),
        ({"epochs": 0}, "epochs is a whole number of at least 1"),
        ({"seed": -1}, "seed is a whole number from 0"),
        ({"workers": 0}, "workers is a whole number of at least 1"),
        ({"recipe": "quik"}, "did you mean 'quick'"),
        ({"device": "cuda"}, "cuda is not available here"),
    ],
)
def test_bad_request_is_refused_before_any_work(stages, tmp_path, options, words):
    with pytest.raises(ValueError, match=r"\w") as caught:
        pretrain(tmp_path / "new", **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_command_line_refuses_what_it_does_not_know(stages, tmp_path, capsys):
    out = str(tmp_path / "new")
    for words in (["lumbar_segment", out], [BUNDLE, out, "--epoch", "3"], [BUNDLE]):
        assert cli.main(__main__.COMMANDS, "", ["pretrain", *words]) == cli.EXIT_REQUEST
    said = capsys.readouterr().err
    assert "did you mean 'lumbar_segmentation'" in said
    assert "did you mean '--epochs'" in said
    assert not (tmp_path / "new").exists()


def test_folder_with_other_content_is_refused(stages, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds other files \(mine\.txt\)"):
        pretrain(tmp_path)


def test_device_of_the_run_before_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert command._device(tmp_path) == "cuda"
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "cohort.json").write_text("{}")
    assert command._device(tmp_path) == "cpu"


def test_a_graphics_card_draws_in_one_process(stages, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    pretrain(tmp_path, device="auto", workers=4)
    assert (stages.drawn[0]["workers"], stages.drawn[0]["device"]) == (1, "cuda")
    assert stages.trained[0]["--device"] == "$torch.device('cuda')"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own tie between processes")
def test_a_killed_command_takes_its_training_along(tmp_path):
    child = f"import time, pathlib; pathlib.Path({str(tmp_path / 'on')!r}).touch(); time.sleep(60)"
    words = [sys.executable, "-c", child]
    program = f"from tools.pretraining import training; training.run({words!r})"
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen([sys.executable, "-c", program], cwd=root)
    wait_until(lambda: (tmp_path / "on").exists(), 60)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not is_running(int(children[0])), 10)


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_running(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_three_patients_and_two_epochs_through_the_bundles_own_training(tmp_path):
    """One epoch, then a fresh start that goes on: the command as a user types it."""
    words = [sys.executable, "-m", "tools", "pretrain", BUNDLE, str(tmp_path / "out")]
    words += ["--cases", "4", "--recipe", "quick", "--epochs", "2", "--device", "cpu"]
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(words, cwd=root, check=True, env=environment)
    made = manifest_of(tmp_path / "out")
    weights = torch.load(tmp_path / "out" / "model.pt", weights_only=True)
    assert made["checkpoint"].endswith("_epoch=2.pt")
    assert sum(tensor.numel() for tensor in weights.values()) == made["parameters"] > 10_000
    assert made["bytes"] < 25e6
