"""A deformed vertebral body: sunken endplates, buckled walls, squeezed or denser bone.

The body is deformed column by column: what lay between the undeformed endplates lies between the
deformed ones. A mild layer (every body has one) only rescales the shape; the deep layer is a
fracture or a mimic, and may squeeze its bone: then the mineral of a column is conserved, and the
bone under the broken endplate is denser by as much as it is thinner.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tools.phantom.pathology.fields import Field
from tools.phantom.pathology.lesions import Sclerosis, Tumour

#: Of a column's height at least this share is left.
LEAST_LEFT = 0.15
#: A band of squeezed bone takes at most this share of what is left of a column.
BAND_SHARE = 0.9
#: The wall begins to buckle this far from the middle, half depths.
BUCKLE_FROM = 0.25

Plates = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Layer:
    """Depths of both endplates under their former places; fields add up, mm."""

    top: tuple[Field, ...] = ()
    bottom: tuple[Field, ...] = ()

    def depths(self, x: torch.Tensor, y: torch.Tensor) -> Plates:
        """Depth of the upper and lower endplate, mm, broadcast shape of x and y."""
        zero = torch.zeros_like(x + y)
        top = sum((field(x, y) for field in self.top), zero)
        bottom = sum((field(x, y) for field in self.bottom), zero)
        return top, bottom


@dataclass(frozen=True)
class Bulge:
    """A wall that buckles outwards in a band of heights.

    Attributes:
        amount: mm at the peak.
        at: Height w of the peak, mm.
        half: Half the band's height, mm.
        front: Whether it is the front wall; the rear one otherwise.
        spread: Half width of the bulge, half widths.
    """

    amount: float
    at: float
    half: float
    front: bool = True
    spread: float = 1.3


@dataclass(frozen=True)
class LayeredWarp:
    """See the module; lengths in mm.

    Attributes:
        half_width: Of the undeformed body.
        half_depth: Of the undeformed body.
        mild: Rescaling that every body has.
        deep: Fracture or mimic.
        bulges: Buckled walls.
        band: Height of the band of squeezed bone; None where the bone was remodelled since.
        gain: Factor on the band's surplus that conserves the mineral, shell included.
        sclerosis: Dense bands and spots.
        tumours: Lytic or blastic foci.
        rear_shift: Shift of the posterior elements along w.
        disc_reserve: See `BodyWarp`.
    """

    half_width: float
    half_depth: float
    mild: Layer = Layer()
    deep: Layer = Layer()
    bulges: tuple[Bulge, ...] = ()
    band: float | None = None
    gain: float = 1.0
    sclerosis: tuple[Sclerosis, ...] = ()
    tumours: tuple[Tumour, ...] = ()
    rear_shift: float = 0.0
    disc_reserve: float = 0.0

    @property
    def reach_mm(self) -> float:
        """How far the deformed body may lie outside of the undeformed one, mm."""
        return 3.0 + max((abs(bulge.amount) for bulge in self.bulges), default=0.0)

    def without_deep(self) -> LayeredWarp:
        """The same body before its fracture or mimic."""
        return LayeredWarp(self.half_width, self.half_depth, mild=self.mild)

    def endplates(
        self, u: torch.Tensor, v: torch.Tensor, top: torch.Tensor, bottom: torch.Tensor
    ) -> Plates:
        """Heights of the deformed upper and lower endplate, mm."""
        return self._plates(u, v, top, bottom)[1]

    def origin(
        self,
        u: torch.Tensor,
        v: torch.Tensor,
        w: torch.Tensor,
        top: torch.Tensor,
        bottom: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Where in the undeformed body the bone at (u, v, w) came from, mm."""
        mild, now = self._plates(u, v, top, bottom)
        before = self._unsqueezed(w, mild, now)
        u, v = self._walls(u, v, w, now)
        return u, v, linear(before, mild, (top, bottom))

    def density(
        self,
        u: torch.Tensor,
        v: torch.Tensor,
        w: torch.Tensor,
        top: torch.Tensor,
        bottom: torch.Tensor,
    ) -> torch.Tensor:
        """Factor on the mineral that the bone at (u, v, w) brought from its origin."""
        mild, now = self._plates(u, v, top, bottom)
        factor = torch.ones_like(u + v + w)
        if self.band is not None:
            factor = (1 + self.gain * self._surplus(w, mild, now)).clamp(min=0.3)
        for part in self.sclerosis:
            factor = factor * part.factor(u / self.half_width, v / self.half_depth, w, now)
        for tumour in self.tumours:
            factor = factor * tumour.factor(u, v, w)
        return factor

    def tumour(self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor) -> torch.Tensor | None:
        """Share of the marrow space that soft tissue has replaced, or None without a tumour."""
        shares = [tumour.share(u, v, w) for tumour in self.tumours]
        return torch.stack(shares).amax(0) if shares else None

    def _plates(
        self, u: torch.Tensor, v: torch.Tensor, top: torch.Tensor, bottom: torch.Tensor
    ) -> tuple[Plates, Plates]:
        """Endplates after the mild layer, and after both."""
        x = (u / self.half_width).clamp(-1.3, 1.3)
        y = (v / self.half_depth).clamp(-1.3, 1.3)
        down, up = self.mild.depths(x, y)
        mild = top - down, bottom + up
        if not (self.deep.top or self.deep.bottom):
            return mild, mild
        down, up = self.deep.depths(x, y)
        room = (1 - LEAST_LEFT) * (mild[0] - mild[1])
        share = (room / (down + up).clamp(min=1e-3)).clamp(max=1)
        return mild, (mild[0] - share * down, mild[1] + share * up)

    def _nearness(
        self, w: torch.Tensor, now: Plates
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Nearness to either endplate, 1 at it and 0 from the band's end on; the band, mm."""
        band = (BAND_SHARE * (now[0] - now[1])).clamp(max=self.band)
        near_top = (1 - (now[0] - w) / band).clamp(0, 1)
        near_bottom = (1 - (w - now[1]) / band).clamp(0, 1)
        return near_top, near_bottom, band

    def _surplus(self, w: torch.Tensor, mild: Plates, now: Plates) -> torch.Tensor:
        """Relative surplus of mineral where bone was squeezed: the slope of `_unsqueezed`, - 1."""
        near_top, near_bottom, band = self._nearness(w, now)
        return 2 * ((mild[0] - now[0]) * near_top + (now[1] - mild[1]) * near_bottom) / band

    def _unsqueezed(self, w: torch.Tensor, mild: Plates, now: Plates) -> torch.Tensor:
        """Height before the deep layer of the bone that lies at w now, mm."""
        if mild is now:
            return w
        if self.band is None:
            return linear(w, now, mild)
        near_top, near_bottom, _ = self._nearness(w, now)
        return w + (mild[0] - now[0]) * near_top**2 - (now[1] - mild[1]) * near_bottom**2

    def _walls(
        self, u: torch.Tensor, v: torch.Tensor, w: torch.Tensor, now: Plates
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Where in the section the bone at (u, v, w) came from, mm."""
        total = torch.zeros_like(u + v + w)
        for bulge in self.bulges:
            way = 1.0 if bulge.front else -1.0
            out = ((way * v / self.half_depth - BUCKLE_FROM) / (1 - BUCKLE_FROM)).clamp(0, 1)
            across = torch.exp(-((u / self.half_width / bulge.spread) ** 2))
            peak = 1 - ((w - bulge.at).abs() / bulge.half).clamp(max=1)
            total = total + way * bulge.amount * out * across * peak * (2 - peak)
        return u, v - total


def linear(w: torch.Tensor, now: Plates, then: Plates) -> torch.Tensor:
    """Map heights between two endplates to those between two others; beyond them shift, mm."""
    stretch = (then[0] - then[1]) / (now[0] - now[1]).clamp(min=1e-3)
    inside = torch.minimum(torch.maximum(w, now[1]), now[0])
    return then[1] + (inside - now[1]) * stretch + (w - inside)
