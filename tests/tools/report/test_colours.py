"""Every text of the page can be read on its ground, in light, dark and print."""

import re

import pytest

from tests.tools.report import made_up
from tests.tools.report.reader import read
from tools.report.html import write

CONTRAST_AA = 4.5
"""Least contrast of text, WCAG 2.2, 1.4.3."""


def luminance(colour: str) -> float:
    """Relative luminance of #rgb or #rrggbb (WCAG 2.2)."""
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    shares = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares]
    return sum(w * one for w, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def themes() -> dict[str, dict[str, str]]:
    """Colours of the page by their names: light, dark and print."""
    style = read(write(made_up.report(), {})).style
    found: dict[str, dict[str, str]] = {"light": {}, "dark": {}, "print": {}}
    for block in re.finditer(r":root \{(.*?)\}", style, re.DOTALL):
        before = style[: block.start()]
        media = re.findall(r"@media ([^{]*)\{\s*(?:@page[^}]*\}\s*)?$", before)
        kind = "light" if not media else "print" if "print" in media[0] else "dark"
        found[kind] |= dict(re.findall(r"--([a-z]+): (#[0-9a-f]+)", block[1]))
    return {kind: found["light"] | colours for kind, colours in found.items()}


@pytest.mark.parametrize("kind", ["light", "dark", "print"])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        *(("ink", ground) for ground in ("paper", "card", "warn")),
        *(("soft", ground) for ground in ("paper", "card")),
        *(("mark", ground) for ground in ("low", "mid", "high", "card")),
    ],
)
def test_text_can_be_read_on_its_ground(kind: str, ink: str, ground: str) -> None:
    colours = themes()[kind]
    light, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= CONTRAST_AA


def test_the_themes_differ() -> None:
    found = themes()
    assert luminance(found["light"]["paper"]) > 0.9 > 0.1 > luminance(found["dark"]["paper"])
    assert found["print"]["paper"] == "#fff"
