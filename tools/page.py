"""One self-contained HTML page: pictures embedded, light and dark, for print and phone."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --soft: #57606a;
  --warn: #fff8c5; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --soft: #9198a1; --warn: #3a2d05; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 75rem; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { max-width: 45rem; } .note { background: var(--warn); border: 1px solid var(--line);
  border-radius: .4rem; padding: .6rem .8rem; max-width: none; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; color: var(--soft); }
.pictures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
figure { margin: 0; break-inside: avoid; } figcaption { color: var(--soft); font-size: .875rem; }
img { width: 100%; height: auto; background: #000; display: block; }
footer { margin-top: 2rem; color: var(--soft); font-size: .875rem; }
@media print { :root { --ink: #000; --paper: #fff; --line: #999; --soft: #333; --warn: #fff; }
  body { max-width: none; padding: 0; } .pictures { grid-template-columns: repeat(3, 1fr); }
  tr { break-inside: avoid; } .wide { overflow: visible; } }
"""


@dataclass(frozen=True)
class Figure:
    """A picture with its caption.

    Attributes:
        png: The picture's file content.
        caption: What is to be seen, in a short sentence; also its text for screen readers.
    """

    png: bytes
    caption: str


def document(title: str, parts: Iterable[str], style: str = "") -> str:
    """Join parts of a page, already HTML, into a whole document.

    Args:
        title: Text of the title and of the first heading.
        parts: HTML.
        style: CSS of this kind of page, on top of what all pages share.

    Returns:
        A complete HTML document.
    """
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>",
            f"<h1>{escape(title)}</h1>",
            *parts,
            "</body>\n</html>\n",
        ]
    )


def heading(text: str) -> str:
    """Write a section's heading."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str | None = None) -> str:
    """Write a paragraph; of kind "note" it is set off from the others."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def link(text: str, target: str) -> str:
    """Write a paragraph that leads to another file.

    >>> link("The report", "results/ct/report.html")
    '<p><a href="results/ct/report.html">The report</a></p>'
    """
    return f'<p><a href="{escape(target, quote=True)}">{escape(text)}</a></p>'


def footer(text: str) -> str:
    """Write the page's last lines."""
    return f"<footer>{escape(text)}</footer>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """Write a table that scrolls by itself where the screen is narrower.

    >>> "<td>121.4</td>" in table(["level", "density"], [["L1", "121.4"]], "Truth")
    True
    """
    cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{cells}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def gallery(figures: Iterable[Figure]) -> str:
    """Lay pictures side by side, as many as fit."""
    return '<div class="pictures">\n' + "\n".join(map(figure, figures)) + "\n</div>"


def figure(shown: Figure) -> str:
    """Embed a picture with its caption."""
    data = base64.b64encode(shown.png).decode("ascii")
    caption = escape(shown.caption)
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
