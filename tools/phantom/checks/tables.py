"""Statistics of the drawn patients, and the tables that set them beside published numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tools.levels import HEAD_TO_FOOT
from tools.morphometry.published import REFERENCES, SEGMENT_SHARE_PERCENT, Reference
from tools.phantom.checks.real_masks import RealMask, Verdict
from tools.phantom.checks.rows import Row

Key = tuple[str, str, str]
"""(place, measure, sex), sex being F, M or both."""


@dataclass(frozen=True)
class PatientRows:
    """What was measured on one patient.

    Attributes:
        index: Number of the patient.
        sex: F or M.
        age: Years.
        rows: Values on the 1 mm map.
        coarse: Values on the same patient at 3 mm.
        refused: Level -> reason, for levels that are not measured.
    """

    index: int
    sex: str
    age: float
    rows: list[Row]
    coarse: list[Row]
    refused: dict[str, str]


@dataclass(frozen=True)
class Summary:
    """Distribution of one measure over patients."""

    count: int
    mean: float
    sd: float
    low: float
    high: float


def summarise(values: Iterable[float]) -> Summary:
    """Mean, SD and 1st and 99th percentile.

    >>> summarise([1.0, 2.0, 3.0])
    Summary(count=3, mean=2.0, sd=1.0, low=1.02, high=2.98)
    """
    given = np.array(list(values), float)
    sd = float(given.std(ddof=1)) if len(given) > 1 else float("nan")
    low, high = (float(edge) for edge in np.percentile(given, [1, 99]))
    return Summary(len(given), float(given.mean()), sd, low, high)


def collect(patients: Sequence[PatientRows], coarse: bool = False) -> dict[Key, Summary]:
    """Summarise every measure, per sex and for both."""
    values: dict[Key, list[float]] = defaultdict(list)
    for patient in patients:
        for place, measure, value in patient.coarse if coarse else patient.rows:
            for sex in (patient.sex, "both"):
                values[place, measure, sex].append(value)
    found = {key: summarise(given) for key, given in values.items()}
    return found | _shares(found)


def _shares(found: Mapping[Key, Summary]) -> dict[Key, Summary]:
    """Share of each segment's mean in the sum of the means from L1 to S1, percent."""
    means = {
        place: found[place, "segment_angle", "both"].mean
        for place in SEGMENT_SHARE_PERCENT
        if (place, "segment_angle", "both") in found
    }
    if len(means) < len(SEGMENT_SHARE_PERCENT):
        return {}
    whole = sum(means.values())
    nan = float("nan")
    return {
        (place, "segment_share", "both"): Summary(
            found[place, "segment_angle", "both"].count, 100 * mean / whole, nan, nan, nan
        )
        for place, mean in means.items()
    }


def _place_order(place: str) -> tuple[int, int]:
    """Bodies head to foot, then discs, then the whole spine."""
    first = place.split("/", maxsplit=1)[0]
    kind = 2 if place == "spine" else 1 if "/" in place else 0
    return kind, HEAD_TO_FOOT.index(first) if first in HEAD_TO_FOOT else len(HEAD_TO_FOOT)


def published_table(found: Mapping[Key, Summary]) -> list[str]:
    """Markdown lines: measured beside published, with the difference in published SDs."""
    lines = [
        "| place | measure | sex | n | measured | published | difference, SD | 1st–99th % "
        "| mark | source |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for reference in sorted(REFERENCES, key=lambda row: (row.measure, _place_order(row.place))):
        summary = found.get((reference.place, reference.measure, reference.sex))
        if summary is not None:
            lines.append(_published_line(reference, summary))
    return lines


def _published_line(reference: Reference, summary: Summary) -> str:
    """One line of the published table."""
    off = "–"
    if reference.sd is not None:
        off = f"{(summary.mean - reference.mean) / reference.sd:+.2f}"
    cells = [
        reference.place,
        reference.measure,
        reference.sex,
        str(summary.count),
        _spread(summary.mean, summary.sd),
        _spread(reference.mean, reference.sd),
        off,
        _range(summary.low, summary.high),
        reference.mark,
        reference.source,
    ]
    return "| " + " | ".join(cells) + " |"


def _spread(mean: float, sd: float | None) -> str:
    return f"{mean:.1f}" if sd is None or np.isnan(sd) else f"{mean:.1f} ± {sd:.1f}"


def _range(low: float, high: float) -> str:
    return "–" if np.isnan(low) else f"{low:.1f} to {high:.1f}"


def measured_table(found: Mapping[Key, Summary]) -> list[str]:
    """Markdown lines of every measure, both sexes together, published or not."""
    lines = ["| place | measure | n | mean ± SD | 1st–99th % |", "|---|---|---|---|---|"]
    keys = [key for key in found if key[2] == "both"]
    for key in sorted(keys, key=lambda key: (_place_order(key[0]), key[1])):
        summary = found[key]
        lines.append(
            f"| {key[0]} | {key[1]} | {summary.count} | {_spread(summary.mean, summary.sd)} "
            f"| {_range(summary.low, summary.high)} |"
        )
    return lines


def mask_table(
    mask: RealMask, verdicts: Sequence[Verdict], missing: Mapping[str, str]
) -> list[str]:
    """Markdown lines of one real mask: each value, the phantom's range, inside or the reason."""
    inside = sum(verdict.inside for verdict in verdicts)
    lines = [
        f"### {mask.name}",
        "",
        f"{inside} of {len(verdicts)} values lie inside the 1st to 99th percentile of the phantom "
        f"at {mask.phantom_mm} mm, widened by one voxel of the mask ({mask.voxel_mm:g} mm).",
        *(f"{level} is not measured: {reason}." for level, reason in missing.items()),
        "",
        "| place | measure | value | phantom 1st–99th % | ± voxel | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        word = "inside" if verdict.inside else f"outside by {verdict.off:.1f}: {mask.reason}"
        lines.append(
            f"| {verdict.row.place} | {verdict.row.measure} | {verdict.row.value:.1f} "
            f"| {_range(verdict.low, verdict.high)} | {verdict.tolerance:.1f} | {word} |"
        )
    return lines
