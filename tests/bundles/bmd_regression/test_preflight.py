"""The bundle refuses misspelt ids and paths that do not exist."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bmd_bundle.preflight import SettingError, check, check_files

ARGV = ["monai", "run", "inferring", "--config_file", "inference.yaml"]
SITE = {"slope": 1.0, "intercept": 3.0, "mineral": "HA", "n": 20, "kvp": 120}


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


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    torch.save({"model": {"a": torch.zeros(1)}}, tmp_path / "model.pt")
    return {
        name: str(tmp_path / file)
        for name, file in (("weights_file", "model.pt"), ("interval_file", "interval.json"))
    }


BAD_FILES = {
    "weights cut off": ("weights_file", b"PK\x03\x04", r"model\.pt: cannot be read as weights"),
    "weights are text": ("weights_file", b"hi", "restore it, or give another"),
    "interval damaged": ("interval_file", b"{", r"interval\.json: is no interval of a network"),
    "interval of nothing": ("interval_file", b'{"x": 1}', "restore the file"),
    "no calibration": ("calibration_file", b"[]", r"c\.json: holds no JSON object"),
    "of other weights": (
        "calibration_file",
        json.dumps({**SITE, "weights_sha256": "ab" * 32}).encode(),
        "was made with weights abababababab, in use are .* screen the pairs",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_damaged_or_foreign_file_is_one_line_before_any_case(
    name: str, files: dict[str, Any], tmp_path: Path
) -> None:
    check_files(ARGV, **files)
    which, content, message = BAD_FILES[name]
    files.setdefault(which, str(tmp_path / "c.json"))
    Path(files[which]).write_bytes(content)
    with pytest.raises(SystemExit, match=message) as caught:
        check_files(ARGV, **files)
    assert str(caught.value).startswith("error: ")
    assert "\n" not in str(caught.value)
    check_files(["pytest"], **files)  # another program judges for itself


@pytest.mark.parametrize("kvp", ["high", "120", True, [120]], ids=repr)
def test_a_voltage_that_is_no_number_is_refused(kvp: Any, files: dict[str, Any]) -> None:
    with pytest.raises(SystemExit, match="is no tube voltage; give a number of kV"):
        check_files(ARGV, **files, kvp=kvp)
    for good in (None, 120, 99.5):
        check_files(ARGV, **files, kvp=good)
