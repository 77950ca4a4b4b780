"""All that is measured of one scan, real or phantom."""

from __future__ import annotations

from tools.phantom.real import Scan
from tools.phantom.tone.measures import (
    Profile,
    Tissue,
    border_profile,
    describe,
    rise_mm,
    skin_edge,
)
from tools.phantom.tone.regions import TISSUES, tissues

#: Numbers of a tissue in the table: field, heading, digits.
COLUMNS = (
    ("median", "median HU", 0),
    ("sd", "SD HU", 0),
    ("noise", "noise SD HU", 1),
    ("grain_in_plane", "grain in plane", 2),
    ("grain_along_z", "grain along z", 2),
)


class Look:
    """Tissues and edges of one scan.

    Attributes:
        tissues: Tissue -> its numbers, or None where the scan does not show enough of it.
        skin: Profile across the skin, or None.
        border: Profile across the front of the vertebral bodies, or None.
    """

    def __init__(self, scan: Scan) -> None:
        """Measure a scan."""
        regions = tissues(scan)
        self.tissues: dict[str, Tissue | None] = {
            name: describe(scan.image, regions[name]) if name in regions else None
            for name in TISSUES
        }
        self.skin: Profile | None = skin_edge(scan)
        self.border: Profile | None = border_profile(scan)

    def numbers(self) -> dict[str, float | None]:
        """Flat numbers, "tissue field" or "edge field" -> value."""
        flat: dict[str, float | None] = {}
        for name, tissue in self.tissues.items():
            for field, _, _ in COLUMNS:
                flat[f"{name} {field}"] = getattr(tissue, field) if tissue else None
        flat["skin rise_mm"] = rise_mm(*self.skin) if self.skin else None
        flat["border peak_hu"] = float(self.border[1].max()) if self.border else None
        return flat
