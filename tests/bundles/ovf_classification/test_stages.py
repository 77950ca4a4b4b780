"""The three stages by one command: each has the command line's options, and follows on the last."""

from pathlib import Path

import pytest
import torch

from ovf_bundle import stages


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, dict]]:
    """Trainings that were asked for: what they are, run id, ids; each leaves a checkpoint."""
    asked = []

    def run(files, run_id, ids):
        asked.append((Path(files[-1]).stem, run_id, dict(ids)))
        if run_id == "mean_image":
            (Path(ids["output_dir"]) / stages.MEAN_IMAGE).touch()
            return
        folder = Path(ids["ckpt_dir"])
        folder.mkdir(parents=True)
        epochs = ids["stages::slices::epochs"]
        state = {"model": {"stage": torch.tensor(len(asked))}}
        torch.save(state, folder / f"checkpoint_epoch={epochs}.pt")

    monkeypatch.setattr(stages, "_run", run)
    return asked


def train(bundle: Path, out: Path) -> Path:
    words = "--stages::slices::epochs 2 --scans_per_batch 3 --ckpt_dir elsewhere --epochs 2"
    argv = ["x", "run", "training", "--config_file", "train.yaml,stages.yaml", *words.split()]
    return stages.train(bundle / "configs", out, ids={"seed": 5}, argv=argv)


def test_options_of_the_command_line_reach_every_stage(bundle: Path, tmp_path: Path, runs) -> None:
    """`--scans_per_batch 3` with stages.yaml was dropped in silence."""
    model = train(bundle, tmp_path)
    assert [(name, run_id) for name, run_id, _ in runs] == [
        ("stage1_slices", "mean_image"),
        *((name, "training") for name in stages.STAGES),
    ]
    for _, _, ids in runs:
        assert (ids["scans_per_batch"], ids["stages::slices::epochs"], ids["seed"]) == (3, 2, 5)
        assert "config_file" not in ids
    trained = runs[1:]
    folders = [ids["ckpt_dir"] for _, _, ids in trained]
    assert folders == [str(tmp_path / name) for name in stages.STAGES]
    starts = [ids["start_file"] for _, _, ids in trained]
    assert starts == [None, *(f"{folder}/checkpoint_epoch=2.pt" for folder in folders[:2])]
    assert int(torch.load(model)["stage"]) == 4


def test_what_is_trained_is_not_trained_again(bundle: Path, tmp_path: Path, runs) -> None:
    train(bundle, tmp_path)
    before = len(runs)
    train(bundle, tmp_path)
    assert len(runs) == before
