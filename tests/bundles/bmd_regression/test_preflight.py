"""The bundle refuses misspelt ids and paths that do not exist."""

from pathlib import Path

import pytest

from bmd_bundle.preflight import SettingError, check


@pytest.mark.parametrize(
    ("config", "words", "message"),
    [
        ("train", ["--epoch", "7"], "unknown id 'epoch', did you mean 'epochs'"),
        ("train", ["--density_std", "7"], "unknown id 'density_std', did you mean 'density_sd'"),
        ("inference", ["--masks", "x"], "unknown id 'masks', did you mean 'mask'"),
        ("inference", ["--epochs", "7"], "'epochs' is not read by inference.yaml"),
        ("inference", ["--mask", "gone/"], "mask: gone/ does not exist"),
        ("inference", ["--calibration_file", "c.json"], "calibration_file: c.json does not exist"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    config: str, words: list[str], message: str, bundle: Path
) -> None:
    run = {"train": "training", "inference": "inferring"}[config]
    file = str(bundle / "configs" / f"{config}.yaml")
    with pytest.raises(SystemExit, match=message) as caught:
        check(argv=["monai", "run", run, "--config_file", file, *words])
    assert "\n" not in str(caught.value)


def test_a_wrong_override_is_refused(bundle: Path) -> None:
    with pytest.raises(SettingError, match="unknown id 'learning_rates'"):
        check(overrides={"learning_rates": 1.0}, bundle_root=bundle)
