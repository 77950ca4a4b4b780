"""bfloat16 computes nearly the same, and leaves weights and outputs in float32."""

import pytest
import torch
from monai.networks.nets import resnet10
from torch import nn

from ovf_bundle import bfloat16
from ovf_bundle.aggregators import LstmPooling, MeanPooling
from ovf_bundle.broken_bodies import EvidenceNet
from ovf_bundle.networks import SliceSequenceNet


def network(aggregator: nn.Module) -> SliceSequenceNet:
    torch.manual_seed(0)
    options = {"spatial_dims": 2, "n_input_channels": 3, "feed_forward": False}
    return SliceSequenceNet(resnet10(**options), aggregator, features=32, pixels=32).eval()


@pytest.mark.parametrize(
    ("make", "slices"),
    [
        pytest.param(lambda: network(LstmPooling(32, 64)), 5, id="whole scans"),
        pytest.param(lambda: EvidenceNet(network(MeanPooling())), 1, id="slices and cells"),
    ],
)
def test_numbers_stay_near_and_float32(make, slices):
    plain, changed = make(), make()
    changed.load_state_dict(plain.state_dict())
    bfloat16.use(changed, True)
    image = torch.rand(2, 3, slices, 32, 32)
    expected, found = plain(image), changed(image)
    assert found.dtype == torch.float32
    assert not torch.equal(found, expected)
    assert torch.allclose(found, expected, atol=0.05)
    found.square().mean().backward()
    assert all(one.grad is None or one.grad.dtype == torch.float32 for one in changed.parameters())
    assert all(value.dtype != torch.bfloat16 for value in changed.state_dict().values())


def test_unwanted_it_changes_nothing():
    one = network(MeanPooling())
    image = torch.rand(1, 3, 2, 32, 32)
    expected = one(image)
    bfloat16.use(one, False)
    assert torch.equal(one(image), expected)
