"""What `lumbar_segmentation` must reach with its shipped weights on real CT. Slow.

    python -m pytest -m slow tests/realdata

The masks of the CT are another network's output, not manual truth.
"""

import json
import os
from pathlib import Path

import pytest

from tools.levels import MEASURED_LEVELS
from tools.stress import command, plans
from tools.stress.examine import Setup, read
from tools.stress.summary import describe

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

VARIANTS = 120
WORKERS = min(2, os.cpu_count() or 1)


def examined(out: Path, todo: list[plans.Plan]) -> list[dict]:
    """Records of plans, examined with the shipped weights."""
    setup = Setup(out)
    command.run(setup, todo, WORKERS)
    records = [read(setup, plan) for plan in todo]
    assert all(records)
    return [record for record in records if record]


def rows_of(records: list[dict]) -> list[dict]:
    return [row for record in records for row in record["rows"]]


def listed(rows: list[dict]) -> str:
    """The rows that went wrong, to read in a failure's message."""
    return json.dumps([row for row in rows if row["verdict"] == "wrong"])


@pytest.fixture(scope="module")
def variants(tmp_path_factory, shared_data) -> list[dict]:
    todo = plans.variant_plans(VARIANTS, 0, shared_data)
    return examined(tmp_path_factory.mktemp("variants"), todo)


@pytest.fixture(scope="module")
def negatives(tmp_path_factory, shared_data) -> dict[str, dict[str, dict]]:
    """Case -> level -> row."""
    records = examined(tmp_path_factory.mktemp("negatives"), plans.negative_plans(shared_data))
    return {
        record["rows"][0]["case"]: {row["level"]: row for row in record["rows"]}
        for record in records
    }


def test_unchanged_ct_is_named_and_outlined(variants):
    """DSC at least 0.85 of the whole body and of its central 20 mm; surfaces within 1.5 mm."""
    assert variants[0]["settings"] == {}
    for row in variants[0]["rows"]:
        assert row["verdict"] == "right", row
        assert row["dsc"] >= 0.85, row
        assert row["dsc_central"] >= 0.85, row
        assert row["msd_mm"] <= 1.5, row


def test_names_of_variants_are_right_where_the_sacrum_shows(variants):
    shown = [row for row in rows_of(variants) if row["sacrum"] == "whole"]
    found = describe(shown)
    assert found["right"]["of"] >= 150
    assert found["right"]["share"] >= 0.95, found["right"]


def test_hardly_any_name_of_a_variant_is_wrong(variants):
    rows = rows_of(variants)
    found = describe(rows)
    assert found["scans"] >= 100
    assert found["wrong_names"]["share"] <= 0.01, listed(rows)


def test_sagittal_slices_are_not_named_wrongly(tmp_path, shared_data):
    rows = rows_of(examined(tmp_path, plans.slice_plans(shared_data)))
    found = describe(rows)
    assert found["verdicts"]["wrong"] == 0, listed(rows)
    assert found["right"]["share"] >= 0.5, found["right"]


def test_chest_shows_no_level(negatives):
    levels = negatives["thorax_ct_1p5mm"]
    assert {row["verdict"] for row in levels.values()} == {"absent"}


def test_upper_abdomen_shows_nothing_below_l1(negatives):
    levels = negatives["upper_abdomen_dicom"]
    assert {row["verdict"] for level, row in levels.items() if level != "L1"} == {"absent"}


def test_crop_around_l3_has_nothing_to_count_from(negatives):
    for level in MEASURED_LEVELS:
        row = negatives["l3_crop"][level]
        assert row["verdict"] == "absent", row
        assert "no_anchor" in row["reasons"], row
