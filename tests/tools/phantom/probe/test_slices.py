from pathlib import Path

import numpy as np
import pytest
import torch

from tools.phantom.completion import software
from tools.phantom.probe import slices
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


def test_fingerprint_follows_recipe_and_seed() -> None:
    before = fingerprint({"a": 1}, 0)
    assert before == fingerprint({"a": 1}, 0)
    assert before != fingerprint({"a": 2}, 0)
    assert before != fingerprint({"a": 1}, 1)


def test_fingerprint_follows_what_draws_and_what_cuts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint({}, 0)
    with monkeypatch.context() as patch:
        patch.setattr(slices, "software", lambda: {**software(), "phantom_sources_sha256": "other"})
        assert fingerprint({}, 0) != before
    assert fingerprint({}, 0) == before
    for number, source in enumerate(slices.CUTTING_SOURCES):
        changed = tmp_path / source.name
        changed.write_bytes(source.read_bytes() + b"\n")
        sources = list(slices.CUTTING_SOURCES)
        sources[number] = changed
        with monkeypatch.context() as patch:
            patch.setattr(slices, "CUTTING_SOURCES", sources)
            assert fingerprint({}, 0) != before
