import csv
import io

from tests.tools.report import made_up
from tools.report import rows


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_each_level() -> None:
    report = made_up.report({"L1": made_up.fractured(), "L4": made_up.missing("touches_border")})
    found = read(rows.table(rows.of_report(report, "scan.nii.gz", "done")))
    assert [row["level"] for row in found] == ["L1", "L2", "L3", "L4"]
    first, second, _, last = found
    assert tuple(first) == rows.COLUMNS
    assert first["warnings"] == "fracture_suspected"
    assert float(first["height_loss_anterior"]) == 0.31
    assert float(second["bmd_hu_linear_mg_cm3"]) == 98.0
    assert (float(second["bmd_low_95_mg_cm3"]), float(second["bmd_high_95_mg_cm3"])) == (88, 108)
    assert second["category"] == "osteopenia"
    for row in found:
        low, high = report["patient"]["mean_interval_95_mg_cm3"]
        assert (float(row["mean_low_95_mg_cm3"]), float(row["mean_high_95_mg_cm3"])) == (low, high)
        assert row["borderline"] == str(report["patient"]["borderline"])
        assert row["kvp"] == str(report["input"]["kvp"] or "")
        assert row["calibration"] == report["calibration"]["id"]
        assert row["scan_warnings"] == ";".join(report["qc"]["warnings"])
    assert last["level_status"] == "refused"
    assert last["reasons"] == "touches_border"


def test_what_does_not_exist_is_empty_never_zero() -> None:
    levels = dict.fromkeys(("L1", "L2", "L3", "L4"), made_up.missing("no_anchor"))
    report = made_up.refused("no_anchor", levels=levels)
    for row in read(rows.table(rows.of_report(report, "a.nii.gz", "refused", "no_anchor"))):
        known = {key for key, cell in row.items() if cell}
        known -= {"kvp", "calibration", "scan_warnings"}  # what is known of the scan itself
        assert known == {"case", "input", "status", "reason", "level", "level_status", "reasons"}


def test_a_failed_case_has_one_row_and_survives_odd_text() -> None:
    failed = rows.of_failure("a,b", 'x "y".nii.gz', "failed", "line\nbreak")
    found = read(rows.table(failed))
    assert len(found) == 1
    assert found[0]["case"] == "a,b"
    assert found[0]["input"] == 'x "y".nii.gz'
    assert found[0]["reason"] == "line\nbreak"
    assert found[0]["level"] == ""


def test_no_rows_leave_the_head() -> None:
    assert rows.table([]) == ",".join(rows.COLUMNS) + "\n"
