"""Which spec a session works on, as far as its names tell.

LeanSpec keeps a spec in `specs/<number>-<name>/` and names branches after it (`168-orchestration`,
`feature/168-orchestration`).
"""

import re

_IN_BRANCH = re.compile(r"(?:^|/)(\d{2,4}-[a-z0-9][a-z0-9-]*)$")
_IN_TEXT = re.compile(r"(?<![\w-])specs/(\d{2,4}-[a-z0-9][a-z0-9-]*)")


def spec_of(branch: str | None, prompt: str | None) -> str | None:
    """The spec that the branch is named after, or else the first one that the prompt names."""
    found = _IN_BRANCH.search(branch or "") or _IN_TEXT.search(prompt or "")
    return found[1] if found else None
