"""What a browser and a screen reader get from a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = frozenset({"meta", "img"})


class Reader(HTMLParser):
    """Notes tags, text, pictures, addresses and table heads."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.style = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.style += data
        else:
            self.text += f" {data} "

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of every element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


def read(html: str) -> Reader:
    """Read a whole page; its text has single spaces."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    reader.text = re.sub(r"\s+", " ", reader.text)
    return reader


def row(html: str, name: str) -> list[str]:
    """Cells of a table's row, after its head, as text."""
    found = re.search(rf'<tr[^>]*><th scope="row">{name}</th>(.*?)</tr>', html, re.DOTALL)
    assert found is not None
    return [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", found[1])]
