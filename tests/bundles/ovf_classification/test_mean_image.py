"""The training set's mean image says what a picture looks like, not where a spine lies."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ovf_bundle.common import SettingError
from ovf_bundle.mean_image import load, mean_image, write


def scans(pixels=16):
    rng = np.random.default_rng(0)
    return [
        {"image": torch.from_numpy(rng.random((1, n, pixels, pixels), dtype=np.float32))}
        for n in (2, 3)
    ]


def test_every_slice_counts_the_same() -> None:
    slices = torch.cat([scan["image"][0] for scan in scans()])
    torch.testing.assert_close(mean_image(scans(), most_move=0.0), slices.mean(dim=0))


def test_every_slice_is_seen_in_every_place_it_is_moved_to() -> None:
    found = mean_image(scans(), most_move=0.25)
    slices = torch.cat([scan["image"][0] for scan in scans()])
    padded = torch.nn.functional.pad(slices, (4, 4, 4, 4)).mean(dim=0)
    moved = [padded[r : r + 16, c : c + 16] for r in range(9) for c in range(9)]
    torch.testing.assert_close(found, torch.stack(moved).mean(dim=0))


def test_a_column_leaves_no_edge_behind() -> None:
    column = torch.zeros(1, 1, 64, 64)
    column[..., 30:34] = 1.0
    found = mean_image([{"image": column}])
    assert float(column.diff(dim=-1).abs().max()) == 1.0
    assert float(found.diff(dim=-1).abs().max()) < 0.04


def test_the_network_is_filled_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mean_image.pt"
    write(scans(), path)
    network = SimpleNamespace(mean_image=torch.zeros(16, 16))
    load(network, None)
    assert not network.mean_image.any()
    load(network, path)
    assert torch.equal(network.mean_image, mean_image(scans()))
    write(scans(), path, window=lambda scan: {"image": scan["image"] * 0.5})
    load(network, path)
    torch.testing.assert_close(network.mean_image, 0.5 * mean_image(scans()))
    with pytest.raises(SettingError, match=r"mean_image\.pt is no image of \(8, 8\) pixels"):
        load(SimpleNamespace(mean_image=torch.zeros(8, 8)), path)
    path.write_bytes(b"torso")
    with pytest.raises(SettingError, match="cannot be read; make it with `run mean_image`"):
        load(network, path)


def test_nothing_to_average_is_said_in_one_line() -> None:
    with pytest.raises(SettingError, match="the training list is empty"):
        mean_image([])
    with pytest.raises(SettingError, match="give a share of the edge"):
        mean_image(scans(), most_move=1.0)
