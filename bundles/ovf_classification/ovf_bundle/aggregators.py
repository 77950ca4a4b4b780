"""From the slices of a CT to one logit: S1's four aggregators, and attention pooling.

    aggregator: {_target_: ovf_bundle.aggregators.LstmPooling}

Each takes the features and logits of all slices, right to left, and which of them are no padding.
Max, mean and vote have no weights: they follow what each slice says alone.
"""

from __future__ import annotations

import torch
from torch import nn

#: Length of a slice's feature (S1).
FEATURES = 32
#: A share of slices of 0 or 1 would be an infinite logit.
LEAST_SHARE = 1e-4


class MaxPooling(nn.Module):
    """The slice that shows a fracture best speaks for the CT (S1, "CNN + max").

    Shapes: features [B, S, F], logits [B, S], valid [B, S] bool -> [B, 1].
    """

    def forward(
        self, features: torch.Tensor, logits: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """Take the largest logit."""
        return logits.masked_fill(~valid, -float("inf")).amax(dim=1, keepdim=True)


class MeanPooling(nn.Module):
    """The mean of the slices' probabilities (S1, "CNN + mean").

    Shapes: features [B, S, F], logits [B, S], valid [B, S] bool -> [B, 1].
    """

    def forward(
        self, features: torch.Tensor, logits: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """Average probabilities; the logit of one slice alone is its own."""
        # In logs, so that a slice far from 0 keeps its gradient.
        weights = torch.where(valid, 0.0, -float("inf"))
        positive = torch.logsumexp(nn.functional.logsigmoid(logits) + weights, dim=1, keepdim=True)
        negative = torch.logsumexp(nn.functional.logsigmoid(-logits) + weights, dim=1, keepdim=True)
        return positive - negative


class MajorityVote(nn.Module):
    """The share of slices whose probability is above a half (S1, "CNN + vote").

    More than half of the slices make the CT positive. A count has no gradient: train with
    `MeanPooling`, vote afterwards.

    Shapes: features [B, S, F], logits [B, S], valid [B, S] bool -> [B, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        self.least_share = LEAST_SHARE  # TorchScript knows no constants of a module

    def forward(
        self, features: torch.Tensor, logits: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """Count."""
        votes = ((logits > 0) & valid).sum(dim=1, keepdim=True).to(logits.dtype)
        share = votes / valid.sum(dim=1, keepdim=True).to(logits.dtype)
        return torch.logit(share, eps=self.least_share)


class LstmPooling(nn.Module):
    """One-layer LSTM over the slices' features, its last output to one logit (S1).

    Args:
        features: Length of a slice's feature.
        hidden: Width of the LSTM.
        dropout: Share of its last output that is left out in training.

    Shapes: features [B, S, F], logits [B, S], valid [B, S] bool -> [B, 1].
    """

    def __init__(self, features: int = FEATURES, hidden: int = 256, dropout: float = 0.2) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(hidden, 1)

    def forward(
        self, features: torch.Tensor, logits: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """Read the slices one after the other; what follows a CT's last slice is not looked at."""
        # Given a state of its own, ONNX does not fix the batch that it was exported with.
        start = features.new_zeros(1, features.shape[0], self.lstm.hidden_size)
        outputs, _ = self.lstm(features, (start, start))
        last = (valid.sum(dim=1) - 1).view(-1, 1, 1).expand(-1, 1, outputs.shape[2])
        ending: torch.Tensor = self.out(self.dropout(outputs.gather(1, last).squeeze(1)))
        return ending


class AttentionPooling(nn.Module):
    """Gated attention: a weighted mean of the slices' features, to one logit.

    Ilse M. et al., Attention-based Deep Multiple Instance Learning, ICML 2018, equation 9. The
    order of slices does not matter, and the weights say which slices were looked at.

    Args:
        features: Length of a slice's feature.
        hidden: Width of the gate.
        dropout: Share of the mean that is left out in training.

    Shapes: features [B, S, F], logits [B, S], valid [B, S] bool -> [B, 1].
    """

    def __init__(self, features: int = FEATURES, hidden: int = 64, dropout: float = 0.2) -> None:
        super().__init__()
        self.content = nn.Linear(features, hidden)
        self.gate = nn.Linear(features, hidden)
        self.weight = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(features, 1)

    def forward(
        self, features: torch.Tensor, logits: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """Weigh the slices."""
        gated = torch.tanh(self.content(features)) * torch.sigmoid(self.gate(features))
        weights = self.weight(gated).squeeze(2).masked_fill(~valid, -float("inf")).softmax(dim=1)
        mean = (weights.unsqueeze(2) * features).sum(dim=1)
        pooled: torch.Tensor = self.out(self.dropout(mean))
        return pooled
