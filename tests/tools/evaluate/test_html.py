"""The page: whole, self-contained, worded as the rules want, and with the numbers that count."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.tools.evaluate import made_up
from tests.tools.evaluate.conftest import UNKNOWN, Evaluation, run
from tests.tools.report.reader import read
from tests.tools.report.test_words import NEVER
from tools.evaluate.words import counted, number
from tools.report.words import RESEARCH_USE
from tools.statistics import Estimate


def cells(page: str, *first: str) -> list[list[str]]:
    """Rows whose first cells read so, in every table."""
    rows = re.findall(r"<tr>(<td>.*?)</tr>", page, re.DOTALL)
    split = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in rows]
    return [row for row in split if tuple(row[: len(first)]) == first]


def shown(found: dict[str, Any], digits: int) -> str:
    return number(Estimate(**found), digits)


def test_the_page_is_whole_and_self_contained(evaluated: Evaluation) -> None:
    page = read(evaluated.page)
    assert page.all("html") == [{"lang": "en"}]
    assert not re.search(r"url\(|@import|<script|<link|<iframe|https?://", evaluated.page)
    assert len(page.all("img")) == 6
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert all(image["alt"] for image in page.all("img"))
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert not re.search(r"None|\bnan\b|\{|\[\]", page.text)
    assert not re.search(NEVER, page.text, re.IGNORECASE)
    assert "prefers-color-scheme: dark" in evaluated.page


def test_the_heading_and_the_first_lines_say_what_it_is(evaluated: Evaluation) -> None:
    assert "<h1>Evaluation of bone density of L1–L4: phantom results</h1>" in evaluated.page
    text = read(evaluated.page).text
    assert RESEARCH_USE in text
    assert "in the range called osteoporosis by ACR, no diagnosis; confirm with DXA or QCT" in text
    assert "90 scans of 90 patients, test, test_2 and test_3" in text
    assert f"not scored (1): {UNKNOWN}" in text
    assert "touches_border: 1" in text


@pytest.mark.parametrize("method", ["cnn", "hu_linear"])
@pytest.mark.parametrize("scanner", ["A", "B", "C", "all scanners"])
def test_the_means_stand_in_their_row(evaluated: Evaluation, scanner: str, method: str) -> None:
    name = {"cnn": "CNN", "hu_linear": "HU-linear"}[method]
    found = evaluated.number("agreement", scanner, method, "mean")
    row = next(r for r in cells(evaluated.page, scanner, name) if r[2] == str(found["r"]["n"]))
    assert row[3] == shown(found["r"], 3)
    assert row[5] == shown(found["bias"], 1)
    assert row[6:8] == [shown(found["limit_low"], 1), shown(found["limit_high"], 1)]


def test_both_sensitivities_stand_beside_each_other(evaluated: Evaluation) -> None:
    found = evaluated.number("categories", "all scanners", "cnn", "mean")
    pair = [
        counted(Estimate(**found[f"osteoporosis_sensitivity_{n}"])) for n in ("measured", "all")
    ]
    assert any(row[4:6] == pair for row in cells(evaluated.page, "all scanners", "CNN"))


def test_s2_stands_beside_with_its_own_numbers(evaluated: Evaluation) -> None:
    rows = cells(evaluated.page, "S2 set 3", "S2")
    means = rows[0]
    assert (means[3], means[5], means[6], means[7]) == ("0.980", "10.5", "−8.3", "29.3")
    rates = next(row for row in rows if row[2].startswith("0.879"))
    assert rates[4] == "18/25 = 0.72\n(0.51 to 0.88)"
    assert rates[5] == "18/39 = 0.46\n(0.30 to 0.63)"
    assert ["S2 set 3", "S2", "osteoporosis", "18", "7", "0"] in rows


def test_confusion_matrices_stand_as_text(evaluated: Evaluation) -> None:
    matrix = evaluated.content["confusion"]["B"]["cnn"]
    for name, row in zip(("osteoporosis", "osteopenia", "normal"), matrix, strict=True):
        assert ["B", "CNN", name, *map(str, row)] in cells(evaluated.page, "B", "CNN", name)


def test_one_scanner_stands_once_and_reasons_are_told(tmp_path: Path) -> None:
    truth = made_up.cohort(2, scanners="A")
    made_up.write_json(tmp_path / "truth.json", truth)
    made_up.write_csv(tmp_path / "predictions.csv", made_up.predicted(truth))
    found = run(tmp_path / "predictions.csv", tmp_path / "truth.json", tmp_path / "out")
    assert not [row for row in cells(found.page, "all scanners") if len(row) > 5]
    assert "Where a value or an interval is missing: fewer than three pairs" in found.page
    assert cells(found.page, "A", "CNN", "2")[0][3] == "–"


def test_training_cases_are_called_so(tmp_path: Path) -> None:
    truth = made_up.cohort(3, scanners="A")
    lists = made_up.datalist(truth)
    lists["training"] = lists.pop("test")
    made_up.write_json(tmp_path / "list.json", lists)
    made_up.write_csv(tmp_path / "predictions.csv", made_up.predicted(truth))
    found = run(tmp_path / "predictions.csv", tmp_path / "list.json", tmp_path / "out")
    assert "A list of training cases is among them: they flatter." in found.page


def test_names_are_never_markup(tmp_path: Path) -> None:
    truth = made_up.cohort(3, scanners="A")
    lists = made_up.datalist(truth)
    for record in lists["test"]:
        record["scanner"] = "<script>x</script>"
    made_up.write_json(tmp_path / "list.json", lists)
    rows = [row | {"scanner": None} for row in made_up.predicted(truth)]
    made_up.write_csv(tmp_path / "predictions.csv", rows)
    found = run(tmp_path / "predictions.csv", tmp_path / "list.json", tmp_path / "out")
    assert "<script" not in found.page
    assert "&lt;script&gt;" in found.page
