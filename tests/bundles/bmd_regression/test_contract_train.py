"""What training measures is in mg/cm³, and the paper's recipe trains a step."""

from pathlib import Path

import pytest
import torch

from tests.bundles.workflows import prepared_training, read, train


def test_the_metric_is_the_error_in_mg_cm3(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    """A network that always says the mean errs by how far the densities lie from it."""
    workflow = prepared_training(
        bundle,
        cohort,
        tmp_path,
        network_def={"_target_": "Flatten", "_disabled_": True},
        network={"_target_": "tests.bundles.bmd_regression.test_contract_train.MeanOnly"},
    )
    evaluator = workflow.parser.get_parsed_content("validate::evaluator")
    evaluator.run()
    densities = [60 + 30 * n for n in (3, 4)] + [70 + 25 * n for n in (3, 4)]
    expected = sum(abs(density - 120) for density in densities) / 4
    assert evaluator.state.metrics["val_mae"] == pytest.approx(expected, abs=1e-3)


class MeanOnly(torch.nn.Module):
    """Says the mean density whatever it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.nothing.expand(len(image), 1)


def test_the_paper_s_network_takes_a_step(bundle: Path, cohort: Path, tmp_path: Path) -> None:
    workflow = train(bundle, cohort, tmp_path, "paper", val_interval=2, checkpoint_interval=1)
    parser = workflow.parser
    assert type(parser.get_parsed_content("network_def")).__name__ == "DenseNet121"
    assert type(parser.get_parsed_content("optimizer")) is torch.optim.Adam
    assert type(parser.get_parsed_content("loss")) is torch.nn.MSELoss
    settings = parser.get_parsed_content("training_patches").settings
    assert (settings["slice_step_mm"], settings["slice_thickness_mm"]) == (1.0, None)
    assert settings["tilt"] is False
    assert read(bundle, "train", "paper")["checkpoint_interval"] == 20
