"""Reasons, warnings and the patient's mean, rule by rule."""

import json
import sys
from dataclasses import replace

import jsonschema
import pytest

from tools.screen import fracture, gate
from tools.screen.facts import CODES, Level, Scan

SCAN = Scan(thickness_mm=1.0, kvp=120.0, contrast="none", aorta_hu=43.0)
LEVEL = Level(
    height_loss={"anterior": 0.02, "middle": 0.05, "posterior": 0.0},
    mean_hu=130.0,
    trabecular_hu=129.0,
    core_hu=135.0,
    standard_error_hu=1.0,
    slope_hu_per_mg_cm3=1.33,
)
NAMES = ("L1", "L2", "L3", "L4")


@pytest.fixture(scope="module")
def calibration(repository):
    sys.path.insert(1, str(repository / "bundles" / "bmd_regression"))
    from bmd_bundle import calibration

    return calibration


def judge(scan=SCAN, **changed):
    """Judgement of a good scan with some levels changed."""
    return gate.judge(scan, {name: changed.get(name, LEVEL) for name in NAMES})


def patient(judgement, calibration, values=(98.0, 98.0, 98.0, 98.0), half=10.0, beside=None):
    densities = {
        name: (value, (value - half, value + half)) if judgement.levels[name].has_density else None
        for name, value in zip(NAMES, values, strict=True)
    }
    other = None if beside is None else dict.fromkeys(NAMES, (beside, (beside - 9, beside + 9)))
    return gate.patient(judgement, densities, calibration, beside=other)


def test_a_good_scan_has_no_remarks():
    judgement = judge()
    assert judgement.reasons == judgement.warnings == []
    for verdict in judgement.levels.values():
        assert verdict == gate.Verdict("measured", [], [], True, True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reasons": ("level_not_found",)}, "level_not_found"),
        ({"reasons": ("touches_border",)}, "touches_border"),
        ({"reasons": ("chain_broken",)}, "chain_broken"),
        ({"reasons": ("no_anchor",)}, "no_anchor"),
        ({"metal": True}, "metal_or_cement"),
        ({"patch_problem": "patch_outside_body"}, "patch_outside_body"),
        ({"patch_problem": "no_axial_data"}, "no_axial_data"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_refuses_a_level_refuses_no_other(change, code):
    judgement = judge(L2=replace(LEVEL, **change))
    assert judgement.levels["L2"] == gate.Verdict("refused", [code], [], False, False)
    assert all(judgement.levels[name].in_mean for name in ("L1", "L3", "L4"))
    assert judgement.reasons == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"standard_error_hu": 5.1}, "noisy"),
        ({"core_hu": 150.0}, "heterogeneous"),  # 15.04 mg/cm³ at 1.33 HU each
        ({"trabecular_hu": 110.0}, "heterogeneous"),
        ({"readings_apart_mg_cm3": 15.1}, "heterogeneous"),
        ({"readings_apart_mg_cm3": -15.1}, "heterogeneous"),
    ],
)
def test_what_makes_a_level_less_sure_warns(change, code):
    verdict = judge(L2=replace(LEVEL, **change)).levels["L2"]
    assert verdict == gate.Verdict("measured", [], [code], True, True)


@pytest.mark.parametrize(
    "change",
    [
        {"standard_error_hu": 5.0},
        {"standard_error_hu": None},
        {"core_hu": 149.9},  # 14.96 mg/cm³
        {"trabecular_hu": 110.1},
        {"readings_apart_mg_cm3": 15.0},
        {"readings_apart_mg_cm3": -15.0},
        {"core_hu": None, "trabecular_hu": None},
        {"height_loss": None},
        {"height_loss": {"anterior": 0.199, "middle": 0.0, "posterior": 0.0}},
        {"height_loss": {"anterior": 0.0, "middle": 0.199, "posterior": 0.199}},
    ],
)
def test_limits_themselves_are_allowed_and_the_unknown_is_no_finding(change):
    assert judge(L2=replace(LEVEL, **change)).levels["L2"].warnings == []


@pytest.mark.parametrize("place", ["anterior", "middle", "posterior"])
def test_a_fractured_level_is_measured_and_left_out_of_the_mean(place, calibration):
    lost = {"anterior": 0.0, "middle": 0.0, "posterior": 0.0} | {place: 0.2}
    judgement = judge(L1=replace(LEVEL, height_loss=lost))
    verdict = judgement.levels["L1"]
    assert verdict == gate.Verdict("measured", [], ["fracture_suspected"], True, False)
    block = patient(judgement, calibration, (180.0, 90.0, 90.0, 90.0))
    assert block["levels_used"] == ["L2", "L3", "L4"]
    assert block["mean_bmd_mg_cm3"] == pytest.approx(90)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kvp": 79.9}, "kvp_out_of_range"),
        ({"kvp": 140.1}, "kvp_out_of_range"),
        ({"beam_problem": True}, "kvp_out_of_range"),
        ({"beam_problem": True, "kvp": None}, "kvp_out_of_range"),
        ({"wrong_voltage": True}, "kvp_out_of_range"),
        ({"wrong_voltage": True, "kvp": None}, "kvp_out_of_range"),
        ({"scale_problem": True}, "scale"),
        ({"thickness_mm": 8.1}, "thick"),
    ],
)
def test_what_refuses_a_scan_refuses_every_level(change, code, calibration):
    judgement = judge(replace(SCAN, **change), L4=replace(LEVEL, reasons=("level_not_found",)))
    assert judgement.reasons == [code]
    assert code in judgement.warnings
    for name in ("L1", "L2", "L3"):
        assert judgement.levels[name].reasons == [code]
    assert judgement.levels["L4"].reasons == ["level_not_found"]
    block = patient(judgement, calibration)
    assert block["status"] == "refused"
    assert code in block["reasons"]
    assert block["mean_bmd_mg_cm3"] is None


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"kvp": None}, ["kvp_unknown"]),
        ({"kvp": 100.0}, ["kvp_not_120"]),
        ({"kvp": 80.0}, ["kvp_not_120"]),
        ({"kvp": 140.0}, ["kvp_not_120"]),
        ({"thickness_mm": 5.0}, []),
        ({"thickness_mm": 5.1}, ["thick"]),
        ({"thickness_mm": 8.0}, ["thick"]),
        ({"aorta_hu": 80.0}, []),
        ({"aorta_hu": None, "contrast": "unknown"}, []),
    ],
)
def test_what_makes_a_scan_less_sure_warns(change, codes):
    judgement = judge(replace(SCAN, **change))
    assert judgement.warnings == codes
    assert judgement.reasons == []
    assert all(verdict.in_mean for verdict in judgement.levels.values())


def test_a_series_of_two_voltages_does_not_ask_for_one():
    """Its warnings named `--kvp`, which cannot mend it, beside the refusal."""
    judgement = judge(replace(SCAN, beam_problem=True, kvp=None))
    assert "kvp_unknown" not in judgement.warnings


@pytest.mark.parametrize(
    "change", [{"aorta_hu": 80.1}, {"contrast": "applied"}, {"aorta_hu": 150.0, "contrast": "none"}]
)
def test_enhanced_scans_keep_their_hu_and_lose_their_density(change, calibration):
    judgement = judge(replace(SCAN, **change))
    assert judgement.reasons == judgement.warnings == ["contrast"]
    for verdict in judgement.levels.values():
        assert verdict == gate.Verdict("measured", [], ["contrast"], False, False)
    assert patient(judgement, calibration)["reasons"] == ["contrast"]


def test_density_of_an_enhanced_scan_on_request(calibration):
    judgement = judge(replace(SCAN, aorta_hu=160.0, allow_contrast=True))
    assert judgement.reasons == []
    assert judgement.warnings == ["contrast"]
    block = patient(judgement, calibration)
    assert block["status"] == "measured"
    assert block["category"] == "osteopenia"


def test_reasons_come_once_and_in_the_tables_order():
    level = replace(LEVEL, patch_problem="patch_outside_body", metal=True)
    verdict = judge(replace(SCAN, kvp=60.0), L2=level).levels["L2"]
    assert verdict.reasons == ["metal_or_cement", "kvp_out_of_range", "patch_outside_body"]


def test_a_code_that_the_report_does_not_know_is_refused():
    with pytest.raises(ValueError, match="strange"):
        judge(L2=replace(LEVEL, reasons=("strange",)))


def test_codes_are_the_schemas(repository):
    schema = json.loads((repository / "tools/report/report.schema.json").read_text())
    assert tuple(schema["$defs"]["code"]["enum"]) == (*CODES, *fracture.REASONS)


def test_mean_and_its_interval(calibration):
    block = patient(judge(), calibration, (80.0, 90.0, 100.0, 110.0), half=12.0)
    assert block["mean_bmd_mg_cm3"] == pytest.approx(95)
    # Levels share their calibration's error: four are no surer than one.
    assert block["mean_interval_95_mg_cm3"] == pytest.approx([83, 107])
    assert block["mean_bmd_k2hpo4_mg_cm3"] == pytest.approx((95 + 7.32) / 1.15)
    assert block["levels_used"] == list(NAMES)


@pytest.mark.parametrize(
    ("ha", "half", "category", "borderline"),
    [
        (60.0, 5.0, "osteoporosis", False),
        (84.6, 0.1, "osteoporosis", True),  # above 80 as HA, below as K2HPO4
        (79.0, 9.0, "osteoporosis", True),  # the interval crosses 84.7
        (105.0, 5.0, "osteopenia", False),
        (125.0, 1.0, "osteopenia", True),  # above 120 as HA
        (131.5, 0.5, "normal", False),
        (150.0, 25.0, "normal", True),
    ],
)
def test_category_and_what_is_borderline(ha, half, category, borderline, calibration):
    block = patient(judge(), calibration, (ha,) * 4, half)
    assert block["category"] == category
    assert block["borderline"] is borderline


@pytest.mark.parametrize(
    ("beside", "borderline"), [(None, False), (101.0, False), (80.0, True), (140.0, True)]
)
def test_a_second_reading_in_another_category_makes_borderline(beside, borderline, calibration):
    block = patient(judge(), calibration, (98.0,) * 4, 5.0, beside)
    assert block["category"] == "osteopenia"
    assert block["borderline"] is borderline


def test_one_level_has_a_number_but_no_category(calibration):
    gone = replace(LEVEL, reasons=("no_anchor",))
    block = patient(judge(L1=gone, L2=gone, L4=gone), calibration)
    assert block["mean_bmd_mg_cm3"] == pytest.approx(98)
    assert block["levels_used"] == ["L3"]
    assert block["category"] is block["borderline"] is None


def test_two_levels_have_a_category(calibration):
    gone = replace(LEVEL, reasons=("no_anchor",))
    block = patient(judge(L1=gone, L2=gone), calibration)
    assert (block["levels_used"], block["category"]) == (["L3", "L4"], "osteopenia")


def test_only_fractured_levels_have_no_mean(calibration):
    lost = replace(LEVEL, height_loss={"anterior": 0.3, "middle": 0.3, "posterior": 0.1})
    block = patient(gate.judge(SCAN, dict.fromkeys(NAMES, lost)), calibration)
    assert block["status"] == "refused"
    assert block["reasons"] == ["fracture_suspected"]


@pytest.mark.parametrize(
    "scan", [SCAN, replace(SCAN, kvp=60.0), replace(SCAN, aorta_hu=200.0)], ids=["good", "kvp", "c"]
)
def test_blocks_fit_the_schema(scan, repository, calibration):
    schema = json.loads((repository / "tools/report/report.schema.json").read_text())
    block = patient(judge(scan), calibration)
    part = schema["properties"]["patient"] | {"$defs": schema["$defs"]}
    jsonschema.validate(block, part)
