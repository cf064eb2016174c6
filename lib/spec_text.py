"""What a spec says: its frontmatter, title, tasks and text, from Markdown or from a server.

The forms are LeanSpec's (`leanspec-core`: `parsers/frontmatter.rs`, `validators/completion.rs`;
`leanspec-http`: `types/specs.rs`). Text from a spec is untrusted: it is cleaned and cut here, and
shown by `lib.markdown` only.
"""

import re
from datetime import date
from typing import Any

import msgspec
import yaml

from lib.readers.values import as_list, as_object, as_text, as_word

LONGEST_TEXT = 200_000
"""Characters of a spec, or of one of its other files, that are shown."""
LONGEST_FRONTMATTER = 16_000
"""Characters; the YAML parser is slow, and no spec needs more."""
MOST_NAMES = 200
"""Of tags, or of specs that one depends on."""

# Not `\s`, which takes the ends of lines too: a long row of them would be tried from each on.
_TASK = re.compile(r"^[^\S\n]*-[^\S\n]*\[([ xX])\][^\S\n]*\S", re.MULTILINE)
_TITLE = re.compile(r"^# +(.+)$", re.MULTILINE)
_LEADING_NUMBER = re.compile(r"\d{1,9}")
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})


class SubSpec(msgspec.Struct, frozen=True):
    """Another Markdown file in a spec's folder."""

    file: str
    text: str


class Spec(msgspec.Struct, kw_only=True):
    """One spec, wherever it was read from."""

    name: str
    """The name of its folder: `168-orchestration`."""
    title: str
    origin: str
    """Where it was read, in words: a path, or the address of a server."""
    status: str | None = None
    """LeanSpec's: `draft`, `planned`, `in-progress`, `complete`, `archived`."""
    priority: str | None = None
    tags: list[str] = []
    parent: str | None = None
    depends_on: list[str] = []
    required_by: list[str] = []
    created: str | None = None
    """A day, UTC: `2026-02-04`."""
    updated: str | None = None
    tasks_done: int = 0
    tasks_total: int = 0
    text: str = ""
    """Markdown, without the frontmatter."""
    sub_specs: list[SubSpec] = []
    problems: list[str] = []
    """What could not be read of it, in words."""

    @property
    def number(self) -> int | None:
        """What the name begins with."""
        found = _LEADING_NUMBER.match(self.name)
        return int(found[0]) if found else None


def from_markdown(name: str, raw: str, origin: str) -> Spec:
    """The spec in a `README.md`. What can't be read of its frontmatter stands in `problems`."""
    cleaned = as_text(raw, LONGEST_TEXT) or ""
    problems: list[str] = []
    if len(raw) > LONGEST_TEXT:
        problems.append(f"Only its first {LONGEST_TEXT:,} characters are shown.")
    head, text = _split(cleaned)
    fields: dict[str, Any] = {}
    if head is None:
        problems.append("It has no frontmatter, so its status is not known.")
    else:
        try:
            fields = _fields(head)
        except ValueError as error:
            problems.append(f"Its frontmatter can't be read: {error}")
    done, total = task_counts(text)
    return Spec(
        name=name,
        title=_title(text) or name,
        origin=origin,
        status=_word(fields.get("status")),
        priority=_word(fields.get("priority")),
        tags=_words(fields.get("tags")),
        parent=_word(fields.get("parent")),
        depends_on=_words(fields.get("depends_on")),
        created=_day(fields.get("created")) or _day(fields.get("created_at")),
        updated=_day(fields.get("updated_at")) or _day(fields.get("updated")),
        tasks_done=done,
        tasks_total=total,
        text=text,
        problems=problems,
    )


def from_server(detail: object, origin: str) -> Spec:
    """The spec in an answer of `GET /api/projects/{project}/specs/{spec}`.

    Raises ValueError when the answer tells of no spec.
    """
    told = as_object(detail)
    name = as_word(told.get("specName")) or as_word(told.get("id"))
    if name is None:
        raise ValueError("the server's answer names no spec")
    text = as_text(told.get("contentMd"), LONGEST_TEXT) or ""
    done, total = task_counts(text)
    others = [as_object(other) for other in as_list(told.get("subSpecs"))]
    return Spec(
        name=name,
        title=_line(told.get("title")) or _title(text) or name,
        origin=origin,
        status=_word(told.get("status")),
        priority=_word(told.get("priority")),
        tags=_words(told.get("tags")),
        parent=_word(told.get("parent")),
        depends_on=_words(told.get("dependsOn")),
        required_by=_words(told.get("requiredBy")),
        created=_day(told.get("createdAt")),
        updated=_day(told.get("updatedAt")),
        tasks_done=done,
        tasks_total=total,
        text=text,
        sub_specs=[
            SubSpec(file, as_text(other.get("content"), LONGEST_TEXT) or "")
            for other in others
            if (file := _line(other.get("file")) or _line(other.get("name"))) is not None
        ],
    )


def body_of(raw: str) -> str:
    """The Markdown of a file without its frontmatter, cleaned and cut."""
    return _split(as_text(raw, LONGEST_TEXT) or "")[1]


def depends_on(raw: str) -> list[str]:
    """The specs that a `README.md` depends on by its frontmatter; none if that can't be read."""
    head, _ = _split(raw)
    try:
        return _words(_fields(head or "").get("depends_on"))
    except ValueError:
        return []


def task_counts(text: str) -> tuple[int, int]:
    """How many tasks (`- [x]`) are done, and how many there are, as LeanSpec counts them."""
    marks = _TASK.findall(text)
    return sum(mark != " " for mark in marks), len(marks)


def _split(raw: str) -> tuple[str | None, str]:
    """Frontmatter and body, the first None if there is none or it has no end."""
    text = raw.removeprefix("\ufeff").replace("\r\n", "\n").lstrip()
    if not text.startswith("---"):
        return None, text
    head, fence, body = text[3:].partition("\n---")
    if not fence:
        return None, text
    return head, body.lstrip("-").lstrip("\n")


def _fields(head: str) -> dict[str, Any]:
    """The fields of a frontmatter, every plain value as the text that it was written as.

    Raises ValueError with the reason, in words, when it can't be read.
    """
    if len(head) > LONGEST_FRONTMATTER:
        raise ValueError(f"it is longer than {LONGEST_FRONTMATTER:,} characters")
    try:
        # The base loader makes nothing but texts, lists and mappings: `1.10` stays `1.10`.
        read = yaml.load(head, Loader=yaml.BaseLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        place = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{error.problem or 'it is no YAML'}{place}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(as_word(str(error)) or "it is no YAML") from None
    if not (fields := as_object(read)):
        raise ValueError("it holds no names with values")
    return fields


def _word(value: object) -> str | None:
    text = _line(value)
    return None if text is None or text in _NOTHING else text


def _words(value: object) -> list[str]:
    """A list of names: of YAML, or separated by commas as LeanSpec's command line writes it."""
    if isinstance(value, str):
        value = [part.strip(" '\"") for part in value.strip("[] ").split(",")]
    words = (_word(part) for part in as_list(value)[:MOST_NAMES])
    return list(dict.fromkeys(word for word in words if word is not None))


def _line(value: object) -> str | None:
    text = as_text(value, 300)
    return " ".join(text.split()) if text else None


def _title(text: str) -> str | None:
    found = _TITLE.search(text)
    return _line(found[1]) if found else None


def _day(value: object) -> str | None:
    text = _word(value)
    try:
        return date.fromisoformat(text[:10]).isoformat() if text else None
    except ValueError:
        return None
