"""R2U-Net: a U-Net of recurrent residual units.

Alom M. Z. et al., Recurrent residual convolutional neural network based on U-Net (R2U-Net) for
medical image segmentation, 2018, arXiv 1802.06955; used for L1-L4 by study S2 (section 3.2).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

#: Activations of the output a config can name.
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "softmax": nn.Softmax2d}


def fold(
    kernel: torch.Tensor,
    scale: torch.Tensor,
    shift: torch.Tensor,
    mean: torch.Tensor | None,
    variance: torch.Tensor | None,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make of a convolution and the batch norm behind it one convolution, for evaluation.

    Args:
        kernel: Of the convolution, [out, in, H, W].
        scale: Of the norm, [out].
        shift: Of the norm, [out].
        mean: Running, [out].
        variance: Running, [out].
        eps: Added to the variance.

    Returns:
        Kernel [out, in, H, W] and bias [out].
    """
    assert mean is not None  # for TorchScript: a norm may keep no running values
    assert variance is not None
    factor = scale * torch.rsqrt(variance + eps)
    return kernel * factor.view(-1, 1, 1, 1), shift - mean * factor


class RecurrentConvolution(nn.Module):
    """A 3x3 convolution applied several times with the same kernel, its input added each time.

    Each application has a batch norm of its own. A shared one keeps running statistics that are a
    blend of all applications and fit none: such a network learns well and then finds nothing in
    evaluation mode (Cooijmans T. et al., Recurrent batch normalization, 2017, arXiv 1603.09025).

    Args:
        channels: Channels in and out.
        steps: Recurrences after the first application (S2: t = 2).

    Shapes: [B, channels, H, W] -> [B, channels, H, W].
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(steps))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the kernel once to `x` and then once per step to its output plus `x`."""
        if not self.training:  # a pass over memory less for each norm
            return self._evaluate(x)
        state = self.activation(self.first_norm(self.convolution(x)))
        for norm in self.norms:
            state = self.activation(norm(self.convolution(x + state)))
        return state

    def _evaluate(self, x: torch.Tensor) -> torch.Tensor:
        first = self.first_norm
        kernel, bias = fold(
            self.convolution.weight, first.weight, first.bias, first.running_mean,
            first.running_var, first.eps,
        )  # fmt: skip
        state = self.activation(functional.conv2d(x, kernel, bias, padding=1))
        for norm in self.norms:
            kernel, bias = fold(  # a ModuleList forgets of what it is
                self.convolution.weight,
                norm.weight,  # type: ignore[arg-type]
                norm.bias,  # type: ignore[arg-type]
                norm.running_mean,  # type: ignore[arg-type]
                norm.running_var,  # type: ignore[arg-type]
                norm.eps,  # type: ignore[arg-type]
            )
            state = self.activation(functional.conv2d(x + state, kernel, bias, padding=1))
        return state


class RecurrentResidualUnit(nn.Module):
    """Two recurrent convolutions with a residual connection around both.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        steps: Recurrences of each convolution.

    Shapes: [B, in_channels, H, W] -> [B, out_channels, H, W].
    """

    def __init__(self, in_channels: int, out_channels: int, steps: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, out_channels, kernel_size=1)
        self.recurrent = nn.Sequential(
            RecurrentConvolution(out_channels, steps), RecurrentConvolution(out_channels, steps)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Bring `x` to the right number of channels and add what the convolutions make of it."""
        projected = self.project(x)
        return projected + self.recurrent(projected)


class UpConvolution(nn.Module):
    """Doubles height and width, then convolves.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.

    Shapes: [B, in_channels, H, W] -> [B, out_channels, 2 H, 2 W].
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.unit = nn.Sequential(
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Upsample and convolve."""
        return self.unit(x)


class R2UNet(nn.Module):
    """R2U-Net for 2-D slices.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the output.
        width: Channels of the first stage, doubled at each of the next (S2: 64).
        depth: Stages; height and width must be multiples of 2 ** (depth - 1).
        steps: Recurrences of each convolution (S2: t = 2).
        activation: None for logits, "sigmoid" (S2) or "softmax".

    Shapes: [B, in_channels, H, W] -> [B, out_channels, H, W].

    Raises:
        ValueError: If a number is not positive or the activation is unknown.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 10,
        width: int = 16,
        depth: int = 5,
        steps: int = 2,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        if min(in_channels, out_channels, width, depth) < 1 or steps < 0:
            raise ValueError(
                "R2UNet wants positive in_channels, out_channels, width and depth, and steps of at "
                f"least 0; got {in_channels}, {out_channels}, {width}, {depth} and {steps}"
            )
        if activation is not None and activation not in ACTIVATIONS:
            known = ", ".join(sorted(ACTIVATIONS))
            raise ValueError(f"unknown activation {activation!r}; known: {known}, or None")
        widths = [width * 2**stage for stage in range(depth)]
        self.encoder = nn.ModuleList(
            RecurrentResidualUnit(before, after, steps)
            for before, after in zip([in_channels, *widths], widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(UpConvolution(deep, shallow) for deep, shallow in pairs)
        self.decoder = nn.ModuleList(
            RecurrentResidualUnit(2 * shallow, shallow, steps) for _, shallow in pairs
        )
        self.output = nn.Conv2d(width, out_channels, kernel_size=1)
        self.activation = nn.Identity() if activation is None else ACTIVATIONS[activation]()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Segment slices, [B, in_channels, H, W] -> [B, out_channels, H, W]."""
        kept: list[torch.Tensor] = []
        x = image
        for stage, unit in enumerate(self.encoder):
            if stage > 0:
                x = self.pool(x)
            x = unit(x)
            kept.append(x)
        for stage, (up, unit) in enumerate(zip(self.up, self.decoder, strict=True)):
            x = unit(torch.cat([kept[len(kept) - 2 - stage], up(x)], dim=1))
        return self.activation(self.output(x))
