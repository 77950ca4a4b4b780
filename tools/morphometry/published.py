"""Published sizes and angles of the thoracolumbar spine, with sources.

Marks: ``V`` read in a published table or abstract; ``R`` quoted from the general literature without
the table at hand; ``D`` a design value of this project between sources.

Body sizes without a table per sex follow the design rule: 5 % less in women, 5 % more in men than
the mean of both, with an SD of 7 % between persons of one sex.
"""

from dataclasses import dataclass

SEXES = ("F", "M")

COOK = "Cook & Baker, Int J Spine Surg 2021;15:1072-81, CT, table 6"
PANJABI = "after Panjabi et al., Spine 1991;16:888-901 and 1992;17:299-306"
MASHARAWI = "Masharawi et al., Clin Anat 2008;21:46-54"
BANG = "Bang et al., Clin Interv Aging 2019;14:375-80, MRI, women without fracture"
WANG = "Wang et al., Eur Spine J 2012;21:2316-23, lumbar spines of men"
ONISHI = "Onishi et al., Interdiscip Neurosurg 2019;18, MRI"
RECUMBENT = "Asian Spine J 2019 (PMC6680033), 627 volunteers, recumbent"
MAC_THIONG = "Mac-Thiong et al., Eur Spine J 2011;20(S5):572-7, 709 adults, standing"
BEEN = "Been & Kalichman, Spine J 2014;14:87-97, review"
DESIGN = "design value between published series"


@dataclass(frozen=True)
class Reference:
    """One published mean.

    Attributes:
        measure: such as ``height_posterior``; the names of :mod:`tools.phantom.checks.rows`.
        place: a level (``L1``), a disc (``L4/L5``) or ``spine``.
        sex: ``F``, ``M`` or ``both``.
        mean: mm or degrees.
        sd: between-person standard deviation, None where the source gives none.
        mark: V, R or D.
        source: citation.
    """

    measure: str
    place: str
    sex: str
    mean: float
    sd: float | None
    mark: str
    source: str


SEX_FACTOR = {"F": 0.95, "M": 1.05}
"""Body size of women and men against the mean of both (design)."""

PERSON_SD = 0.07
"""Between-person SD of body sizes, as a share of the mean (design)."""

WEDGE_SD_DEG = 2.5
"""Between-person SD of the wedge angle (design, 2-3 degrees)."""

BOTH_SEXES_MM = {
    "height_posterior": {
        "T10": 21.5,
        "T11": 22.5,
        "T12": 24.0,
        "L1": 25.5,
        "L2": 26.0,
        "L3": 26.0,
        "L4": 26.0,
    },
    "depth_upper": {
        "T10": 30.5,
        "T11": 31.5,
        "T12": 32.5,
        "L1": 33.0,
        "L2": 34.0,
        "L3": 35.0,
        "L4": 35.5,
    },
    "width_upper": {
        "T10": 32.0,
        "T11": 35.0,
        "T12": 39.0,
        "L1": 41.0,
        "L2": 43.0,
        "L3": 44.5,
        "L4": 47.0,
        "L5": 49.0,
    },
}
"""Means of both sexes, mm; heights D, depths and widths R (Panjabi)."""

WEDGE_DEG = {
    "T10": (2.6, 3.8),
    "T11": (4.6, 5.4),
    "T12": (3.5, 4.9),
    "L1": (2.6, 4.1),
    "L2": (0.7, 2.6),
    "L3": (-1.1, 1.3),
    "L4": (-3.1, -0.7),
    "L5": (-7.8, -4.6),
}
"""Wedge angle of women and men, degrees, positive where lower in front (Masharawi 2008, V)."""

L5_COOK_MM = {
    "height_anterior": ((29.6, 1.8), (30.7, 1.9)),
    "height_posterior": ((25.5, 1.6), (26.8, 1.9)),
    "depth_upper": ((33.3, 2.6), (37.1, 3.2)),
    "depth_lower": ((32.8, 3.0), (36.7, 3.1)),
}
"""L5, mean and SD of women and men, mm (Cook & Baker 2021, V)."""

DISC_MIDDLE_MM = {
    "T10/T11": (4.5, 1.0),
    "T11/T12": (5.3, 1.1),
    "T12/L1": (6.5, 1.3),
    "L1/L2": (8.0, 1.5),
    "L2/L3": (9.3, 1.6),
    "L3/L4": (10.3, 1.8),
    "L4/L5": (11.5, 2.0),
    "L5/S1": (10.8, 2.4),
}
"""Height of the discs in their middle, mean and SD, mm (D between two MR series)."""

DISC_ANTERIOR_MM = {"L3/L4": 9.30, "L4/L5": 10.94, "L5/S1": 12.41}
"""Height of the discs in front, mean, mm (Onishi 2019, V)."""

SEGMENT_SHARE_PERCENT = {"L1/L2": 2.0, "L2/L3": 12.0, "L3/L4": 18.0, "L4/L5": 25.0, "L5/S1": 43.0}
"""Share of each segment in the lordosis from L1 to S1, percent (V)."""

LUMBAR_CONCAVITY_MM = 1.5 + 0.7
"""Depth of a body's lower and upper endplate together, mm (Wang 2012, V)."""


def _bodies() -> list[Reference]:
    """References of single bodies."""
    rows = []
    for measure, means in BOTH_SEXES_MM.items():
        mark = "D" if measure == "height_posterior" else "R"
        for level, mean in means.items():
            for sex, factor in SEX_FACTOR.items():
                value = round(mean * factor, 1)
                sd = round(PERSON_SD * value, 1)
                rows.append(Reference(measure, level, sex, value, sd, mark, PANJABI))
    for level, wedges in WEDGE_DEG.items():
        for sex, wedge in zip(SEXES, wedges, strict=True):
            rows.append(Reference("wedge", level, sex, wedge, WEDGE_SD_DEG, "V", MASHARAWI))
    for measure, pairs in L5_COOK_MM.items():
        for sex, (mean, sd) in zip(SEXES, pairs, strict=True):
            rows.append(Reference(measure, "L5", sex, mean, sd, "V", COOK))
    rows.append(Reference("height_posterior", "T12", "F", 21.25, 1.64, "V", BANG))
    rows += [
        Reference("concavity", level, "M", LUMBAR_CONCAVITY_MM, None, "V", WANG)
        for level in ("L1", "L2", "L3", "L4", "L5")
    ]
    return rows


def _spaces() -> list[Reference]:
    """References of discs and of the whole spine."""
    rows = [
        Reference("disc_middle", disc, "both", mean, sd, "D", DESIGN)
        for disc, (mean, sd) in DISC_MIDDLE_MM.items()
    ]
    rows += [
        Reference("disc_anterior", disc, "both", mean, None, "V", ONISHI)
        for disc, mean in DISC_ANTERIOR_MM.items()
    ]
    rows += [
        Reference("segment_share", disc, "both", share, None, "V", BEEN)
        for disc, share in SEGMENT_SHARE_PERCENT.items()
    ]
    rows += [
        Reference("lordosis_t12_s1", "spine", "both", 36.8, 13.2, "V", RECUMBENT),
        Reference("lordosis_l4_s1", "spine", "both", 29.8, 8.0, "V", RECUMBENT),
        Reference("sacral_slope", "spine", "both", 39.5, 8.0, "V", MAC_THIONG),
        # Half-normal with SD 6: mean 0.80 * 6, SD 0.60 * 6.
        Reference("coronal_cobb", "spine", "both", 4.8, 3.6, "D", DESIGN),
    ]
    return rows


REFERENCES: tuple[Reference, ...] = (*_bodies(), *_spaces())
"""Every published mean the phantom is compared with."""
