"""Aggregators against numbers made by hand, and padding that must not matter."""

import pytest
import torch
from torch import nn

from ovf_bundle.aggregators import (
    AttentionPooling,
    LstmPooling,
    MajorityVote,
    MaxPooling,
    MeanPooling,
)

ALL = [MaxPooling, MeanPooling, MajorityVote, LstmPooling, AttentionPooling]


def pool(aggregator: nn.Module, logits: list[float]) -> float:
    """Probability of one CT of slices with these logits and no features to speak of."""
    values = torch.tensor([logits])
    features = torch.zeros(1, len(logits), 32)
    valid = torch.ones(1, len(logits), dtype=torch.bool)
    return float(torch.sigmoid(aggregator(features, values, valid)))


@pytest.mark.parametrize(
    ("aggregator", "probabilities", "expected"),
    [
        pytest.param(MaxPooling(), [0.1, 0.9, 0.3], 0.9, id="max: the best slice"),
        pytest.param(MeanPooling(), [0.1, 0.9, 0.2], 0.4, id="mean: of probabilities"),
        pytest.param(MeanPooling(), [0.7], 0.7, id="mean of one slice: its own"),
        pytest.param(MajorityVote(), [0.6, 0.7, 0.1], 2 / 3, id="vote: two of three"),
        pytest.param(MajorityVote(), [0.9, 0.1], 0.5, id="vote: a tie is no majority"),
        pytest.param(MajorityVote(), [0.9, 0.9], 1 - 1e-4, id="vote: all, kept finite"),
        pytest.param(MajorityVote(), [0.1, 0.1], 1e-4, id="vote: none, kept finite"),
    ],
)
def test_s1s_aggregators_by_hand(
    aggregator: nn.Module, probabilities: list[float], expected: float
) -> None:
    logits = torch.logit(torch.tensor(probabilities)).tolist()
    assert pool(aggregator, logits) == pytest.approx(expected, abs=1e-5)


def test_the_mean_keeps_a_gradient_where_slices_are_sure() -> None:
    """Probabilities of 1 - 1e-13 are 1 in single precision: their mean had no gradient."""
    logits = torch.tensor([[30.0, 30.0]], requires_grad=True)
    MeanPooling()(
        torch.zeros(1, 2, 32), logits, torch.ones(1, 2, dtype=torch.bool)
    ).sum().backward()
    assert logits.grad is not None
    assert float(logits.grad.sum()) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("aggregator", ALL)
def test_padding_changes_nothing(aggregator: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = aggregator().eval()
    features, logits = torch.randn(2, 6, 32), torch.randn(2, 6)
    lengths = torch.tensor([2, 6])
    valid = torch.arange(6) < lengths[:, None]
    both = network(features, logits, valid)
    for row, length in enumerate(lengths):
        part = slice(0, int(length))
        alone = network(
            features[row : row + 1, part], logits[row : row + 1, part], valid[row : row + 1, part]
        )
        torch.testing.assert_close(both[row : row + 1], alone)


def test_the_lstm_is_torchs_own_and_reads_the_last_slice() -> None:
    torch.manual_seed(0)
    network = LstmPooling(features=32, hidden=256).eval()
    features = torch.randn(1, 5, 32)
    outputs, _ = network.lstm(features)
    expected = outputs[:, -1] @ network.out.weight.T + network.out.bias
    found = network(features, torch.zeros(1, 5), torch.ones(1, 5, dtype=torch.bool))
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(
        found, network(features.flip(1), torch.zeros(1, 5), torch.ones(1, 5, dtype=torch.bool))
    ), "an LSTM depends on the order of slices"


def test_attention_does_not_depend_on_the_order() -> None:
    torch.manual_seed(0)
    network = AttentionPooling().eval()
    features, valid = torch.randn(1, 5, 32), torch.ones(1, 5, dtype=torch.bool)
    logits = torch.zeros(1, 5)
    torch.testing.assert_close(
        network(features, logits, valid), network(features.flip(1), logits, valid)
    )
