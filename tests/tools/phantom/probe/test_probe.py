import json
from pathlib import Path

import pytest
import torch

from tools.phantom.probe import train
from tools.phantom.probe.__main__ import parse, probe
from tools.phantom.probe.slices import collect

from .conftest import simulate_boxes


@pytest.mark.slow
def test_training_learns_boxes_and_repeats_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "BATCH", 4)
    slices = collect(simulate_boxes, {"bone_hu": 700}, 0, 2, tmp_path, workers=1)
    made, again = (train.train(slices, seed=1, seconds=0, steps=15, threads=1) for _ in range(2))
    assert made.steps == 15
    assert made.losses[-1] < 0.8 * made.losses[0]
    assert made.losses == again.losses
    weights = zip(made.network.parameters(), again.network.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in weights)


@pytest.mark.slow
@pytest.mark.realdata
def test_the_whole_probe_writes_numbers_and_pictures(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "lumbar_ct_3mm"
    arguments = [str(tmp_path), "--cases", "3", "--steps", "2", "--workers", "1"]
    arguments += ["--ct", str(folder / "ct.nii.gz")]
    options = parse([*arguments, "--bodies", str(folder / "vertebral_bodies.nii.gz")])
    result = probe(options, simulate_boxes, {"name": "boxes"})
    stored = json.loads((tmp_path / "probe.json").read_text())
    assert stored == json.loads(json.dumps(result))
    assert stored["training"]["steps"] == 2
    assert stored["slices"]["training"] == 20
    assert 0 <= stored["real"]["lumbar"]["whole"]["dsc"] <= 1
    assert {path.name for path in tmp_path.glob("*.png")} >= {"lumbar.png", "phantom.png"}
    trained = (tmp_path / "network.pt").stat().st_mtime_ns
    again = probe(options, simulate_boxes, {"name": "boxes"})
    assert (tmp_path / "network.pt").stat().st_mtime_ns == trained
    assert again["real"] == result["real"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--minutes", "30"], "--minutes must be", id="more than the floor allows"),
        pytest.param(["--cases", "1"], "--cases must be at least 2", id="nothing to hold out"),
        pytest.param(["--case", "9"], "unrecognized arguments", id="unknown option"),
        pytest.param(["--ct", "nowhere.nii.gz"], "no such file: nowhere", id="no CT"),
    ],
)
def test_bad_requests_end_with_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["out", *arguments])
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
