import base64
from html.parser import HTMLParser

from tools.page import Figure, document, footer, gallery, heading, paragraph, table


class Reader(HTMLParser):
    """Notes what a browser would load, show and leave open."""

    VOID = frozenset({"meta", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def test_a_page_is_whole_and_self_contained() -> None:
    figures = [Figure(b"\x89PNG one", "left & right"), Figure(b"\x89PNG two", "two")]
    parts = [heading("H"), paragraph("P", "note"), gallery(figures), footer("F")]
    page = read(document("T", [*parts, table(["level"], [["L1"]], "C")]))
    assert page.open == []
    assert [
        base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in page.sources
    ] == [b"\x89PNG one", b"\x89PNG two"]
    assert "left & right" in page.text


def test_text_is_never_markup() -> None:
    evil = '<script>alert("x")</script>'
    html = document(
        evil,
        [
            heading(evil),
            paragraph(evil),
            footer(evil),
            table([evil], [[evil]], evil),
            gallery([Figure(b"", evil)]),
        ],
    )
    assert "<script" not in html
    assert read(html).text.count(evil) == 9  # title and heading, then one each


def test_the_page_suits_dark_screens_phones_and_print() -> None:
    html = document("T", [])
    for needle in ("prefers-color-scheme: dark", 'name="viewport"', "@media print"):
        assert needle in html
