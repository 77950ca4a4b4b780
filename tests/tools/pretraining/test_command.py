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
from torch.utils.tensorboard import SummaryWriter

from tools import __main__, cli
from tools.pretraining import command, export, training

BUNDLE = "lumbar_segmentation"


def state(epoch):
    """A network's state after an epoch: a weight, a counter, and one that half must round."""
    return {
        "conv.weight": torch.full((2, 3), float(epoch)),
        "norm.num_batches_tracked": torch.tensor(7 * epoch),
        "tenth": torch.tensor(0.1),
    }


class Stages:
    """Stand-ins for the drawing and the training; they note what was asked of them."""

    def __init__(self):
        self.drawn, self.trained, self.evaluated = [], [], []
        self.stop_after = None
        self.patients, self.evaluation_status = 40, 0

    def phantom(self, out, **options):
        self.drawn.append(options)
        out.mkdir(parents=True, exist_ok=True)
        (out / "truth.json").write_text(json.dumps({"cases": options["cases"]}))

    def run(self, words):
        ids = dict(zip(words[5::2], words[6::2], strict=True))
        if words[4] == "evaluating":
            return self.evaluate(ids)
        self.trained.append(ids)
        folder = Path(ids["--ckpt_dir"])
        folder.mkdir(exist_ok=True)
        first = training.newest(folder)[0] + 1
        with SummaryWriter(ids["--output_dir"]) as events:
            for epoch in range(first, int(ids["--epochs"]) + 1):
                torch.save(
                    {"model": state(epoch), "optimizer": {"step": 3}},
                    folder / f"checkpoint_epoch={epoch}.pt",
                )
                events.add_scalar("train_loss", 1.0, epoch)
                events.add_scalar("val_dice", 0.9 if epoch == 2 else 0.8, epoch)
                if epoch == self.stop_after:
                    return 1
        return 0

    def evaluate(self, ids):
        """Write rows of as many patients as there shall be, level L2 five off per patient."""
        self.evaluated.append(ids)
        folder = Path(ids["--output_dir"])
        folder.mkdir(parents=True, exist_ok=True)
        head = "case,patient_id,level,bmd_cnn_mg_cm3,reference_mg_cm3,standard_error_hu,kvp"
        rows = [head]
        for number in range(self.patients):
            rows.append(f"A{number},P{number},L1,,,,120.0")
            rows.append(f"A{number},P{number},L2,{100 + number},100,1.5,120.0")
        (folder / "predictions.csv").write_text("\n".join(rows) + "\n")
        return self.evaluation_status


@pytest.fixture
def stages(monkeypatch):
    stages = Stages()
    monkeypatch.setattr(command, "phantom", stages.phantom)
    monkeypatch.setattr(training, "run", stages.run)
    return stages


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


DENSITY = "bmd_regression"


def pretrain_density(out, **options):
    command.pretrain(DENSITY, out, **{"cases": 4, "epochs": 3, "device": "cpu"} | options)


def config_names(ids):
    return [Path(name).stem for name in ids["--config_file"].strip("[]'").split("', '")]


def test_density_is_trained_on_its_own_patients_in_two_stages(stages, tmp_path):
    pretrain_density(tmp_path, cases=None)
    assert (stages.drawn[0]["cases"], stages.drawn[0]["scanner"]) == (1200, "R")
    assert stages.drawn[0]["recipe"] == "bmd_pretraining"
    first, second = stages.trained
    assert config_names(first) == ["train", "pretrain"]
    assert config_names(second) == [
        *("train", "internal_calibration", "pretrain_internal_calibration")
    ]
    assert second["--backbone_file"] == str((tmp_path / "model.pt").resolve())
    assert int(second["--epochs"]) == 15
    assert {path.name for path in tmp_path.glob("*.pt")} == {
        *("model.pt", "model_internal_calibration.pt")
    }


@pytest.mark.parametrize("ending", ["", "_internal_calibration"])
def test_each_stage_has_the_interval_of_its_weights(ending, stages, tmp_path):
    pretrain_density(tmp_path)
    interval = json.loads((tmp_path / f"interval{ending}.json").read_text())
    manifest = json.loads((tmp_path / f"manifest{ending}.json").read_text())
    assert interval["weights_sha256"] == manifest["sha256"]
    assert interval["weights_sha256"] == export.sha256(tmp_path / f"model{ending}.pt")
    assert (interval["n_patients"], interval["n_levels"]) == (40, 40)
    # 39th smallest of 40 errors 0 … 39 mg/cm³, over the error model at its density.
    difficulty = command.bundles.module(DENSITY, "bmd_bundle.interval").difficulty
    assert interval["quantile"] == pytest.approx(38 / difficulty(138.0, 1.5, 120.0), abs=1e-4)
    assert manifest["validation"]["metric"] == "val_dice"  # the stand-in's; the best is the highest


def test_intervals_come_from_validation_patients_and_the_new_weights(stages, tmp_path):
    pretrain_density(tmp_path)
    first, second = stages.evaluated
    assert first["--evaluated_list"] == second["--evaluated_list"] == "validation"
    assert first["--weights_file"] == str((tmp_path / "model.pt").resolve())
    assert config_names(second) == ["train", "evaluate", "internal_calibration"]


def test_too_few_patients_leave_the_network_without_an_interval(stages, tmp_path, capsys):
    stages.patients = 19
    pretrain_density(tmp_path)
    assert not (tmp_path / "interval.json").exists()
    assert "no interval: 19 validation patients were measured, 20 are needed" in (
        capsys.readouterr().out
    )
    assert (tmp_path / "model_internal_calibration.pt").is_file()


def test_finished_density_weights_are_not_made_again(stages, tmp_path, capsys):
    pretrain_density(tmp_path)
    pretrain_density(tmp_path)
    assert (len(stages.drawn), len(stages.trained), len(stages.evaluated)) == (1, 2, 2)
    assert "finished before" in capsys.readouterr().out


def test_a_failed_evaluation_is_tried_again_without_training(stages, tmp_path):
    stages.evaluation_status = 1
    with pytest.raises(OSError, match=r"evaluation ended with status 1, see its messages above"):
        pretrain_density(tmp_path)
    stages.evaluation_status = 0
    pretrain_density(tmp_path)
    assert len(stages.trained) == 2
    assert (tmp_path / "interval.json").is_file()


def test_the_best_error_is_the_lowest(stages, tmp_path):
    with SummaryWriter(str(tmp_path / "events")) as events:
        for epoch, value in enumerate((9.0, 3.0, 4.0), start=1):
            events.add_scalar("val_mae", value, epoch)
    found = training.validation(tmp_path)
    assert (found["metric"], found["value"], found["best"]) == ("val_mae", 4.0, 3.0)


def test_every_id_of_every_stage_is_one_of_its_configs(stages, tmp_path):
    from monai.bundle import ConfigParser

    pretrain_density(tmp_path)
    for ids in stages.trained + stages.evaluated:
        names = config_names(ids)
        files = training.config_files(command.bundles.FOLDER / DENSITY, names)
        known = ConfigParser.load_config_files([str(path) for path in files])
        options = {word.removeprefix("--") for word in ids}
        assert options - {"bundle_root", "config_file"} <= set(known)


@pytest.mark.slow
def test_four_patients_become_both_networks_of_density(tmp_path):
    words = [sys.executable, "-m", "tools", "pretrain", DENSITY, str(tmp_path / "out")]
    words += ["--cases", "4", "--recipe", "quick", "--epochs", "2", "--device", "cpu"]
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(words, cwd=root, check=True, env=environment)
    for name in ("", "_internal_calibration"):
        made = json.loads((tmp_path / "out" / f"manifest{name}.json").read_text())
        weights = torch.load(tmp_path / "out" / f"model{name}.pt", weights_only=True)
        assert sum(tensor.numel() for tensor in weights.values()) == made["parameters"]
        assert made["validation"]["metric"] == "val_mae"
        assert made["bytes"] < 25e6


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
