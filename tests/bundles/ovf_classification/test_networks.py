"""The network of S1: its size and layers, exact padding, and that the mean image is taken off."""

import pytest
import torch
from monai.networks.nets import resnet34
from torch import nn

from ovf_bundle.aggregators import LstmPooling, MeanPooling
from ovf_bundle.networks import SliceSequenceNet

PIXELS = 32


def small(aggregator: nn.Module) -> SliceSequenceNet:
    """A network with a small encoder."""
    encoder = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=4),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return SliceSequenceNet(encoder, aggregator, encoded=8, features=4, pixels=PIXELS)


def test_the_encoder_is_the_standard_resnet34() -> None:
    """He 2016, table 1: 112 x 112 after the first layer, 21.28 million weights without the last."""
    encoder = resnet34(
        spatial_dims=2,
        n_input_channels=3,
        conv1_t_stride=2,
        feed_forward=False,
        bias_downsample=False,
    )
    assert sum(p.numel() for p in encoder.parameters()) == 21_284_672
    assert encoder.conv1(torch.zeros(1, 3, 224, 224)).shape == (1, 64, 112, 112)


@pytest.mark.parametrize("training", [False, True], ids=["evaluated", "training"])
def test_padded_batches_are_exact(training: bool) -> None:
    """In training a padded slice would also have moved the batch norms' statistics."""
    image, lengths = torch.rand(2, 3, 6, PIXELS, PIXELS), torch.tensor([4, 2])
    garbage = image.clone()
    garbage[0, :, 4:], garbage[1, :, 2:] = 7.0, -5.0
    results, statistics = [], []
    for given in (image, garbage):
        torch.manual_seed(0)
        network = small(LstmPooling(features=4, hidden=8, dropout=0.0)).train(training)
        results.append(network(given, lengths))
        statistics.append({k: v.clone() for k, v in network.state_dict().items() if "running" in k})
    torch.testing.assert_close(results[0], results[1])
    assert all(torch.equal(value, statistics[1][key]) for key, value in statistics[0].items())
    if not training:
        alone = torch.cat([network(image[:1, :, :4]), network(image[1:, :, :2])])
        torch.testing.assert_close(results[0], alone)


def test_a_slice_alone_says_what_the_mean_of_one_slice_is() -> None:
    network = small(MeanPooling()).eval()
    image = torch.rand(2, 3, 5, PIXELS, PIXELS)
    found = network.slice_logits(image)
    assert found.shape == (2, 5)
    for number in range(5):
        torch.testing.assert_close(
            found[:, number : number + 1], network(image[:, :, number : number + 1])
        )


def test_the_mean_image_is_taken_off_every_slice() -> None:
    network = small(MeanPooling()).eval()
    image, mean = torch.rand(1, 3, 2, PIXELS, PIXELS), torch.rand(PIXELS, PIXELS)
    expected = network(image)
    network.mean_image.copy_(mean)
    torch.testing.assert_close(network(image + mean), expected)
    assert "mean_image" in network.state_dict(), "it travels with the weights"
