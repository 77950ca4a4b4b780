"""S1's learning rate is halved when the validation loss stops falling."""

import torch
from ignite.engine import Engine
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ovf_bundle.plateau import LowerOnPlateau


def test_the_rate_is_halved_where_the_validation_loss_does_not_fall() -> None:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    said = iter([0.6, 0.9, 0.9, 0.7])
    evaluator = Engine(
        lambda _, __: [{"pred": torch.tensor([next(said)]), "label": torch.tensor([1])}]
    )
    LowerOnPlateau(scheduler, evaluator).attach(Engine(lambda _, __: None))
    rates = []
    for _ in range(4):
        evaluator.run([0], max_epochs=1)
        rates.append(optimizer.param_groups[0]["lr"])
    # 0.6 -> 0.9 falls; the same 0.9 again and 0.7 do not.
    assert rates == [1.0, 1.0, 0.5, 0.25]
