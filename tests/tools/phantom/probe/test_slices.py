from pathlib import Path

import numpy as np
import pytest
import torch

from tools.phantom.probe.slices import (
    BODY,
    OFFSET_BANDS_MM,
    SACRUM,
    collect,
    cut,
    fingerprint,
)

from .conftest import BoxCase, simulate_boxes


def test_slices_show_bodies_where_the_patient_has_them(box_case: BoxCase) -> None:
    images, labels = cut(box_case, np.random.default_rng(0))
    assert images.shape == labels.shape == (len(OFFSET_BANDS_MM), 160, 100)
    middle = labels[0]
    assert set(np.unique(middle)) == {0, BODY, SACRUM}
    # Three boxes of 18 x 15 pixels; the image is bright just there.
    assert (middle == BODY).sum() == pytest.approx(3 * 18 * 15, rel=0.03)
    assert images[0][middle == BODY].mean() == pytest.approx(300, abs=10)
    # Foot is at the low end of Z, the back at the low end of Y.
    assert np.argwhere(middle == SACRUM)[:, 1].max() < np.argwhere(middle == BODY)[:, 1].min()
    assert (images[0][:5] == -1024).all()  # 110 mm behind the bodies there is no patient


def test_a_patient_without_bodies_is_refused(box_case: BoxCase) -> None:
    box_case.labels[:] = 0
    with pytest.raises(ValueError, match="no vertebral body"):
        cut(box_case, np.random.default_rng(0))


def test_a_rerun_draws_only_what_is_missing(tmp_path: Path) -> None:
    first = collect(simulate_boxes, {}, 3, 3, tmp_path, workers=1)
    (tmp_path / "0001.npz").unlink()
    kept = (tmp_path / "0000.npz").stat().st_mtime_ns
    again = collect(simulate_boxes, {}, 3, 3, tmp_path, workers=1)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert (tmp_path / "0000.npz").stat().st_mtime_ns == kept
    assert first.patients.tolist() == [i for i in range(3) for _ in OFFSET_BANDS_MM]


def test_fingerprint_follows_recipe_seed_and_drawing_code_only(tmp_path: Path) -> None:
    code = tmp_path / "spine.py"
    code.write_text("a = 1")
    before = fingerprint({"a": 1}, 0, tmp_path)
    assert before == fingerprint({"a": 1}, 0, tmp_path)
    assert before != fingerprint({"a": 2}, 0, tmp_path)
    assert before != fingerprint({"a": 1}, 1, tmp_path)
    (tmp_path / "tone.py").write_text("no patient depends on it")
    assert before == fingerprint({"a": 1}, 0, tmp_path)
    code.write_text("a = 2")
    assert before != fingerprint({"a": 1}, 0, tmp_path)
