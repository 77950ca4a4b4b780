"""The loss: outline first, level only within bodies."""

import math

import pytest
import torch

from lumbar_bundle.classes import BODY_CHANNELS, L1, L2, SACRUM, UPPER
from lumbar_bundle.losses import BodyAndLevelLoss


def one_hot_logits(target, scale=30.0):
    return scale * torch.nn.functional.one_hot(target[:, 0].long(), 10).permute(0, 3, 1, 2).float()


@pytest.fixture
def target():
    target = torch.zeros(1, 1, 16, 24, dtype=torch.uint8)
    target[..., 4:12, 2:8] = L2
    target[..., 4:12, 10:16] = L1
    target[..., 4:12, 18:23] = SACRUM
    return target


def test_true_answer_costs_next_to_nothing(target):
    assert BodyAndLevelLoss()(one_hot_logits(target), target) < 1e-3


def test_wrong_level_costs_only_its_own_share(target):
    """A body found under the wrong level is still a body."""
    swapped = target.clone()
    swapped[target == L1] = UPPER
    logits = one_hot_logits(swapped, 4.0)
    outline = BodyAndLevelLoss(level_weight=0.0)
    exact = outline(one_hot_logits(target, 4.0), target)
    torch.testing.assert_close(outline(logits, target), exact)
    assert BodyAndLevelLoss(level_weight=1.0)(logits, target) > exact + 1


def test_level_share_is_the_mean_cross_entropy_over_true_bodies(target):
    logits = torch.randn(1, 10, 16, 24, generator=torch.Generator().manual_seed(1))
    whole, outline = BodyAndLevelLoss(1.0), BodyAndLevelLoss(0.0)
    costs = []
    for row in range(16):
        for column in range(24):
            if (channel := int(target[0, 0, row, column])) in BODY_CHANNELS:
                values = logits[0, :, row, column]
                total = math.log(sum(math.exp(values[c]) for c in BODY_CHANNELS))
                costs.append(total - float(values[channel]))
    found = float(whole(logits, target) - outline(logits, target))
    assert found == pytest.approx(sum(costs) / len(costs), rel=1e-4)


def test_slices_without_a_body_have_a_loss_and_a_gradient():
    logits = torch.randn(2, 10, 8, 8, requires_grad=True)
    loss = BodyAndLevelLoss()(logits, torch.zeros(2, 1, 8, 8))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
