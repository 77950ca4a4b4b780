"""R2U-Net: its shapes, its recurrences against a hand-written computation, its refusals."""

import pytest
import torch

from lumbar_bundle.networks import R2UNet, RecurrentConvolution, RecurrentResidualUnit


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        pytest.param({}, (64, 96), id="shipped"),
        pytest.param({"width": 4, "depth": 3}, (20, 36), id="three stages"),
        pytest.param({"width": 4, "steps": 0}, (32, 16), id="no recurrence"),
        pytest.param({"width": 3, "in_channels": 3, "out_channels": 5}, (48, 48), id="odd width"),
        pytest.param({"width": 4, "depth": 1}, (7, 9), id="one stage takes any size"),
    ],
)
def test_output_has_the_inputs_size_and_the_wanted_channels(settings, size):
    network = R2UNet(**settings).eval()
    image = torch.rand(2, settings.get("in_channels", 1), *size)
    assert network(image).shape == (2, settings.get("out_channels", 10), *size)


def test_recurrence_applies_the_same_kernel_to_input_plus_state():
    torch.manual_seed(0)
    module = RecurrentConvolution(3, steps=2).eval()
    norms = [module.first_norm, *module.norms]
    for norm in norms:
        for numbers in (norm.running_mean, norm.bias.data):
            numbers.uniform_(-1, 1)
        for numbers in (norm.running_var, norm.weight.data):
            numbers.uniform_(0.5, 2)
    image = torch.randn(1, 3, 8, 8)

    def unit(x, norm):
        kernel = module.convolution.weight
        return torch.relu(norm(torch.nn.functional.conv2d(x, kernel, padding=1)))

    first = unit(image, norms[0])
    second = unit(image + first, norms[1])
    third = unit(image + second, norms[2])
    torch.testing.assert_close(module(image), third)


def test_running_statistics_of_every_recurrence_are_its_own():
    """With shared ones a trained network found nothing in evaluation mode."""
    torch.manual_seed(0)
    module = RecurrentConvolution(4, steps=2).train()
    image = 3 * torch.randn(64, 4, 16, 16)
    for _ in range(100):
        trained = module(image)
    torch.testing.assert_close(module.eval()(image), trained, atol=0.01, rtol=0.01)


def test_residual_unit_adds_its_projected_input():
    module = RecurrentResidualUnit(2, 4, steps=1).eval()
    image = torch.randn(1, 2, 8, 8)
    projected = module.project(image)
    torch.testing.assert_close(module(image), projected + module.recurrent(projected))


def test_recurrences_cost_no_kernels():
    def kernels(steps):
        return sum(p.numel() for p in R2UNet(width=4, steps=steps).parameters() if p.ndim == 4)

    assert len({kernels(steps) for steps in (0, 1, 2, 5)}) == 1


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_activation_makes_probabilities_of_the_logits(activation):
    torch.manual_seed(0)
    logits_of = R2UNet(width=4, depth=2, out_channels=3).eval()
    network = R2UNet(width=4, depth=2, out_channels=3, activation=activation).eval()
    network.load_state_dict(logits_of.state_dict())
    image = torch.randn(1, 1, 8, 8)
    logits = logits_of(image)
    wanted = torch.sigmoid(logits) if activation == "sigmoid" else torch.softmax(logits, dim=1)
    torch.testing.assert_close(network(image), wanted)


def test_script_and_trace_give_the_same_numbers_at_other_sizes():
    network = R2UNet(width=4).eval()
    example, other = torch.rand(1, 1, 32, 32), torch.rand(3, 1, 64, 48)
    for exported in (torch.jit.script(network), torch.jit.trace(network, example)):
        torch.testing.assert_close(exported(other), network(other))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"width": 0}, "positive", id="no width"),
        pytest.param({"steps": -1}, "steps of at least 0", id="negative steps"),
        pytest.param({"activation": "relu"}, "known: sigmoid, softmax", id="activation"),
    ],
)
def test_unusable_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        R2UNet(**settings)
