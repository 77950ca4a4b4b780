"""Verdicts, agreement and their summary."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tools.levels import LABEL_IDS, MEASURED_LEVELS
from tools.statistics import clopper_pearson
from tools.stress import summary
from tools.stress.pictures import side_by_side
from tools.stress.sample import Sample
from tools.stress.score import rows
from tools.stress.variants import Change, apply

_spec = importlib.util.spec_from_file_location("scene", Path(__file__).with_name("scene.py"))
scene = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(scene)

SAID = {
    level: {"status": "measured", "reasons": [], "confidence": 0.9} for level in MEASURED_LEVELS
}


@pytest.fixture(scope="module")
def sample():
    return apply(scene.boxes(), Change())


def right(sample):
    """What a perfect bundle writes."""
    return np.where(sample.labels <= 4, sample.labels, 0).astype(np.uint8)


def verdicts(found):
    return {row["level"]: row["verdict"] for row in found}


def test_a_perfect_map_is_right_everywhere(sample):
    places = {
        level: {**SAID[level], "centroid_ras_mm": sample.grid.to_world(
            np.argwhere(sample.labels == LABEL_IDS[level])).mean(axis=0).tolist()}
        for level in MEASURED_LEVELS
    }  # fmt: skip
    found = rows(sample, right(sample), places)
    assert [row["level"] for row in found] == list(MEASURED_LEVELS)
    for row in found:
        assert row["verdict"] == "right"
        assert row["dsc"] == row["dsc_central"] == row["ppv"] == row["sensitivity"] == 1.0
        assert row["msd_mm"] == 0.0
        assert row["centroid_error_mm"] == pytest.approx(0.0, abs=1e-9)
        assert row["confidence"] == 0.9


def test_names_off_by_one_are_wrong(sample):
    shifted = np.zeros_like(sample.labels)
    for name, under in (("L1", "T12"), ("L2", "L1"), ("L3", "L2"), ("L4", "L3")):
        shifted[sample.labels == LABEL_IDS[under]] = LABEL_IDS[name]
    found = rows(sample, shifted, SAID)
    assert set(verdicts(found).values()) == {"wrong"}
    assert [row["dsc"] for row in found] == [0.0] * 4


def test_refusals_count_as_zero(sample):
    refused = {**SAID, "L2": {"status": "refused", "reasons": ["no_anchor", "chain_broken"]}}
    written = right(sample)
    written[written == LABEL_IDS["L2"]] = 0
    found = {row["level"]: row for row in rows(sample, written, refused)}
    assert verdicts(found.values()) == dict.fromkeys(MEASURED_LEVELS, "right") | {"L2": "refused"}
    assert found["L2"]["dsc"] == 0.0
    assert found["L2"]["reasons"] == ["no_anchor", "chain_broken"]


def test_a_level_the_field_cuts_should_not_be_written():
    cut = apply(scene.boxes(), Change(top="L2 through"))
    found = verdicts(rows(cut, right(cut), SAID))
    assert found == {"L1": "absent", "L2": "right_cut", "L3": "right", "L4": "right"}
    nothing = verdicts(rows(cut, np.zeros_like(cut.labels), SAID))
    assert nothing == {"L1": "absent", "L2": "absent", "L3": "refused", "L4": "refused"}


def test_a_body_that_touches_the_border_of_the_map_is_not_complete(sample):
    bodies = sample.labels[:, :, 24:]  # L5 begins at the border
    level = replace(sample, image=sample.image[:, :, 24:], labels=bodies)
    whole = frozenset(MEASURED_LEVELS)
    assert all(row["complete"] for row in rows(replace(level, complete=whole), right(level), SAID))
    bodies = sample.labels[:, :, 36:]  # and now L4 does
    level = replace(sample, image=sample.image[:, :, 36:], labels=bodies, complete=whole)
    found = {row["level"]: row["complete"] for row in rows(level, right(level), SAID)}
    assert found == {"L1": True, "L2": True, "L3": True, "L4": False}


def test_central_dice_looks_at_the_middle_only(sample):
    written = right(sample)
    written[:11] = 0  # a flank is missing, more than 10 mm from the middle
    for row in rows(sample, written, SAID):
        assert row["dsc_central"] == 1.0
        assert row["dsc"] == pytest.approx(2 * 11 / (11 + 14))


def test_without_a_reference_only_some_names_may_be_written(sample):
    blind = replace(sample, labels=None, may_name=frozenset({"L1"}), complete=frozenset())
    written = np.zeros_like(right(sample))
    written[0, 0, 0], written[1, 0, 0] = LABEL_IDS["L1"], LABEL_IDS["L2"]
    found = rows(blind, written, SAID)
    assert verdicts(found) == {"L1": "right", "L2": "wrong", "L3": "absent", "L4": "absent"}
    assert all(row["dsc"] is None for row in found)


# Summary


def table(*scans):
    """Rows from words such as "right right refused wrong", one per scan."""
    made = []
    for number, words in enumerate(scans):
        for level, verdict in zip(MEASURED_LEVELS, words.split(), strict=True):
            complete = verdict in ("right", "refused", "wrong")
            dsc = 0.9 if verdict == "right" else 0.0
            made.append({
                "part": "p", "case": f"c{number}", "sacrum": "whole" if number % 2 else "none",
                "level": level, "verdict": verdict, "complete": complete,
                "dsc": dsc if complete else None, "dsc_central": None,
                "msd_mm": 1.0 if verdict == "right" else None, "centroid_error_mm": None,
            })  # fmt: skip
    return made


def test_summary_counts_levels_scans_and_intervals():
    made = table(
        "right right right right", "right right right refused", "absent wrong wrong right_cut"
    )
    found = summary.summarize(made)["p"]
    assert set(found) == {"all", "sacrum_whole", "sacrum_none"}
    everything = found["all"]
    assert everything["scans"] == 3
    assert everything["verdicts"] == {
        "right": 7, "refused": 1, "wrong": 2, "right_cut": 1, "absent": 1,
    }  # fmt: skip
    assert everything["right"] == {
        "count": 7, "of": 10, "share": 0.7, "ci95": clopper_pearson(7, 10),
    }  # fmt: skip
    assert (everything["wrong_names"]["count"], everything["wrong_names"]["of"]) == (2, 11)
    assert (everything["wrong_of_written"]["count"], everything["wrong_of_written"]["of"]) == (
        2,
        10,
    )
    assert (everything["four_right"]["count"], everything["four_right"]["of"]) == (1, 2)
    assert everything["scans_with_wrong_name"]["count"] == 1
    assert found["sacrum_whole"]["verdicts"]["refused"] == 1


def test_summary_counts_refusals_as_dice_zero_and_leaves_them_out_of_distances():
    found = summary.summarize(table("right right right refused"))["p"]["all"]
    assert found["L4"]["dsc"]["mean"] == 0.0
    assert found["L1"]["dsc"]["mean"] == pytest.approx(0.9)
    assert found["all_levels"]["dsc"]["mean"] == pytest.approx(0.675)
    assert found["all_levels"]["msd_mm"]["count"] == 3
    assert found["L4"]["msd_mm"]["mean"] is None
    assert "right 3 of 4, 75.0%" in summary.in_words("p", found)


def test_picture_shows_what_was_written_beside_the_reference(sample):
    picture = side_by_side(sample, np.zeros_like(right(sample)))
    left, right_half = np.split(picture, 2, axis=1)

    def coloured(half):
        """Pixels that are not grey."""
        return (np.ptp(half.astype(int), axis=2) > 0).sum()

    assert coloured(left) == 0
    assert coloured(right_half) > 1000
    blind = Sample(sample.image, sample.affine, None, frozenset())
    assert coloured(side_by_side(blind, right(sample))) > 500
