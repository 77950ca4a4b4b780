"""Stand-ins for what takes long: drawing, training and scoring."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from tools.pretraining import command, training


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
