"""The corpus of files that the real CLIs wrote, and what was really sent to each of them.

It lies beside the repository where it is developed; tests that need it say so where it is not.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lib.collector import Collector
from lib.frame import load_sessions
from lib.readers.base import Reader
from lib.store import Store

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
NOW = 1_795_365_000_000
"""A moment after everything in the corpus has ended, in milliseconds since the epoch."""

KINDS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_5m": "cache_write_5m_tokens",
    "cache_1h": "cache_write_1h_tokens",
    "reasoning": "reasoning_tokens",
}
"""A kind of tokens in `expected.json` to its name in a usage record."""


def scenarios(*agents: str) -> list[str]:
    """The names of these agents' scenarios: `claude/api_401`."""
    return sorted(
        path.parent.relative_to(CORPUS).as_posix()
        for agent in agents
        for path in CORPUS.glob(f"{agent}/*/expected.json")
    )


def expected(scenario: str) -> dict[str, Any]:
    """What the scenario's stand-in for a provider's server says that it answered."""
    return json.loads((CORPUS / scenario / "expected.json").read_text(encoding="utf-8"))


def is_any(response: dict[str, Any], kind: str) -> bool:
    """Whether a record can tell of it, where records tell of everything."""
    return True


def sent(
    scenario: str,
    counts: Callable[[dict[str, Any], str], bool] = is_any,
    names: Mapping[str, str] | None = None,
) -> Counter[tuple[str, str]]:
    """Model and kind to the tokens that the server sent, without zeros.

    `counts` tells of a response and a kind whether any record can tell of them; `names` gives
    the name in the files of a model that is called otherwise there.
    """
    names = names or {}
    totals: Counter[tuple[str, str]] = Counter()
    for response in expected(scenario)["responses_completed"]:
        model: str = response["model"]
        for kind, tokens in response["usage"].items():
            if counts(response, kind):
                totals[names.get(model, model), kind] += tokens
    return without_zeros(totals)


def recorded(store: Store) -> Counter[tuple[str, str]]:
    """Model and kind to the tokens in the store, without zeros."""
    totals: Counter[tuple[str, str]] = Counter()
    for usage in store.usage():
        for kind, column in KINDS.items():
            totals[usage.model or "", kind] += getattr(usage, column)
    return without_zeros(totals)


def without_zeros(totals: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """These totals without zeros; what is below zero, and so an error, stays."""
    return Counter({key: tokens for key, tokens in totals.items() if tokens})


def collect(store: Store, home: Path, readers: Iterable[Reader]) -> pd.DataFrame:
    """The sessions of one home folder, as the board sees them."""
    collector = Collector(store, readers, {"HOME": str(home)}, "here")
    collector.collect(collector.sweep())
    collector.judge_unannounced()
    return load_sessions(store, NOW)
