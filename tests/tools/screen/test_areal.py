"""`--bmd-variant dxa`: areal density in places of its own, judged by the gate as all is."""

import json
from pathlib import Path

import pytest

from tests.bundles.workflows import save_weights
from tests.tools.report import made_up
from tests.tools.screen.runs import entries, run, table
from tools import areal as areal_variant
from tools import bundles
from tools.report import areal as section
from tools.report import html, rows, schema
from tools.screen import areal
from tools.screen.facts import Verdict
from tools.screen.settings import Settings, read_variant

SHA = "a" * 64


def said(**values: float | str) -> areal.Reading:
    """What the bundle said: a density, or why there is none."""
    found = {}
    for name in ("L1", "L2", "L3", "L4"):
        value = values.get(name, "level_not_found")
        refused = isinstance(value, str)
        found[name] = {
            "reasons": [value] if refused else [],
            "areal_bmd_g_cm2": None if refused else value,
        }
    return areal.Reading(found, SHA)


def verdict(*reasons: str, warnings: tuple[str, ...] = ()) -> Verdict:
    status = "refused" if reasons else "measured"
    return Verdict(status, list(reasons), list(warnings), not reasons, not reasons)


GOOD = {name: verdict() for name in ("L1", "L2", "L3", "L4")}
FRACTURED = verdict(warnings=("fracture_suspected",))


def report(reading: areal.Reading, verdicts: dict[str, Verdict] | None = None) -> dict:
    return made_up.report() | {"areal": areal.block(reading, GOOD | (verdicts or {}))}


CASES = {
    "all": (said(L1=0.7, L2=0.8, L3=0.8, L4=0.9), {}, ["L1", "L2", "L3", "L4"], 0.8, []),
    "fractured": (said(L2=0.8, L3=1.4), {"L3": FRACTURED}, ["L2"], 0.8, []),
    "metal": (said(L2=0.8, L3=1.9), {"L3": verdict("metal_or_cement")}, ["L2"], 0.8, []),
    "enhanced": (said(L2="contrast", L3="contrast"), {}, [], None, ["level_not_found", "contrast"]),
    "only a fractured one": (
        said(L3=1.4),
        {"L3": FRACTURED},
        [],
        None,
        ["level_not_found", "fracture_suspected"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_patient_is_the_mean_of_levels_that_count(name: str) -> None:
    reading, verdicts, used, mean, reasons = CASES[name]
    whole = report(reading, verdicts)
    schema.validate(whole)
    found = whole["areal"]
    assert (found["levels_used"], found["reasons"]) == (used, reasons)
    assert found["areal_bmd_g_cm2"] == (None if mean is None else pytest.approx(mean))
    if len(used) < 2:
        assert (found["t_score"], found["t_score_reference"]) == (None, None)
    else:
        assert found["t_score"] == pytest.approx((mean - 1.065) / 0.122)
        assert "NHANES" in found["t_score_reference"]
    assert found["weights_sha256"] == SHA


def test_without_the_variant_nothing_is_said() -> None:
    assert areal.block(areal.NOTHING, GOOD) is None
    plain = made_up.report()
    schema.validate(plain)
    assert [row[name] for row in rows.of_report(plain, "a", "done") for name in rows.AREAL] == (
        [None] * 12
    )
    page = html.write(plain, {})
    assert "g/cm²" not in page
    assert "no T-score follows from this page" in page


def test_report_and_table_hold_it_beside_volumetric_density() -> None:
    plain, whole = made_up.report(), report(said(L1=0.7, L2=0.8, L3=0.8, L4="no_axial_data"))
    assert {key: whole[key] for key in plain} == plain  # no field of mg/cm³ has changed
    found = rows.of_report(whole, "a", "done")
    assert [row["areal_bmd_g_cm2"] for row in found] == [0.7, 0.8, 0.8, None]
    assert [row["mean_areal_bmd_g_cm2"] for row in found] == pytest.approx([2.3 / 3] * 4)
    assert [row["bmd_hu_linear_mg_cm3"] for row in found] == [98.0] * 4
    page = html.write(whole, {})
    for words in ("0.767 g/cm²", "T-score −2.4 against NHANES", section.FOOTER[:40]):
        assert words in page, words


def test_the_schema_refuses_volumetric_numbers_as_areal_ones() -> None:
    wrong = report(said(L1=98.0, L2=98.0))
    with pytest.raises(ValueError, match="areal"):
        schema.validate(wrong)


def test_the_page_says_why_there_is_none() -> None:
    page = html.write(report(said(L2="contrast", L3="contrast")), {})
    assert "Not measured: not found, contrast medium" in page


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--bmd-variant", "dxa"], "no weights are shipped for it; give --bmd-weights"),
        (["--bmd-weights", "own.pt"], "give --bmd-variant dxa, too"),
        (["--bmd-variant", "dxa", "--bmd-weights", "own.pt"], "own.pt: No such file"),
        (["--bmd-variant", "qus"], "qus"),
    ],
    ids=["no weights", "no variant", "gone", "unknown"],
)
def test_unusable_variants_are_refused_before_any_work(
    words: list[str], problem: str, make, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(make("a.nii.gz"), tmp_path / "out", *words) == 2
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_weights_of_another_network_are_refused(make, tmp_path: Path, capsys) -> None:
    other = bundles.FOLDER / "bmd_regression" / bundles.WEIGHTS
    words = ["--bmd-variant", "dxa", "--bmd-weights", other]
    assert run(make("a.nii.gz"), tmp_path / "out", *words) == 2
    assert "made for another network" in capsys.readouterr().err


@pytest.mark.slow
def test_a_scan_gets_both_densities(ct: Path, tmp_path: Path) -> None:
    """With random weights: a lumbar field of 200 mm shows no trunk, and is refused."""
    bundle = bundles.FOLDER / "bmd_regression"
    own = Path(save_weights(bundle, tmp_path / "own.pt", areal_variant.OVERLAY))
    out = tmp_path / "out"
    assert run(ct, out, "--bmd-variant", "dxa", "--bmd-weights", own) == 0
    assert entries(out)["small"]["status"] == "done"
    found = json.loads((out / "small" / "report.json").read_text())
    schema.validate(found)
    assert (
        found["areal"]["weights_sha256"] == Settings(**read_variant("dxa", own)).bmd_weights_sha256
    )
    assert found["patient"]["mean_bmd_mg_cm3"] is not None
    first = table(out)["small"][0]
    assert (first["areal_bmd_g_cm2"] == "") == (found["areal"]["levels"]["L1"]["reasons"] != [])
