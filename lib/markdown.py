"""Markdown of others as HTML that can do no harm.

Raw HTML in it is shown as text. Pictures are never fetched: a link with the picture's words stands
for each. A link leads to the web, or where `resolve` says; any other is plain text.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from html import escape
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

Resolve = Callable[[str], str | None]
"""A relative target to the address in our own pages that stands for it, if any."""

_SPECIAL = re.compile(r"[!-/:-@\[-`{-~]")
_MARKS = "[]!*_`~&<>|\\\n"
"""What the parser takes its time over: 20 to 40 microseconds each, at worst."""
MOST_MARKS = 30_000
"""Several times what a long document has; a text with more was made to keep the page waiting."""
_WEB = ("http", "https", "mailto")
_BOXES = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


def plain(text: str) -> str:
    """`text` as Markdown that shows it letter by letter, on one line."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))


def to_html(text: str, resolve: Resolve) -> str:
    """`text` as HTML; shown letter by letter where it has more than `MOST_MARKS` marks."""
    if sum(map(text.count, _MARKS)) > MOST_MARKS:
        return f"<p>It has too many marks to be laid out.</p><pre>{escape(text)}</pre>"
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        if token.type == "inline":
            token.children = _harmless(token.children or [], resolve)
    _tick_boxes(tokens)
    return parser.renderer.render(tokens, parser.options, {})


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _harmless(tokens: list[Token], resolve: Resolve) -> list[Token]:
    """The parts of a line, with links that lead where they may and without pictures."""
    made: list[Token] = []
    link: Token | None = None
    for token in tokens:
        if token.type == "link_open":
            link = _lead(token, str(token.attrs.get("href", "")), resolve)
        elif token.type == "link_close" and link is not None:
            token.tag, link = link.tag, None
        elif token.type == "image":
            made += _words_of_picture(token, in_link=link is not None)
            continue
        made.append(token)
    return made


def _lead(link: Token, target: str, resolve: Resolve) -> Token:
    """Make an opening `link` lead to `target`, or be no link."""
    try:
        address = urlsplit(target)
        inside = None if address.scheme or address.netloc else resolve(target)
        outside = address.scheme in _WEB
    except ValueError:
        inside, outside = None, False
    if outside:
        link.attrs = {"href": target, "target": "_blank", "rel": "noopener noreferrer nofollow"}
    elif inside is not None:
        link.attrs = {"href": inside}
    else:
        link.tag, link.attrs = "span", {"title": target}
    return link


def _words_of_picture(token: Token, *, in_link: bool) -> list[Token]:
    words = Token("text", "", 0, content=f"🖼 {token.content or 'picture'}")
    if in_link:
        return [words]
    source = str(token.attrs.get("src", ""))
    opening = _lead(Token("link_open", "a", 1), source, lambda _: None)
    return [opening, words, Token("link_close", opening.tag, -1)]


def _tick_boxes(tokens: list[Token]) -> None:
    """Show the marks of tasks (`[ ]`, `[x]`) as boxes."""
    for before, paragraph, token in zip(tokens, tokens[1:], tokens[2:], strict=False):
        first = token.children[0] if token.type == "inline" and token.children else None
        if before.type != "list_item_open" or paragraph.type != "paragraph_open" or first is None:
            continue
        if (box := _BOXES.get(first.content[:4])) is not None:
            first.content = box + first.content[4:]
            before.attrJoin("class", "task")
