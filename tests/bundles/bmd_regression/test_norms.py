"""Batch norm: a network that fits in training says the same in evaluation."""

import pytest
import torch
from ignite.engine import Engine
from monai.networks.nets import DenseNet, DenseNet121

from bmd_bundle.norms import SettledNorms, settle


def trained(steps: int, settled_from: int) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """Overfit a small network on patches whose level of grey is the target."""
    torch.manual_seed(0)
    network = DenseNet(2, 3, 1, init_features=8, growth_rate=4, block_config=(2, 2))
    target = torch.linspace(-1.5, 1.5, 12)[:, None]
    image = (0.3 + 0.1 * target)[:, :, None, None] + 0.02 * torch.randn(12, 3, 32, 32)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for step in range(steps):
        network.train()
        if step == settled_from:
            settle(network)
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(network(image), target)
        loss.backward()
        optimizer.step()
    return network, image, target


def test_an_overfitted_network_predicts_the_same_in_evaluation() -> None:
    network, image, target = trained(160, settled_from=110)
    with torch.no_grad():
        in_training = network.train()(image)
        in_evaluation = network.eval()(image)
    torch.testing.assert_close(in_training, in_evaluation)
    assert float((in_evaluation - target).abs().max()) < 0.3  # 15 mg/cm³ of a spread of 150


def test_densenet_121_takes_patches_down_to_one_pixel() -> None:
    torch.manual_seed(0)
    network = DenseNet121(spatial_dims=2, in_channels=3, out_channels=1)
    sizes = []
    network.features.denseblock4.register_forward_hook(
        lambda _module, _given, found: sizes.append(tuple(found.shape[2:]))
    )
    image = torch.rand(4, 3, 32, 32)
    loss = network.train()(image).square().mean()
    loss.backward()
    assert sizes == [(1, 1)]
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_settled_norms_stay_so_and_leave_the_rest_alone() -> None:
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Dropout(0.5))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    settle(network)
    network.train()
    assert (network[0].training, network[1].training) == (False, True)
    network(torch.randn(8, 3, 4, 4) + 5)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])
    assert network.eval() is network


@pytest.mark.parametrize(
    ("share", "epochs", "first"), [(0.7, 10, 8), (0.0, 3, 1), (1.0, 3, None), (0.5, 3, 3)]
)
def test_norms_are_settled_from_their_epoch_on(share: float, epochs: int, first: int) -> None:
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(1))
    seen = {}

    def step(engine: Engine, batch: int) -> None:
        network.train()
        seen[engine.state.epoch] = not network[0].training

    engine = Engine(step)
    SettledNorms(network, share).attach(engine)
    engine.run([0], max_epochs=epochs)
    assert [epoch for epoch, settled in seen.items() if settled] == (
        list(range(first, epochs + 1)) if first else []
    )


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"from 0 to 1, not 1\.5"):
        SettledNorms(torch.nn.Identity(), 1.5)
