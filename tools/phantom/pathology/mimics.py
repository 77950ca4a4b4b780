"""What is taken for an osteoporotic fracture and is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tools.phantom.anatomy.spine import FOOT_TO_HEAD, Vertebra
from tools.phantom.pathology.fields import Dish, Field, Plane, Scaled, Slide, Split, Waves
from tools.phantom.pathology.heights import sized
from tools.phantom.pathology.implants import Fragment
from tools.phantom.pathology.lesions import Sclerosis, Tumour
from tools.phantom.pathology.rear import settled
from tools.phantom.pathology.warp import Bulge, Layer, LayeredWarp


@dataclass
class Mimicry:
    """A spine that is given mimics, one after the other.

    Attributes:
        bodies: By level, foot to head; replaced as mimics are added.
        free: Levels that have nothing yet.
        kinds: Mimic by level.
        swollen: Levels with swollen soft tissue around them.
        bridges: Levels that are fused with the body below.
        fragments: Loose pieces of bone.
    """

    bodies: dict[str, Vertebra]
    free: list[str]
    kinds: dict[str, str] = field(default_factory=dict)
    swollen: list[str] = field(default_factory=list)
    bridges: list[str] = field(default_factory=list)
    fragments: list[Fragment] = field(default_factory=list)

    def pick(self, rng: np.random.Generator, head: str, foot: str, count: int = 1) -> list[str]:
        """Neighbouring free levels between two levels, foot to head; fewer where few are free."""
        low, high = FOOT_TO_HEAD.index(foot), FOOT_TO_HEAD.index(head)
        allowed = [level for level in FOOT_TO_HEAD[low : high + 1] if level in self.free]
        if not allowed:
            return []
        start = allowed.index(str(rng.choice(allowed)))
        run = [allowed[start]]
        for level in allowed[start + 1 :]:
            if FOOT_TO_HEAD.index(level) != FOOT_TO_HEAD.index(run[-1]) + 1 or len(run) >= count:
                break
            run.append(level)
        return run

    def warp(self, level: str) -> LayeredWarp:
        """Deformation of a level so far."""
        warp = self.bodies[level].warp
        assert isinstance(warp, LayeredWarp)
        return warp

    def take(self, level: str, kind: str, warp: LayeredWarp) -> None:
        """Give a level its mimic."""
        self.bodies[level] = settled(replace(self.bodies[level], warp=warp))
        self.kinds[level] = kind
        self.free.remove(level)


def draw_mimics(rng: np.random.Generator, spine: Mimicry, kinds: Sequence[str]) -> None:
    """Give a spine one kind of mimic, at one or several levels.

    Args:
        rng: Random stream.
        spine: Changed in place.
        kinds: Names of `MIMICS` to draw from.
    """
    MIMICS[str(rng.choice(list(kinds)))](rng, spine)


def _schmorl(rng: np.random.Generator, spine: Mimicry) -> None:
    """Disc material in the body: a round pit with a dense rim."""
    for level in spine.pick(rng, "T6", "L5", int(rng.integers(1, 4))):
        warp, upper = spine.warp(level), bool(rng.random() < 0.4)
        pit, deep, middle = _pit(rng, warp, (3.0, 7.0))
        rim = Sclerosis(upper, deep + 2.5, float(rng.uniform(0.8, 2.0)), middle, 0.45)
        layer = Layer((pit,), ()) if upper else Layer((), (pit,))
        spine.take(level, "schmorl", replace(warp, deep=layer, sclerosis=(rim,)))


def _pit(
    rng: np.random.Generator, warp: LayeredWarp, deep_mm: tuple[float, float]
) -> tuple[Field, float, tuple[float, float]]:
    """A pit, its depth in mm and its middle."""
    deep = float(rng.uniform(*deep_mm))
    middle = (float(rng.uniform(-0.4, 0.4)), float(rng.uniform(-0.35, 0.3)))
    radius = float(rng.uniform(3.5, 6.5))
    radii = (radius / warp.half_width, radius * float(rng.uniform(0.8, 1.2)) / warp.half_depth)
    return Scaled(Dish(middle, radii, 0.0, float(rng.uniform(0.5, 0.8))), deep), deep, middle


def _scheuermann(rng: np.random.Generator, spine: Mimicry) -> None:
    """Three to five neighbours, wedged by 5 degrees or more, with irregular endplates and pits."""
    for level in spine.pick(rng, "T7", "L2", int(rng.integers(3, 6))):
        body, warp = spine.bodies[level], spine.warp(level)
        lost = float(rng.uniform(0.10, 0.18)) * body.height
        plates: list[tuple[Field, ...]] = []
        for _ in range(2):
            slope = Plane(lost / 4, lost / 4)
            rough = Waves.draw(rng, float(rng.uniform(0.25, 0.55)), (0.6, 1.4))
            pits = (_pit(rng, warp, (2.0, 4.5))[0],) if rng.random() < 0.5 else ()
            plates.append((slope, rough, *pits))
        rims = tuple(Sclerosis(up, 2.5, float(rng.uniform(0.4, 1.2))) for up in (True, False))
        narrow = body.disc_height * float(rng.uniform(0.55, 0.85))
        spine.bodies[level] = replace(body, disc_height=max(1.2, narrow))
        spine.take(level, "scheuermann", replace(warp, deep=Layer(*plates), sclerosis=rims))


def _cupid(rng: np.random.Generator, spine: Mimicry) -> None:
    """Two hollows beside the middle of lower lumbar lower endplates, in their rear part."""
    for level in spine.pick(rng, "L3", "L5", 3):
        warp = spine.warp(level)
        deep, beside = float(rng.uniform(2.0, 4.5)), float(rng.uniform(0.36, 0.46))
        back = float(rng.uniform(-0.45, -0.2))
        bows: list[Field] = []
        for side in (-1, 1):
            radii = (0.42, float(rng.uniform(0.45, 0.6)))
            size = deep * float(rng.uniform(0.85, 1.15))
            bows.append(Scaled(Dish((side * beside, back), radii, 0.0, 0.8), size))
        spine.take(level, "cupid", replace(warp, deep=Layer((), tuple(bows))))


def _limbus(rng: np.random.Generator, spine: Mimicry) -> None:
    """The upper front corner is cut off; a small piece of bone lies where it was."""
    for level in spine.pick(rng, "T11", "L5"):
        body, warp = spine.bodies[level], spine.warp(level)
        deep, side = float(rng.uniform(5.0, 8.0)), float(rng.uniform(-0.25, 0.25))
        start = float(rng.uniform(0.35, 0.5))
        cut = Scaled(Slide(start, 1.05, side, 0.85), deep)
        rim = Sclerosis(True, 3.0, float(rng.uniform(0.8, 1.8)), (side, 0.8), 0.5)
        half = (float(rng.uniform(4.0, 7.0)), float(rng.uniform(1.8, 2.6)), deep * 0.3)
        slope = float(np.tan(np.radians(body.wedge / 2)))
        top = body.height / 2 - slope * body.depth / 2
        center = (side * body.width / 2, 0.93 * body.depth / 2, top - 0.25 * deep)
        spine.fragments.append(Fragment(level, center, half))
        spine.take(level, "limbus", replace(warp, deep=Layer((cut,), ()), sclerosis=(rim,)))


def _short(rng: np.random.Generator, spine: Mimicry) -> None:
    """One to all bodies evenly lower than usual, with whole endplates."""
    lost = float(rng.uniform(0.10, 0.22))
    for level in spine.pick(rng, "T4", "L5", int(rng.choice([1, 2, 3, 14]))):
        body, warp = spine.bodies[level], spine.warp(level)
        even = Plane(lost * float(rng.uniform(0.9, 1.1)) * body.height / 2)
        spine.take(level, "short", replace(warp, deep=Layer((even,), (even,))))


def _wedge(rng: np.random.Generator, spine: Mimicry) -> None:
    """Bodies about the thoracolumbar junction that grew lower in front."""
    for level in spine.pick(rng, "T10", "L2", int(rng.integers(1, 4))):
        body, warp = spine.bodies[level], spine.warp(level)
        lost = float(rng.uniform(0.08, 0.17)) * body.height
        slope = Plane(lost / 4, lost / 4)
        spine.take(level, "wedge", replace(warp, deep=Layer((slope,), (slope,))))


def _hemivertebra(rng: np.random.Generator, spine: Mimicry) -> None:
    """One side of the body has hardly grown."""
    for level in spine.pick(rng, "T6", "L4"):
        body, warp = spine.bodies[level], spine.warp(level)
        side, lost = float(rng.choice([-1, 1])), float(rng.uniform(0.55, 0.78)) * body.height / 4
        slope = Plane(lost, 0.0, side * lost)
        spine.take(level, "hemivertebra", replace(warp, deep=Layer((slope,), (slope,))))


def _butterfly(rng: np.random.Generator, spine: Mimicry) -> None:
    """Two halves that did not join in the middle; the neighbours fill the gap."""
    for level in spine.pick(rng, "T6", "L4"):
        body, warp = spine.bodies[level], spine.warp(level)
        wings = Split(0.0, float(rng.uniform(0.4, 0.6)), 0.24 * body.height, 1.6)
        gap = Split(float(rng.uniform(-0.05, 0.05)), 0.12, 0.2 * body.height, 3.0)
        spine.take(level, "butterfly", replace(warp, deep=Layer((wings, gap), (wings, gap))))


def _block(rng: np.random.Generator, spine: Mimicry) -> None:
    """Two bodies that did not part: bone in place of the disc, with a waist there."""
    pair = spine.pick(rng, "T5", "L5", 2)
    if len(pair) < 2:
        return
    for level in pair:
        body, warp = spine.bodies[level], spine.warp(level)
        lost = float(rng.uniform(0.02, 0.10)) * body.height
        even = (Plane(lost / 2),)
        if level == pair[1]:
            spine.bodies[level] = replace(body, disc_height=float(rng.uniform(1.2, 2.5)))
            spine.bridges.append(level)
        spine.take(level, "block", replace(warp, deep=Layer(even, even)))


def _foci(rng: np.random.Generator, body: Vertebra, lytic: bool, count: int) -> tuple[Tumour, ...]:
    """Metastases in a body: most lie behind, towards the pedicles."""
    foci = []
    half = np.array([body.width, body.depth, body.height]) / 2
    for _ in range(count):
        place = np.array([rng.uniform(-0.6, 0.6), rng.uniform(-0.8, 0.4), rng.uniform(-0.4, 0.4)])
        u, v, w = (place * half).tolist()
        radius = float(rng.uniform(5.0, 11.0))
        x, y, z = (radius * rng.uniform(0.75, 1.2, 3)).tolist()
        mineral = float(rng.uniform(0.02, 0.15) if lytic else rng.uniform(1.8, 3.6))
        soft = float(rng.uniform(0.8, 1.0) if lytic else rng.uniform(0.1, 0.5))
        foci.append(Tumour((u, v, w), (x, y, z), mineral, soft, float(rng.uniform(0.1, 0.5))))
    return tuple(foci)


def _metastasis(rng: np.random.Generator, spine: Mimicry, lytic: bool) -> None:
    for level in spine.pick(rng, "T4", "L5", int(rng.integers(1, 4))):
        foci = _foci(rng, spine.bodies[level], lytic, int(rng.integers(1, 4)))
        kind = "lytic" if lytic else "blastic"
        spine.take(level, kind, replace(spine.warp(level), tumours=foci))


def _lytic(rng: np.random.Generator, spine: Mimicry) -> None:
    """Foci without mineral; the body keeps its height."""
    _metastasis(rng, spine, lytic=True)


def _blastic(rng: np.random.Generator, spine: Mimicry) -> None:
    """Dense foci; the body keeps its height."""
    _metastasis(rng, spine, lytic=False)


def _pathologic(rng: np.random.Generator, spine: Mimicry) -> None:
    """A body that a lytic metastasis has made collapse, with tumour around it."""
    for level in spine.pick(rng, "T4", "L5"):
        body, warp = spine.bodies[level], spine.warp(level)
        side = float(rng.uniform(-0.5, 0.5))
        main = Slide(float(rng.uniform(-1.4, -0.6)), 0.6, side, float(rng.uniform(0.2, 0.6)), 0.3)
        rough = [Waves.draw(rng, float(rng.uniform(0.3, 0.7))) for _ in range(2)]
        loss, upper = float(rng.uniform(0.22, 0.55)), float(rng.uniform(0.4, 0.9))
        foci = _foci(rng, body, True, int(rng.integers(2, 4)))
        bulge = Bulge(float(rng.uniform(1.5, 4.0)), 0.0, 0.45 * body.height, front=False)
        made = replace(warp, bulges=(bulge,), tumours=foci)
        spine.take(level, "pathologic", _collapsed(body, made, main, rough, (loss, upper, side)))
        spine.swollen.append(level)


def _burst(rng: np.random.Generator, spine: Mimicry) -> None:
    """Axial violence: both endplates broken, the body split, its rear wall in the canal."""
    for level in spine.pick(rng, "T11", "L3"):
        body, warp = spine.bodies[level], spine.warp(level)
        main = Slide(-1.3, float(rng.uniform(0.2, 0.8)), 0.0, 0.15, float(rng.uniform(0.25, 0.5)))
        rough = [Waves.draw(rng, float(rng.uniform(0.3, 0.6))) for _ in range(2)]
        loss, upper = float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.6, 0.85))
        high = (0.5 - loss * upper * 0.6 - 0.15) * body.height
        rear = Bulge(float(rng.uniform(3.0, 6.0)), high - 3.0, 0.4 * body.height, False, 0.55)
        front = Bulge(float(rng.uniform(1.5, 3.0)), high, 0.3 * body.height)
        # The body is split from front to back; blood fills the gap.
        at = float(rng.uniform(-0.2, 0.2)) * body.width / 2
        wide, long = float(rng.uniform(0.8, 1.6)), 1.1 * body.depth / 2
        split = Tumour((at, 0.0, 0.0), (wide, long, body.height), 0.25, 1.0, 0.6)
        made = replace(warp, bulges=(rear, front), tumours=(split,))
        spine.take(level, "burst", _collapsed(body, made, main, rough, (loss, upper, 0.0)))
        if rng.random() < 0.5:
            spine.swollen.append(level)


def _collapsed(
    body: Vertebra,
    warp: LayeredWarp,
    main: Field,
    rough: Sequence[Field],
    asked: tuple[float, float, float],
) -> LayeredWarp:
    """Sink both endplates until the largest loss is the one asked for.

    Args:
        body: Which.
        warp: Everything but the sinking.
        main: Shape of the loss.
        rough: Unevenness of the upper and the lower endplate.
        asked: Loss, share of it above, side in half widths.
    """
    loss, upper, side = asked

    def make(size_mm: float) -> Vertebra:
        top = (Scaled(main, upper * size_mm), rough[0])
        bottom = (Scaled(main, (1 - upper) * size_mm), rough[1])
        return replace(body, warp=replace(warp, deep=Layer(top, bottom)))

    found = sized(make, loss, side * body.width / 2).warp
    assert isinstance(found, LayeredWarp)
    return found


#: Every mimic by the name that recipes and truths use.
MIMICS: dict[str, Callable[[np.random.Generator, Mimicry], None]] = {
    "schmorl": _schmorl,
    "scheuermann": _scheuermann,
    "cupid": _cupid,
    "limbus": _limbus,
    "short": _short,
    "wedge": _wedge,
    "hemivertebra": _hemivertebra,
    "butterfly": _butterfly,
    "block": _block,
    "lytic": _lytic,
    "blastic": _blastic,
    "pathologic": _pathologic,
    "burst": _burst,
}
