"""What both agents' generators share: chance, text, time, and the running truth."""

import base64
import random
import time
from collections import Counter
from typing import NamedTuple

KINDS = (
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_write_tokens",
    "cache_read_tokens",
    "reasoning_tokens",
)
"""Token kinds as `python -m lib.report` names them: input without cache, output with reasoning."""

_TEXT = (
    "def return self import from class value result index session request token cache store "
    "reader path file line offset error status queue worker retry await async yield assert "
    "test config settings page card frame total cost model agent"
)
_WORDS = _TEXT.split()
_PROSE = "The parser keeps its place — it’s the “offset” that counts; see naïve §3, 日本語 ✓"


class Call(NamedTuple):
    """One model call as it is billed. Kinds don't overlap, except reasoning, a part of output."""

    input: int
    output: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int
    reasoning: int


class Truth:
    """Sums of unique calls by agent and model, and counts of what a reader has to see through."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Counter[str]]] = {}
        self.counts: dict[str, Counter[str]] = {}

    def call(self, agent: str, model: str, call: Call) -> None:
        """Count a call. Copies of it are never reported here."""
        figures = self.models.setdefault(agent, {}).setdefault(model, Counter())
        cache_write = call.cache_write_5m + call.cache_write_1h
        values = (1, call.input, call.output, cache_write, call.cache_read, call.reasoning)
        for kind, value in zip(KINDS, values, strict=True):
            figures[kind] += value
        figures["cache_write_1h_tokens"] += call.cache_write_1h

    def count(self, agent: str, what: str, number: int = 1) -> None:
        """Count files, sessions, records and copies."""
        self.counts.setdefault(agent, Counter())[what] += number

    def agents(self) -> dict[str, Counter[str]]:
        """Figures by agent, all models together."""
        agents: dict[str, Counter[str]] = {}
        for agent, models in self.models.items():
            sums = agents.setdefault(agent, Counter())
            for figures in models.values():
                sums.update(figures)
        return agents


class Chance(random.Random):
    """A seeded source of ids, sizes and text that is already escaped for a JSON string."""

    def __init__(self, seed: int):
        super().__init__(seed)
        lines = [self._line() for _ in range(3000)]
        chosen = self.choices(lines, k=100_000)
        self._pool = "".join(chosen)
        self._starts: list[int] = []
        at = 0
        for line in chosen:
            self._starts.append(at)
            at += len(line)
        self._noise = base64.b64encode(self.randbytes(1 << 20)).decode()

    def _line(self) -> str:
        if self.random() < 0.03:
            return _PROSE + "\\n"
        indent = "    " * self.randrange(4) if self.random() < 0.9 else "\\t"
        words = " ".join(self.choices(_WORDS, k=self.randint(2, 12)))
        ending = self.choice(("", ":", ' = \\"done\\"', "()", " # a\\\\b"))
        return f"{indent}{words}{ending}\\n"

    def text(self, length: int) -> str:
        """About `length` characters of source code, escaped, in whole lines."""
        starts = self._starts
        if length >= len(self._pool) // 2:
            return self.noise(length)
        count = max(1, length * len(starts) // len(self._pool))
        first = self.randrange(len(starts) - count)
        return self._pool[starts[first] : starts[first + count]]

    def phrase(self) -> str:
        """A short sentence, as people and models write them."""
        return " ".join(self.choices(_WORDS, k=self.randint(4, 14))).capitalize() + "."

    def noise(self, length: int) -> str:
        """`length` characters of base64."""
        if length >= len(self._noise):
            return self._noise * (length // len(self._noise)) + self._noise[: length % (1 << 20)]
        first = self.randrange(len(self._noise) - length)
        return self._noise[first : first + length]

    def size(self, median: float, sigma: float, most: int) -> int:
        """A heavy-tailed (log-normal) size."""
        return min(most, int(median * self.lognormvariate(0, sigma)) + 1)

    def hex(self, digits: int) -> str:
        """`digits` hexadecimal digits."""
        return f"{self.getrandbits(digits * 4):0{digits}x}"

    def uuid(self) -> str:
        """An id of UUID shape."""
        digits = f"{self.getrandbits(128):032x}"
        head, tail = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}", digits[17:]
        return f"{head}-a{tail[:3]}-{tail[3:]}"


class Clock:
    """The time in a session; it moves on with every record and never passes `until`."""

    def __init__(self, chance: Chance, start: float, until: float):
        self._chance = chance
        self.seconds = start
        self._until = until

    def tick(self, seconds: float = 2.0) -> str:
        """Move on by up to twice `seconds`; return the time as ISO 8601 with milliseconds."""
        self.seconds = min(self.seconds + self._chance.random() * 2 * seconds, self._until)
        whole = int(self.seconds)
        return f"{_minute(whole // 60)}{whole % 60:02d}.{int(self.seconds * 1000) % 1000:03d}Z"


def _minute(minute: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(minute * 60))
