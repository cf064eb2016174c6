"""A tree of sessions as a year of Claude Code and Codex leaves it, with the truth beside it.

    python -m benchmarks.tree FOLDER --bytes 1GiB --files 3000 [--seed N] [--until ISO]

The same arguments write the same bytes. Sizes are heavy-tailed like those of a real machine
(median 105 kB, 99th percentile some MB, the largest 87 MB at 1 GiB).
"""

import argparse
import json
import os
import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import NormalDist

from benchmarks.tree_claude import CURRENT_MODELS as CLAUDE_CURRENT
from benchmarks.tree_claude import MAIN_OVERHEAD, SUBAGENT_OVERHEAD, ClaudeFile
from benchmarks.tree_claude import OLD_MODELS as CLAUDE_OLD
from benchmarks.tree_codex import CURRENT_MODELS as CODEX_CURRENT
from benchmarks.tree_codex import OLD_MODELS as CODEX_OLD
from benchmarks.tree_codex import CodexFile
from benchmarks.tree_parts import Chance, Clock, Truth

UNTIL = "2026-11-22T12:00:00+00:00"
MEDIAN = 105_000
LARGEST_SHARE = 0.081
"""The largest file's share of all bytes: 87 MB of 1 GiB."""
DAYS = 90
PROJECTS = 24
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


@dataclass
class Plan:
    """A main session's target size and those of its subagents, in bytes."""

    size: int
    subagents: list[int] = field(default_factory=list[int])


def sizes(total: int, files: int) -> list[int]:
    """Log-normal file sizes that sum to about `total`, smallest first, the largest set apart."""
    largest = int(total * LARGEST_SHARE)
    rest, count = total - largest, files - 1
    median = min(MEDIAN, rest // count // 2)
    scores = [NormalDist().inv_cdf((rank + 0.5) / count) for rank in range(count)]
    low, high = 0.0, 4.0
    for _ in range(40):
        sigma = (low + high) / 2
        if sum(_log_normal(median, sigma, score) for score in scores) < rest:
            low = sigma
        else:
            high = sigma
    return [*(int(_log_normal(median, low, score)) for score in scores), largest]


def _log_normal(median: int, sigma: float, score: float) -> float:
    return median * 2.718281828459045 ** (sigma * score)


class Tree:
    """Writes sessions below `folder` until the planned sizes are used up."""

    def __init__(self, folder: Path, seed: int, until: float, days: float):
        self.folder = folder
        self.chance = Chance(seed)
        self.truth = Truth()
        self.until = until
        self.days = days
        self.bytes = 0
        self._planned_left = self._bytes_left = 0

    def write(self, total: int, files: int) -> None:
        """Write `files` transcripts of `total` bytes together (within a few percent)."""
        planned = sizes(total, files)
        self.chance.shuffle(planned)
        self._planned_left, self._bytes_left = sum(planned), total
        codex_files = files // 4
        self._write_codex(planned[:codex_files])
        self._write_claude(planned[codex_files:])

    def _write_claude(self, planned: list[int]) -> None:
        plans: list[Plan] = []
        for size in planned:
            if plans and self.chance.random() < 0.3:
                self.chance.choice(plans[-40:]).subagents.append(size)
            else:
                plans.append(Plan(size))
        previous: ClaudeFile | None = None
        for plan in plans:
            session = self._claude_session(plan, previous)
            # Only a short session is kept for forking, so that memory stays small.
            previous = session if session.size < 4_000_000 else previous

    def _claude_session(self, plan: Plan, previous: ClaudeFile | None) -> ClaudeFile:
        chance = self.chance
        current = plan.size > MAIN_OVERHEAD and chance.random() < 0.75
        fork = (
            previous is not None
            and previous.current == current
            and previous.size < plan.size
            and chance.random() < 0.25
        )
        model = previous.model if fork and previous else self._claude_model(current)
        start = previous.clock.seconds + 60 if fork and previous else self._start(plan.size)
        cwd = previous.cwd if fork and previous else self._project()
        session = ClaudeFile(
            chance, Clock(chance, start, self.until), self.truth, chance.uuid(), cwd,
            chance.choice(("main", "main", "feature/login", "fix-42")), model, current,
            gateway=chance.random() < 0.015,
        )  # fmt: skip
        if fork and previous:
            session.copy(previous)
            self.truth.count("claude-code", "forks")
        names = [f"a{chance.hex(16)}" for _ in plan.subagents]
        session.write(self._target(plan.size), names)
        project = self.folder / ".claude/projects" / re.sub(r"[^A-Za-z0-9]", "-", cwd)
        self._save(project / f"{session.session_id}.jsonl", "claude-code", session)
        for name, size in zip(names, plan.subagents, strict=True):
            self._claude_subagent(project, session, name, size)
        return session

    def _claude_subagent(self, project: Path, parent: ClaudeFile, name: str, size: int) -> None:
        current = parent.current and size > SUBAGENT_OVERHEAD
        agent = ClaudeFile(
            self.chance, Clock(self.chance, self._start(size), self.until), self.truth,
            parent.session_id, parent.cwd, parent.branch, parent.model, current, agent_id=name,
        )  # fmt: skip
        agent.write(self._target(size), [])
        path = project / parent.session_id / "subagents" / f"agent-{name}.jsonl"
        self._save(path, "claude-code", agent)
        about = {"agentType": "general-purpose", "description": "Look", "finished": True}
        path.with_suffix(".meta.json").write_text(json.dumps(about))
        self.truth.count("claude-code", "subagents")

    def _write_codex(self, planned: list[int]) -> None:
        previous: CodexFile | None = None
        for size in planned:
            chance = self.chance
            current = chance.random() < 0.6
            related = previous is not None and previous.current == current
            fork = related and chance.random() < 0.15
            fork = fork and (current or (previous is not None and previous.size < size))
            subagent = related and current and not fork and chance.random() < 0.15
            start = self._start(size)
            if previous is not None and (fork or subagent):
                start = previous.clock.seconds + 60
            model = chance.choice(CODEX_CURRENT if current else CODEX_OLD)
            session = CodexFile(
                chance, Clock(chance, start, self.until), self.truth, chance.uuid(),
                previous.cwd if previous and (fork or subagent) else self._project(),
                "main", previous.model if previous and fork else model, current,
                root=(previous.root or previous.session_id) if previous and subagent else None,
            )  # fmt: skip
            if previous and fork:
                session.fork(previous)
                self.truth.count("codex", "forks")
            self.truth.count("codex", "subagents", int(subagent))
            session.write(self._target(size))
            local = datetime.fromtimestamp(start, UTC)
            name = f"rollout-{local:%Y-%m-%dT%H-%M-%S}-{session.session_id}.jsonl"
            path = self.folder / f".codex/sessions/{local:%Y/%m/%d}" / name
            self._save(path, "codex", session)
            previous = session if session.size < 4_000_000 else previous

    def _target(self, planned: int) -> int:
        """`planned` corrected by what earlier files missed their targets by."""
        target = planned * max(self._bytes_left, 0) // max(self._planned_left, 1)
        self._planned_left -= planned
        return target

    def _claude_model(self, current: bool) -> str:
        return self.chance.choice(CLAUDE_CURRENT if current else CLAUDE_OLD)

    def _project(self) -> str:
        return f"/home/dev/code/project-{int(self.chance.random() ** 2 * PROJECTS):02d}"

    def _start(self, size: int) -> float:
        """A start early enough for `size` bytes of work, more often recent than long ago."""
        age = self.chance.random() ** 2 * self.days * 86_400
        return self.until - age - size / 900

    def _save(self, path: Path, agent: str, session: ClaudeFile | CodexFile) -> None:
        data = "".join(session.records).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (session.clock.seconds, session.clock.seconds))
        self.bytes += len(data)
        self._bytes_left -= len(data)
        self.truth.count(agent, "files")
        self.truth.count(agent, "bytes", len(data))
        self.truth.count(agent, "records", len(session.records))


def parse_bytes(text: str) -> int:
    """`1GiB`, `100MB`, `5000` as a number of bytes. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?I?B|)", text.upper())
    if match is None or match[2] not in (*_UNITS, "B"):
        raise ValueError(text)
    return int(float(match[1]) * _UNITS.get(match[2], 1))


def write_tree(
    folder: Path, total: int, files: int, seed: int, until: float, days: float = DAYS
) -> dict[str, object]:
    """Write the tree and its `truth.json`; return the truth. Raises OSError where it can't.

    Sessions start up to `days` before `until` (seconds since the epoch).
    """
    tree = Tree(folder, seed, until, days)
    tree.write(total, files)
    truth: dict[str, object] = {
        "arguments": {"bytes": total, "files": files, "seed": seed, "until": until},
        "bytes": tree.bytes,
        "agents": tree.truth.agents(),
        "models": tree.truth.models,
        "counts": tree.truth.counts,
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1, sort_keys=True) + "\n")
    return truth


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tree")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bytes", type=parse_bytes, default=parse_bytes("1GiB"), dest="total")
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until", type=datetime.fromisoformat, default=UNTIL)
    arguments = parser.parse_args()
    if arguments.folder.exists() and any(arguments.folder.iterdir()):
        print(f"{arguments.folder} is not empty", file=sys.stderr)
        return 2
    until = arguments.until.timestamp()
    truth = write_tree(arguments.folder, arguments.total, arguments.files, arguments.seed, until)
    print(json.dumps({"bytes": truth["bytes"], "counts": truth["counts"]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
