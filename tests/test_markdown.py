"""Markdown of others as HTML: nothing in it runs, is fetched, or leads anywhere unseen."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.markdown import plain, to_html

TAGS = {
    *("a", "span", "p", "ul", "ol", "li", "pre", "code", "strong", "em", "s", "blockquote"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "hr", "br"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


class Elements(HTMLParser):
    """What elements a text holds, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("br", "hr"):
            assert self.open.pop() == tag


def nowhere(_: str) -> str | None:
    return None


def test_the_usual_forms_are_rendered() -> None:
    html = to_html("## A\n\n- one\n\n| a |\n|---|\n| ~~b~~ |\n\n```py\nx\n```", nowhere)
    assert Elements(html).tags == {
        *("h2", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "s", "pre", "code"),
    }


def test_raw_html_is_text() -> None:
    html = to_html("<script>alert(1)</script>\n\na <img src=x onerror=alert(1)> b", nowhere)
    assert Elements(html).tags == {"p"}
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    "text",
    [
        "![words](http://elsewhere/x.png)",
        "![words][1]\n\n[1]: http://elsewhere/x.png",
        "[![words](http://elsewhere/x.png)](http://elsewhere/)",
        "![words](x.png)",
        "![words](http://[bad)",
    ],
)
def test_a_picture_is_words_and_at_most_a_link(text: str) -> None:
    html = to_html(text, nowhere)
    found = Elements(html)
    assert "img" not in found.tags
    assert "🖼 words" in html
    assert html.count("<a ") <= 1


@pytest.mark.parametrize(
    "target",
    [
        *("javascript:alert(1)", "JaVaScript:alert(1)", "data:text/html,x", "file:///etc/passwd"),
        *("//elsewhere/x", "/etc/passwd", "../../x", "C:/x", "#part", "vbscript:x", "x:y"),
    ],
)
def test_a_link_that_leads_elsewhere_than_the_web_is_plain_text(target: str) -> None:
    html = to_html(f"[words]({target})", nowhere)
    assert Elements(html).links == []
    assert "words" in html


def test_a_link_to_the_web_opens_beside_the_board_and_tells_nobody_of_it() -> None:
    html = to_html("[words](https://example.com/?a=1&b=2)", nowhere)
    assert html.startswith('<p><a href="https://example.com/?a=1&amp;b=2" target="_blank"')
    assert "noopener noreferrer" in html


def test_a_relative_link_leads_where_it_is_resolved_to() -> None:
    html = to_html("[b](../239-b/README.md)", lambda target: f"spec?spec={target[3:8]}&x=1")
    assert Elements(html).links == ["spec?spec=239-b&x=1"]


def test_what_is_done_is_ticked() -> None:
    html = to_html("- [ ] open\n- [x] done\n- `[x]` code\n- plain", nowhere)
    assert [line for line in html.splitlines() if "<li" in line] == [
        '<li class="task">☐ open</li>',
        '<li class="task">☑ done</li>',
        "<li><code>[x]</code> code</li>",
        "<li>plain</li>",
    ]


def test_deep_nesting_is_borne() -> None:
    for text in ("> " * 5_000, "[" * 20_000, "*a " * 20_000, "- " * 3_000):
        assert to_html(text, nowhere)


pieces = st.sampled_from(
    ["[", "]", "(", ")", "!", "<", ">", "`", "\\", "*", "\n", "javascript:", "http://e/", '"', "&"]
)


@given(st.lists(pieces | st.text(max_size=3)).map("".join))
def test_no_text_makes_an_element_or_a_link_that_may_not_be(text: str) -> None:
    found = Elements(to_html(text, nowhere))
    assert found.tags <= TAGS
    assert found.open == []
    assert found.attributes <= {"href", "target", "rel", "title", "class", "style", "start"}
    assert all(link.startswith(("http:", "https:", "mailto:")) for link in found.links)


@given(st.text())
def test_plain_words_are_shown_letter_by_letter(text: str) -> None:
    html = to_html(plain(f"x{text}"), nowhere)
    shown = "".join(HTMLText(html).parts).strip()
    assert shown.split() == f"x{text}".replace("\0", "\ufffd").split()


class HTMLText(HTMLParser):
    """The words of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.feed(text)
        self.close()

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


@pytest.mark.parametrize("part", ["![", "[a](", "a\n", "|a\n|-\n", "> *a_ ", "&", "<a "])
def test_what_was_made_to_take_long_is_shown_letter_by_letter(part: str) -> None:
    text = part * (200_000 // len(part))
    found = Elements(to_html(text, nowhere))
    assert found.tags == {"p", "pre"}
    assert found.links == []


def test_a_long_document_is_laid_out() -> None:
    text = "## A heading\n\n- [x] **Do** `this`, see [that](https://example.org)\n\n" * 1_500
    assert "h2" in Elements(to_html(text, nowhere)).tags
