"""An error's signature: what stays the same when the same thing fails again.

A message is told apart from another by its words, not by the paths, ids, numbers, times and
quoted values in it. `RULES` take those out, one kind a rule, in order. A signature is stable:
the normal form of a normal form is itself.
"""

import hashlib
import re
from typing import NamedTuple

from lib.model import ErrorClass

LONGEST_SIGNATURE = 240
"""Characters of a normal form; what follows rarely tells two causes apart."""
_LONGEST_READ = 4_000
LONGEST_NAME = 60
"""Characters of a normal form in the name of a group."""

ERROR_WORDS: dict[ErrorClass, str] = {
    "api": "API error",
    "rate_limit": "Rate limit",
    "authentication": "Authentication",
    "tool": "Tool failed",
    "test": "Test failed",
    "permission": "Permission denied",
    "context_overflow": "Context full",
    "own_limit": "Limit of turns or cost",
    "killed": "Killed",
    "timeout": "Timeout",
    "crash": "Crash",
    "unknown": "Error",
}
"""The classes in words for people."""


class Rule(NamedTuple):
    """One kind of varying text, and what stands for it."""

    name: str
    pattern: re.Pattern[str]
    replacement: str


class Signature(NamedTuple):
    """What groups failures."""

    id: str
    """Short and stable, for links and notes."""
    error_class: ErrorClass
    text: str
    """The message in its normal form, for people."""


def _rule(name: str, pattern: str, replacement: str) -> Rule:
    return Rule(name, re.compile(pattern), replacement)


_DATE = r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)"
_MOMENT = r"\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?:\s?[ap]m\b)?|\b\d{1,2}\s?[ap]m\b"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_NAMED_DAY = rf"\b{_MONTH} \d{{1,2}}\b(?:,? \d{{4}}\b)?|\b\d{{1,2}} {_MONTH}(?: \d{{4}}\b)?"
_ZONE = r"(?: \([A-Z]\w+/[\w/]+\)| ?(?:UTC|GMT)\b)?"
_LENGTH = r"\d+(?:[.,]\d+)?\s?(?:ms|[dhms])"

RULES: tuple[Rule, ...] = (
    _rule("terminal colours", r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))", ""),
    # The program's own sentence about a killed turn: the tool matters, its command does not.
    _rule("command of a tool", r"(in the middle of a turn \([\w.-]+): .*\)", r"\1)"),
    _rule("web address", r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>)\]]+[^\s'\"<>)\].,;:]", "<url>"),
    _rule("mail address", r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "<mail>"),
    _rule("network address", r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<address>"),
    _rule(
        "path",
        r"(?<![\w<./\\])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][\w.@%+~-]+){1,}[/\\]?(?::\d+(?::\d+)?)?"
        r"|(?<![\w<./\\@%+-])[\w.@%+-]+(?:/[\w.@%+-]+)+\.[A-Za-z]\w{0,4}(?![\w/])(?::\d+(?::\d+)?)?"
        r"|(?<![\w<./\\@%+-])[\w.@%+-]+\.[A-Za-z]\w{0,4}:\d+(?::\d+)?",
        "<path>",
    ),
    _rule("time", rf"(?:{_DATE}|{_MOMENT}|{_NAMED_DAY}){_ZONE}", "<time>"),
    _rule(
        "identifier",
        r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
        r"|\b[A-Za-z]{2,8}_(?=\w*\d)[A-Za-z0-9_]{4,}\b"
        # One in fifty has no digit.
        r"|\b[A-Za-z]{2,8}_(?=[a-z]*[A-Z])(?=[A-Z]*[a-z])[A-Za-z]{16,}\b",
        "<id>",
    ),
    _rule("quoted value", r"\"[^\"\n]{0,400}\"|“[^”\n]{0,400}”|`[^`\n]{0,400}`", "<value>"),
    _rule("value in single quotes", r"(?<![\w'])'[^'\n]{0,400}'(?!\w)", "<value>"),
    # As a number, for one in thirty short ones is of digits only.
    _rule("hash", r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b|\b0x[0-9a-fA-F]+\b", "<n>"),
    _rule("duration", rf"(?<![\w<.]){_LENGTH}(?:\s?{_LENGTH})*\b", "<n> s"),
    # A status that a server answered with says what went wrong; every other number varies.
    _rule("number", r"(?<![\w<])(?![45]\d\d(?![\w.,]?\d))[+-]?\d+(?:[.,]\d+)*", "<n>"),
    _rule("space", r"\s+", " "),
)


def normal_form(message: str) -> str:
    """`message` without what varies from one failure to the next."""
    text = message[:_LONGEST_READ]
    # Cutting, and taking one thing out, may lay open another.
    while (form := _without_what_varies(text)) != text:
        text = form
    return text


def _without_what_varies(text: str) -> str:
    for rule in RULES:
        text = rule.pattern.sub(rule.replacement, text)
    return text.strip()[:LONGEST_SIGNATURE].rstrip()


def signature(error_class: ErrorClass | None, message: str | None) -> Signature:
    """The signature of an error. One without a message is told by its class alone."""
    kind: ErrorClass = error_class or "unknown"
    text = normal_form(message or "")
    digest = hashlib.sha256(f"{kind}\n{text}".encode(errors="surrogatepass")).hexdigest()
    return Signature(digest[:12], kind, text)


def error_words(error_class: object) -> str:
    """A class of errors in words; of one that nobody knows, that it is an error."""
    return next((told for one, told in ERROR_WORDS.items() if one == error_class), "Error")


def group_name(found: Signature) -> str:
    """A group of failures in a line, unlike that of any other group."""
    words = error_words(found.error_class)
    if len(found.text) > LONGEST_NAME:
        return f"{words}: {found.text[:LONGEST_NAME]}… ({found.id[:6]})"
    return f"{words}: {found.text}" if found.text else words
