import copy
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import numpy as np
import pytest

from tests.tools.report import made_up
from tools import bundles
from tools.report import minerals
from tools.report.schema import schema, validate
from tools.report.words import FINDINGS

NONE = dict.fromkeys(("L1", "L2", "L3", "L4"), made_up.missing("no_anchor"))

#: The report of the published contract, with its alternatives chosen and its gaps filled.
PUBLISHED = """
{"schema": 1, "case": "c", "software": {"version": "0.1", "weights": {"lumbar_segmentation": "%s"}},
 "input": {"kind": "dicom", "shape": [512, 512, 300], "spacing_mm": [0.7, 0.7, 1.0], "kvp": 120,
           "kernel": "B30f", "contrast": "none", "sagittal_reformat": false},
 "calibration": {"id": "a", "mineral": "HA", "kvp": 120, "scanner": "A"},
 "levels": {"L1": %s, "L2": %s, "L3": %s, "L4": {"status": "refused",
   "reasons": ["touches_border"], "warnings": [], "confidence": null, "centroid_ras_mm": null,
   "volume_mm3": null, "height_loss": null, "hu_trabecular": null, "hu_sd": null, "noise_hu": null,
   "bmd_cnn_mg_cm3": null, "bmd_hu_linear_mg_cm3": null, "bmd_interval_95_mg_cm3": null}},
 "patient": {"status": "measured", "reasons": [], "mean_bmd_mg_cm3": 98.0,
   "mean_interval_95_mg_cm3": [89.0, 107.0], "mean_bmd_k2hpo4_mg_cm3": 91.6,
   "levels_used": ["L1", "L2", "L3"], "category": "osteopenia", "category_basis": "K2HPO4",
   "thresholds_mg_cm3": [80, 120], "borderline": false},
 "ovf": {"status": "measured", "reasons": [], "probability": 0.04, "decision": "negative",
   "slices": 9, "levels_covered": ["T10", "T11", "L5"]},
 "qc": {"aorta_hu": 43.0, "warnings": []},
 "timing_s": {"load": 0.0, "segmentation": 0.0, "bmd": 0.0, "ovf": 0.0, "write": 0.0}}
"""
PUBLISHED_LEVEL = """
{"status": "measured", "reasons": [], "warnings": [], "confidence": 0.97,
 "centroid_ras_mm": [0, 0, 0], "volume_mm3": 31000,
 "height_loss": {"anterior": 0.02, "middle": 0.05, "posterior": 0.0},
 "hu_trabecular": 112.0, "hu_sd": 21.0, "noise_hu": 14.0,
 "bmd_cnn_mg_cm3": 98.0, "bmd_hu_linear_mg_cm3": 96.0, "bmd_interval_95_mg_cm3": [88.0, 108.0]}
"""


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_published_report_is_valid() -> None:
    level = PUBLISHED_LEVEL
    validate(json.loads(PUBLISHED % ("0" * 64, level, level, level)))


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(made_up.report(), id="all measured"),
        pytest.param(made_up.report({"L1": made_up.fractured()}), id="a fracture"),
        pytest.param(made_up.report({"L4": made_up.missing("touches_border")}), id="one missing"),
        pytest.param(
            made_up.refused("no_anchor", levels=NONE),
            id="none measured",
        ),
        pytest.param(
            made_up.report(
                dict.fromkeys(("L2", "L3", "L4"), made_up.missing("chain_broken")),
                category=None,
                borderline=None,
            ),
            id="one level, no category",
        ),
    ],
)
def test_reports_that_may_occur_are_valid(report: dict[str, Any]) -> None:
    validate(report)


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Make a function that sets one key of a report."""

    def apply(report: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for key in way:
            report = report[key]
        report[last] = value

    return apply


def drop(path: str) -> Callable[[dict[str, Any]], None]:
    def apply(report: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for key in way:
            report = report[key]
        del report[last]

    return apply


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        pytest.param(change("patient_name", "x"), "patient_name", id="unknown key"),
        pytest.param(change("levels.L5", made_up.level()), "levels", id="unknown level"),
        pytest.param(change("levels.L1.bmd", 1.0), "levels.L1", id="unknown key of a level"),
        pytest.param(drop("qc"), "qc", id="no block"),
        pytest.param(drop("levels.L1.noise_hu"), "noise_hu", id="absent instead of null"),
        pytest.param(change("case", "a/b.nii.gz"), "case", id="a path as the case"),
        pytest.param(change("case", ""), "case", id="no case"),
        pytest.param(change("schema", 2), "schema", id="another schema"),
        pytest.param(change("software.weights.x", "0" * 64), "weights", id="unknown bundle"),
        pytest.param(
            change("software.weights.lumbar_segmentation", "0"), "weights", id="no SHA-256"
        ),
        pytest.param(change("input.kvp", 0), "input.kvp", id="0 for unknown"),
        pytest.param(change("input.spacing_mm", [3, 3]), "input.spacing_mm", id="two edges"),
        pytest.param(change("calibration.mineral", "K2HPO4"), "calibration.mineral", id="mineral"),
        pytest.param(change("levels.L1.warnings", ["odd"]), "levels.L1.warnings", id="code"),
        pytest.param(change("levels.L1.confidence", 1.1), "confidence", id="above one"),
        pytest.param(change("levels.L1.volume_mm3", 0), "volume_mm3", id="no volume is null"),
        pytest.param(change("levels.L1.hu_trabecular", None), "hu_trabecular", id="no HU"),
        pytest.param(change("levels.L1.hu_trabecular", math.nan), "not JSON", id="NaN"),
        pytest.param(change("levels.L1.hu_sd", np.float32(1)), "not JSON", id="NumPy"),
        pytest.param(change("levels.L1.reasons", ["thick"]), "reasons", id="a reason, measured"),
        pytest.param(change("levels.L1.status", "refused"), "reasons", id="refused without one"),
        pytest.param(change("patient.thresholds_mg_cm3", [80, 110]), "thresholds", id="limits"),
        pytest.param(change("patient.levels_used", ["L1"]), "levels_used", id="category of one"),
        pytest.param(change("patient.mean_bmd_mg_cm3", None), "mean_bmd", id="no mean"),
        pytest.param(change("patient.status", "refused"), "patient", id="refused with a mean"),
        pytest.param(change("patient.category", "normal"), "patient.category", id="wrong category"),
        pytest.param(
            change("patient.mean_interval_95_mg_cm3", [99.0, 107.0]),
            "patient.mean_interval_95_mg_cm3",
            id="mean outside its interval",
        ),
        pytest.param(
            change("levels.L1.bmd_interval_95_mg_cm3", [108.0, 88.0]),
            "levels.L1.bmd_interval_95_mg_cm3",
            id="interval upside down",
        ),
        pytest.param(
            change("levels.L1.bmd_hu_linear_mg_cm3", None), "without a density", id="lone interval"
        ),
        pytest.param(
            change("levels.L3", made_up.missing("thick")), "L3, which was not", id="used, refused"
        ),
        pytest.param(
            change("levels.L1.warnings", ["fracture_suspected"]),
            "L1, which may be fractured",
            id="used, fractured",
        ),
        pytest.param(
            change("patient.mean_bmd_mg_cm3", 97.0), "mean of levels_used is 98.0", id="other mean"
        ),
        pytest.param(
            change("levels.L2.bmd_cnn_mg_cm3", 102.0),
            "mean of levels_used is 99.0",
            id="mean not of the densities that count",
        ),
        pytest.param(
            change("patient.mean_bmd_k2hpo4_mg_cm3", 98.0),
            "98.0 mg/cm³ HA are 91.6 mg/cm³ K2HPO4",
            id="minerals that do not match",
        ),
        pytest.param(change("calibration", None), "calibration is null", id="unnamed calibration"),
    ],
)
def test_a_wrong_report_is_refused_in_one_line(
    break_it: Callable[[dict[str, Any]], None], named: str
) -> None:
    report = copy.deepcopy(made_up.report())
    break_it(report)
    with pytest.raises(ValueError, match=re.escape(named)) as caught:
        validate(report)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("report.json: ")


def test_a_rounded_mean_may_keep_its_category() -> None:
    just_below = made_up.report(
        dict.fromkeys(
            ("L1", "L2", "L3", "L4"),
            made_up.level(bmd_hu_linear_mg_cm3=84.65, bmd_interval_95_mg_cm3=[75.0, 95.0]),
        ),
        mean_bmd_mg_cm3=84.7,
        mean_interval_95_mg_cm3=[75.0, 95.0],
        mean_bmd_k2hpo4_mg_cm3=80.0,
        category="osteoporosis",
        borderline=True,
    )
    validate(just_below)
    assert minerals.category(79.98) == "osteoporosis"


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every part of the schema that describes an object with keys."""
    if isinstance(node, dict):
        if "properties" in node and "object" in str(node.get("type", "")):
            yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


def test_no_object_takes_unknown_keys() -> None:
    found = list(objects(schema()))
    assert len(found) >= 9
    for node in found:
        closed = node["additionalProperties"] is False
        assert closed, sorted(node["properties"])


def test_every_code_has_its_words() -> None:
    assert set(schema()["$defs"]["code"]["enum"]) == set(FINDINGS)


def test_limits_are_those_of_the_bundle_that_measures() -> None:
    """The report had its own limits and conversion beside the bundle's."""
    calibration = bundles.module("bmd_regression", "bmd_bundle.calibration")
    limits = schema()["properties"]["patient"]["properties"]["thresholds_mg_cm3"]["const"]
    assert tuple(limits) == calibration.LIMITS_MG_CM3
    assert [minerals.to_ha(limit) for limit in limits] == pytest.approx([84.68, 130.68])
    assert minerals.to_k2hpo4(minerals.to_ha(100.0)) == pytest.approx(100.0)
    assert [minerals.category(limit) for limit in limits] == ["osteopenia", "osteopenia"]
