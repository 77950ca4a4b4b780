"""Weights go from one stage to the next, and to other aggregators; others are refused by a line."""

from pathlib import Path

import pytest
import torch
from torch import nn

from ovf_bundle.aggregators import LstmPooling, MaxPooling, MeanPooling
from ovf_bundle.common import SettingError
from ovf_bundle.networks import SliceSequenceNet
from ovf_bundle.weights import start


def network(aggregator: nn.Module, encoded: int = 8, seed: int = 0) -> SliceSequenceNet:
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, encoded))
    return SliceSequenceNet(encoder, aggregator, encoded=encoded, features=4, pixels=4)


def lstm() -> LstmPooling:
    return LstmPooling(features=4, hidden=8)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(MeanPooling, lstm, id="stage 1 to 2: a new LSTM"),
        pytest.param(lstm, lstm, id="stage 2 to 3: the same"),
        pytest.param(lstm, MaxPooling, id="LSTM to max"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "checkpoint"])
def test_all_but_another_aggregator_is_taken_over(
    tmp_path: Path, before: type, after: type, wrapped: bool
) -> None:
    one, other = network(before(), seed=1), network(after(), seed=2)
    fresh = {k: v.clone() for k, v in other.state_dict().items()}
    state = one.state_dict()
    torch.save({"model": state} if wrapped else state, tmp_path / "w.pt")
    start(other, str(tmp_path / "w.pt"))
    for key, value in other.state_dict().items():
        expected = state.get(key, fresh[key])
        assert torch.equal(value, expected), key


def test_no_file_changes_nothing() -> None:
    one = network(lstm())
    before = {k: v.clone() for k, v in one.state_dict().items()}
    start(one, None)
    assert all(torch.equal(v, before[k]) for k, v in one.state_dict().items())


@pytest.mark.parametrize("kind", ["another encoder", "damaged", "no weights"])
def test_other_weights_are_refused_by_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.pt"
    if kind == "another encoder":
        torch.save(network(lstm(), encoded=6).state_dict(), path)
    elif kind == "damaged":
        path.write_bytes(b"PK not a checkpoint")
    else:
        torch.save([1, 2], path)
    with pytest.raises(SettingError, match=r"w\.pt: [^\n]*; [^\n]*give [^\n]*$"):
        start(network(lstm()), str(path))
