import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.report import made_up
from tests.tools.report.reader import read, row
from tests.tools.report.test_words import NEVER
from tools.page import Figure
from tools.report import schema, words
from tools.report.html import write

LEVELS = ("L1", "L2", "L3", "L4")
PICTURES = {
    stem: Figure(b"\x89PNG " + stem.encode(), f"what {stem} shows")
    for stem in ("sagittal", "sagittal_levels", *(f"axial_{name}" for name in LEVELS))
}
NOTHING = made_up.refused("no_anchor", levels=dict.fromkeys(LEVELS, made_up.missing("no_anchor")))


def enhanced() -> dict[str, Any]:
    """A scan with contrast medium: HU, but no densities."""
    level = made_up.level(
        warnings=["contrast"], bmd_hu_linear_mg_cm3=None, bmd_interval_95_mg_cm3=None
    )
    report = made_up.refused("contrast", levels=dict.fromkeys(LEVELS, level))
    return report | {"calibration": None, "qc": {"aorta_hu": 168.0, "warnings": ["contrast"]}}


def with_network() -> dict[str, Any]:
    """Levels that the network measured beside HU-linear."""
    level = made_up.level(bmd_cnn_mg_cm3=95.5)
    return made_up.report(
        dict.fromkeys(LEVELS, level), mean_bmd_mg_cm3=95.5, mean_bmd_k2hpo4_mg_cm3=89.4
    )


REPORTS = [
    pytest.param(made_up.report(), id="all measured"),
    pytest.param(made_up.report({"L1": made_up.fractured()}), id="fracture"),
    pytest.param(made_up.report({"L4": made_up.missing("touches_border")}), id="one missing"),
    pytest.param(NOTHING, id="nothing"),
    pytest.param(enhanced(), id="contrast"),
    pytest.param(with_network(), id="network"),
]


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("pictures", [PICTURES, {}], ids=["pictures", "no pictures"])
def test_a_page_is_whole_self_contained_and_accessible(
    report: dict[str, Any], pictures: dict[str, Figure]
) -> None:
    schema.validate(report)
    html = write(report, pictures)
    page = read(html)
    assert page.all("html") == [{"lang": "en"}]
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert attributes.get(name, "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\(|@import|<script|<link|<iframe|https?://", html)
    assert all(image["alt"] for image in page.all("img"))
    assert all(head["scope"] in {"col", "row"} for head in page.all("th"))
    drawings = [svg for svg in page.all("svg") if svg.get("role")]
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in drawings)
    assert [tag for tag, _ in page.tags].count("h1") == 1
    heads = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert all(after - before <= 1 for before, after in pairwise(heads))
    assert not re.search(r"None|nan|\{|\[\]", page.text)
    assert not re.search(NEVER.replace("T-score|", ""), page.text, re.IGNORECASE)


def test_the_same_report_gives_the_same_page() -> None:
    assert write(made_up.report(), PICTURES) == write(made_up.report(), PICTURES)


def test_the_patients_result_is_said_with_interval_minerals_and_wording() -> None:
    said = read(write(made_up.report(), PICTURES)).text
    for needle in (
        "98.0 mg/cm³ HA",
        "95 % interval 89 to 107 mg/cm³ HA",
        "91.6 mg/cm³ K₂HPO₄-equivalent",
        "Mean of L1, L2, L3 and L4",
        words.verdict("osteopenia"),
        "reference-120: HA, 120 kV",
        "aorta 43 HU",
        "0.0.0",
        "together 3.3 s",
        words.FINDINGS["kvp_unknown"].meaning,
    ):
        assert needle in said, needle


def test_the_scale_shows_the_limits_in_both_minerals() -> None:
    html = write(made_up.report(), {})
    drawing = html[html.index("<svg role") : html.index('<p class="legend swatches">')]
    for text in ("80", "120", "84.7", "130.7", "K₂HPO₄-equivalent, mg/cm³", "HA, mg/cm³"):
        assert f">{text}</text>" in drawing, text
    assert drawing.count("98 (88–108)") == 4
    assert drawing.count("98 (89–107)") == 1


@pytest.mark.parametrize("density", [-30.0, 3.0, 84.7, 180.0, 420.0])
def test_every_mark_lies_on_the_scale(density: float) -> None:
    level = made_up.level(
        bmd_hu_linear_mg_cm3=density, bmd_interval_95_mg_cm3=[density - 25, density + 25]
    )
    html = write(made_up.report({"L2": level}), {})
    drawing = html[html.index("<svg role") : html.index('<p class="legend swatches">')]
    places = [float(place) for place in re.findall(r'"(-?[\d.]+)%"', drawing)]
    assert min(places) >= 0
    assert max(places) <= 100


def test_a_level_is_a_row() -> None:
    html = write(made_up.report(), {})
    cells = row(html, "L2")
    assert cells[:3] == ["98.0", "88 to 108", "91.6"]
    assert cells[3:] == ["112", "110", "21", "14", "2 / 5 / −1", "97 %", ""]
    assert row(html, "Mean")[:3] == ["98.0", "89 to 107", "91.6"]


def test_a_refused_level_has_dashes_and_its_reason() -> None:
    html = write(made_up.report({"L4": made_up.missing("touches_border")}), {})
    cells = row(html, "L4")
    assert set(cells[:-1]) == {"–"}
    assert cells[-1] == "not measured: cut by the scan&#x27;s edge"
    assert words.FINDINGS["touches_border"].action in read(html).text


def test_a_suspected_fracture_comes_first_and_never_reassures() -> None:
    html = write(made_up.report({"L1": made_up.fractured()}), PICTURES)
    said = read(html).text
    alert, result = said.index("Fracture suspected"), said.index("98.0 mg/cm³")
    assert alert < said.index("Fragility is possible whatever the density.") < result
    assert "L1: 31 % of the anterior height lost, grade 2 (moderate)" in said
    assert "Mean of L2, L3 and L4" in said
    assert row(html, "L1")[-1] == "not in the mean: fracture suspected; grade 2"


def test_without_a_suspected_fracture_nothing_is_said_of_fractures() -> None:
    assert "ractur" not in read(write(made_up.report(), PICTURES)).text


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        pytest.param("negative", "no fracture detected in T10–L5", id="negative"),
        pytest.param("positive", "fracture suspected in T10–L5", id="positive"),
    ],
)
def test_the_fracture_networks_answer_is_bounded(decision: str, said: str) -> None:
    report = made_up.report()
    report["ovf"] = {
        "status": "measured",
        "reasons": [],
        "probability": 0.5,
        "decision": decision,
        "slices": 9,
        "levels_covered": ["T10", "L5"],
    }
    schema.validate(report)
    text = read(write(report, {})).text
    assert said in text
    assert ("Fragility is possible" in text) == (decision == "positive")


def test_the_network_stands_beside_hu_linear() -> None:
    html = write(with_network(), {})
    assert row(html, "L3")[0] == "95.5"
    assert row(html, "L3")[3:5] == ["95.5", "98.0"]
    assert html.count('class="other"') == 4
    assert "Network" not in write(made_up.report(), {})


def test_contrast_shows_hu_and_no_density() -> None:
    html = write(enhanced(), {})
    said = read(html).text
    assert "Not measured" not in said  # the case is done: its HU were
    assert "No mean density" in said
    assert "The HU of L1, L2, L3 and L4 were measured and stand in the table below" in said
    assert words.FINDINGS["contrast"].meaning in said
    assert "in the range called" not in said
    assert row(html, "L1")[0] == "–"
    assert row(html, "L1")[3] == "112"
    assert row(html, "L1")[-1] == "contrast medium"
    assert "none: HU were not converted" in said


def test_one_level_has_a_number_but_no_category() -> None:
    missing = dict.fromkeys(("L2", "L3", "L4"), made_up.missing("chain_broken"))
    report = made_up.report(missing, category=None, borderline=None)
    schema.validate(report)
    said = read(write(report, {})).text
    assert "From L1" in said
    assert words.NO_CATEGORY_OF_ONE in said
    assert "in the range called" not in said


def test_borderline_is_said_only_where_it_is() -> None:
    assert words.BORDERLINE in read(write(made_up.report(borderline=True), {})).text
    assert words.BORDERLINE not in read(write(made_up.report(), {})).text


def test_each_finding_is_said_once_with_its_levels() -> None:
    level = made_up.level(warnings=["noisy", "kvp_unknown"])
    said = read(write(made_up.report({"L1": level, "L3": level}), {})).text
    assert "noisy: L1 and L3" in said
    assert "tube voltage unknown: whole scan" in said
    assert said.count(words.FINDINGS["noisy"].meaning) == 1


@pytest.mark.parametrize("code", ["no_axial_data", "no_anchor"])
def test_what_one_level_lacks_is_not_said_of_the_scan(code: str) -> None:
    """A body cut off at L4 was headed "no axial data: whole scan"."""
    said = read(write(made_up.report({"L4": made_up.missing(code)}), {})).text
    assert f"{words.FINDINGS[code].title}: L4" in said
    assert f"{words.FINDINGS[code].title}: whole scan" not in said


def test_nothing_measured_is_said_only_where_nothing_was() -> None:
    assert "Not measured" in read(write(NOTHING, {})).text
    fractured = made_up.refused(
        "fracture_suspected", levels=dict.fromkeys(LEVELS, made_up.fractured())
    )
    schema.validate(fractured)
    said = read(write(fractured, {})).text
    assert "Not measured" not in said
    assert "The HU and density of L1, L2, L3 and L4 were measured" in said


def test_text_from_outside_is_never_markup() -> None:
    evil = '<script>alert("x")</script>'
    report = made_up.report()
    report["case"] = evil.replace("/", "|")
    report["input"]["kernel"] = evil
    report["calibration"] |= {"id": evil, "scanner": evil}
    html = write(report, {"sagittal": Figure(b"", evil)})
    assert "<script" not in html
    assert read(html).text.count("<script>") >= 5


def test_pictures_are_embedded_with_their_captions() -> None:
    page = read(write(made_up.report(), PICTURES))
    assert len(page.all("img")) == len(PICTURES)
    assert {image["alt"] for image in page.all("img")} == {
        figure.caption for figure in PICTURES.values()
    }


number = st.none() | st.floats(-200, 500)
levels = st.dictionaries(
    st.sampled_from(LEVELS),
    st.builds(
        lambda code, losses, noise, median: made_up.level(
            warnings=[code], height_loss=losses, noise_hu=noise, hu_median=median
        ),
        st.sampled_from(sorted(words.FINDINGS)),
        st.none()
        | st.fixed_dictionaries(
            {place: st.none() | st.floats(-1, 1) for place in ("anterior", "middle", "posterior")}
        ),
        st.none() | st.floats(0, 90),
        number,
    )
    | st.sampled_from(sorted(words.FINDINGS)).map(made_up.missing),
)


@settings(max_examples=40)
@given(levels=levels)
def test_any_report_makes_a_page(levels: dict[str, dict[str, Any]]) -> None:
    report = made_up.report(levels)
    page = read(write(report, {}))
    assert not re.search(r"None|nan|−0\b", page.text)
    assert not re.search(NEVER.replace("T-score|", ""), page.text, re.IGNORECASE)


def test_the_page_suits_phones_and_paper() -> None:
    html = write(made_up.report(), {})
    for needle in ('name="viewport"', "max-width: 30rem", "@page { size: A4"):
        assert needle in html
