"""Pretraining density: two stages, each with the interval of its weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from tools.pretraining import command, export, training

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
