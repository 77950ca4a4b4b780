"""All folds by one command: trained, read, joined and summed up; stopped, it goes on."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.metrics import mean_absolute_error, roc_auc_score

from bmd_bundle import cross_validation, summary
from bmd_bundle.common import SettingError, read_weights
from bmd_bundle.rows import COLUMNS
from tests.bundles.bmd_regression.entry import ENTRY
from tests.bundles.workflows import config_files, prepared, read, train

TASK, FOLDS = "task_classification", "cross_validation"
LISTS = {"pooled_lists": ["training", "validation"], "independent_lists": ["test"]}


@pytest.fixture(scope="module")
def cohort(cohorts: Callable[[str], Path]) -> Path:
    """Folder of the tiny cohort: five patients to split, one of a list apart."""
    return cohorts("bmd_regression")


def cross_validate(bundle: Path, cohort: Path, out: Path, *overlays: str, **options: Any) -> None:
    """Run two folds of an epoch, in process."""
    files = config_files(bundle, "train", *overlays, FOLDS)
    given = {**ENTRY.small_training, **ENTRY.small_network, "epochs": 1, **options}
    workflow = prepared(
        files,
        "train",
        "cross_validating",
        bundle_root=str(bundle),
        dataset_dir=str(cohort),
        output_dir=str(out),
        cache_dir=str(cohort / "cache"),
        folds=2,
        fold_files=files,
        fold_options={**given, "device": torch.device("cpu")},
        **LISTS,
    )
    workflow.run()


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def done(bundle: Path, cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a cross-validation of the classifier."""
    out = tmp_path_factory.mktemp("folds")
    cross_validate(bundle, cohort, out, TASK)
    return out


def test_every_scan_is_read_by_every_fold(done: Path) -> None:
    rows = table(done / "predictions.csv")
    assert tuple(rows[0]) == ("fold", "part", *COLUMNS, "probability_reduced")
    parts: dict[str, list[str]] = {}
    for row in rows:
        if row["level"] == "L2":
            parts.setdefault(row["case"], []).append(row["part"])
    assert parts.pop("A0005") == ["independent"] * 2
    assert {tuple(sorted(own)) for own in parts.values()} == {("test", "train")}
    assert len(parts) == 5
    said = [row["probability_reduced"] for row in rows if row["level"] == "L2"]
    assert all(0 < float(value) < 1 for value in said)


def test_who_is_left_out_is_not_learnt_from(
    bundle: Path, cohort: Path, done: Path, tmp_path: Path
) -> None:
    """The config of one fold names the scans that the whole run read as left out."""
    parser = read(bundle, "train", TASK, FOLDS)
    parser.update({"bundle_root": str(bundle), "dataset_dir": str(cohort), "folds": 2, **LISTS})
    parser.update({"fold": 2})
    rows = table(done / "predictions.csv")
    for name, part in (("trained_scans", "train"), ("validated_scans", "test")):
        cases = {scan["case"] for scan in parser.get_parsed_content(name)}
        assert cases == {r["case"] for r in rows if r["fold"] == "2" and r["part"] == part}


def test_each_fold_leaves_its_weights_and_nothing_to_choose_by(done: Path) -> None:
    states = [read_weights(done / f"fold{fold}" / "model.pt") for fold in (1, 2)]
    name = next(name for name in states[0] if name.endswith("weight"))
    assert not torch.equal(states[0][name], states[1][name])
    assert not list(done.rglob("best.pt"))
    assert not list(done.rglob("checkpoints"))


def test_the_summary_is_that_of_the_rows(done: Path) -> None:
    found = json.loads((done / "summary.json").read_text())
    assert {part: len(own["folds"]) for part, own in found.items()} == {
        "independent": 2, "test": 2, "train": 2,
    }  # fmt: skip
    assert found["test"]["folds"][0]["scans"] + found["test"]["folds"][1]["scans"] == 5
    errors = [one["mae_hu_linear"] for one in found["train"]["folds"]]
    assert found["train"]["mean"]["mae_hu_linear"] == pytest.approx(sum(errors) / 2)
    assert found["train"]["sd"]["mae_hu_linear"] == pytest.approx(
        abs(errors[0] - errors[1]) / 2**0.5
    )


def test_it_goes_on_where_it_stopped(
    bundle: Path, cohort: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    whole = cross_validation._run

    def interrupted(files: Any, run_id: str, ids: Any, kind: str) -> None:
        ran.append(f"{run_id} {ids['fold']}")
        if ran.count("evaluating 1") + len(ran) == 3:
            raise KeyboardInterrupt
        whole(files, run_id, ids, kind)

    monkeypatch.setattr(cross_validation, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(bundle, cohort, tmp_path, TASK)
    assert ran == ["training 1", "evaluating 1"]
    assert not (tmp_path / "predictions.csv").exists()
    cross_validate(bundle, cohort, tmp_path, TASK)
    assert ran[2:] == ["evaluating 1", "training 2", "evaluating 2"]
    assert (tmp_path / "predictions.csv").read_text() == (done / "predictions.csv").read_text()
    cross_validate(bundle, cohort, tmp_path, TASK)
    assert len(ran) == 5  # nothing is left to do


@pytest.mark.parametrize(
    ("overlays", "options", "words"),
    [((TASK,), {"epochs": 2}, "other ids"), ((), {}, "other configs, configs_sha256")],
    ids=["epochs", "task"],
)
def test_a_folder_of_another_run_is_refused(
    overlays: tuple, options: dict, words: str, bundle: Path, cohort: Path, done: Path
) -> None:
    before = (done / "predictions.csv").read_bytes()
    with pytest.raises(RuntimeError) as caught:
        cross_validate(bundle, cohort, done, *overlays, **options)
    cause = caught.value.__cause__
    assert isinstance(cause, SettingError)
    assert f"holds a cross-validation with {words}" in str(cause)
    assert (done / "predictions.csv").read_bytes() == before


def test_one_fold_trains_by_the_stock_training(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    workflow = train(
        bundle, cohort, tmp_path, FOLDS, run_id="training", fold=2, folds=2, val_interval=1,
        **ENTRY.small_network, **LISTS,
    )  # fmt: skip
    assert not (tmp_path / "checkpoints" / "best.pt").exists()
    assert workflow.parser.get_parsed_content("validate::evaluator").state.metrics["val_mae"] > 0


def test_measures_are_those_of_scikit_learn() -> None:
    true = {"a": 80.0, "b": 140.0, "c": 120.0, "d": 160.0, "e": None}
    said = {"a": 0.9, "b": 0.3, "c": 0.2, "d": 0.1, "e": 0.5}
    rows = [
        {
            "case": case,
            "level": level,
            "status": "measured",
            "reference_mg_cm3": "" if true[case] is None else str(true[case] + shift),
            "bmd_cnn_mg_cm3": "",
            "bmd_hu_linear_mg_cm3": "" if true[case] is None else str(0.9 * true[case] + 2 * shift),
            "probability_reduced": str(said[case]),
        }
        for case in true
        for level, shift in (("L1", 3.0), ("L2", -1.0))
    ]
    rows.append(rows[0] | {"case": "f", "status": "failed"} | dict.fromkeys(
        ("bmd_hu_linear_mg_cm3", "probability_reduced"), ""))  # fmt: skip
    found = summary.measures(rows)
    means = [value + 1 for value in true.values() if value is not None]
    read_ = [0.9 * value + 2 for value in true.values() if value is not None]
    assert (found["scans"], found["measured"]) == (6, 5)
    assert found["mae_hu_linear"] == pytest.approx(mean_absolute_error(means, read_))
    reduced = [mean <= 130.68 for mean in means]
    scores = [said[case] for case in "abcd"]
    assert found["auc_classifier"] == pytest.approx(roc_auc_score(reduced, scores))
    assert "mae_cnn" not in found


@pytest.mark.slow
def test_the_documented_command(
    bundle: Path, cohort: Path, repository: Path, tmp_path: Path
) -> None:
    root = "bundles/bmd_regression"
    files = [f"{root}/configs/{name}.yaml" for name in ("train", TASK, "quick", FOLDS)]
    options = {
        "bundle_root": root, "config_file": files, "dataset_dir": cohort, "output_dir": tmp_path,
        "epochs": 1, "folds": 2, **ENTRY.small_training, **LISTS,
    }  # fmt: skip
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "monai.bundle", "run", "cross_validating", *words]
    ended = subprocess.run(
        command, cwd=repository, capture_output=True, text=True, timeout=600, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert len(table(tmp_path / "predictions.csv")) == 2 * 6 * 4
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert settings["ids"]["epochs"] == "1"
    assert settings["configs"][-2:] == ["quick.yaml", "cross_validation.yaml"]
    for changed, line in (
        (["--seed", "7"], f"error: output_dir: {tmp_path} holds a cross-validation with other ids"),
        (["--fold_split", "kfold"], "error: fold_split: 'kfold' is no split; say folds or random"),
    ):
        refused = subprocess.run(
            [*command, *changed], cwd=repository, capture_output=True, text=True, timeout=600,
            check=False,
        )  # fmt: skip
        assert refused.returncode == 1
        assert refused.stderr.strip().splitlines()[-1].startswith(line)
