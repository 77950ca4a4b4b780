"""What a stopped training goes on from."""

import torch
from ignite.engine import Engine
from monai.transforms import Compose, RandGaussianNoise

from lumbar_bundle.checkpoints import EpochSeed, newest_checkpoint


def test_newest_is_the_highest_epoch_not_the_last_in_the_alphabet(tmp_path):
    assert newest_checkpoint(str(tmp_path / "missing")) is None
    for name in ("checkpoint_epoch=9.pt", "checkpoint_epoch=10.pt", "best.pt", "model.pt"):
        (tmp_path / name).touch()
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / "checkpoint_epoch=10.pt")


def draws(first_epoch, seed=3):
    transform = Compose([RandGaussianNoise(prob=1.0)])
    seen = {}

    def step(engine, batch):
        number = float(torch.rand(1)), float(transform(torch.zeros(1, 2, 2)).sum())
        seen.setdefault(engine.state.epoch, []).append(number)

    engine = Engine(step)
    EpochSeed(seed, transform).attach(engine)
    engine.state.epoch = first_epoch - 1
    engine.state.max_epochs, engine.state.epoch_length = 3, 2
    engine.state.iteration = (first_epoch - 1) * 2
    engine.run([0, 1], max_epochs=3)
    return seen


def test_an_epoch_draws_the_same_whether_those_before_it_were_run_or_not():
    whole, late = draws(1), draws(3)
    assert set(whole) == {1, 2, 3}
    assert late[3] == whole[3]
    assert whole[1] != whole[2]
    assert draws(1, seed=4)[1] != whole[1]
