"""Signatures of the errors that the real CLIs wrote: which of them are one group.

The corpus lies beside the repository where it is developed; without it these tests say so.
"""

from collections import defaultdict
from pathlib import Path

import pytest

from lib.failures import normal_form
from lib.readers import READERS
from lib.store import Store
from tests.corpus import CORPUS, collect, scenarios

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the repository")

AGENTS = sorted(path.name for path in CORPUS.iterdir() if path.is_dir()) if CORPUS.exists() else []
SERVER_SIDE = (
    "This is a server-side issue, usually temporary — try again in a moment. If it persists, "
    "check your inference gateway (<address>)."
)
IN_MID_TURN = "The process ended in the middle of a turn"
GROUPS = {
    ("authentication", "Invalid API key · Fix external API key"): ["claude/api_401"],
    ("authentication", "401 invalid x-api-key"): ["claude/api_401_retrying_killed"],
    ("authentication", "Incorrect API key provided"): ["cline/api_401", "opencode/api_401"],
    ("authentication", "401 Incorrect API key provided"): ["pi/api_401"],
    ("authentication", "401 API key not valid"): ["qwen/api_401"],
    (
        "authentication",
        (
            "unexpected status 401 Unauthorized: Incorrect API key provided, url: <url>, "
            "request id: <id>"
        ),
    ): ["codex/api_401"],
    (
        "authentication",
        (
            "Authentication failed with provider at <url> (HTTP 401). Check your "
            "COPILOT_PROVIDER_API_KEY, COPILOT_PROVIDER_API_KEY_COMMAND, or "
            "COPILOT_PROVIDER_BEARER_TOKEN."
        ),
    ): ["copilot/api_401"],
    (
        "authentication",
        (
            "BYOK Error: 401 Incorrect API key provided Upstream error: Incorrect API key provided "
            "If this persists, verify your custom model configuration in settings."
        ),
    ): ["droid/api_401"],
    ("api", f"API Error: 500 boom. {SERVER_SIDE}"): ["claude/api_500"],
    ("api", f"API Error: 500 fake 500 error. {SERVER_SIDE}"): ["claude/hooks_apierror"],
    ("api", "500 boom"): ["pi/api_500", "qwen/api_500"],
    (
        "api",
        "We’re currently experiencing high demand, which may cause temporary errors.",
    ): ["codex/api_500", "codex/hooks_apierror"],
    (
        "api",
        (
            "Failed to get response from the AI model; retried <n> times (total retry wait time: "
            "<n> seconds) Last error: 500 boom"
        ),
    ): ["copilot/api_500"],
    (
        "rate_limit",
        (
            "Failed to get response from the AI model; retried <n> times (total retry wait time: "
            "<n> seconds) Last error: 429 Rate limit reached"
        ),
    ): ["copilot/api_429"],
    ("rate_limit", "Quota exceeded. Check your plan and billing details."): ["codex/api_429"],
    ("permission", "The user rejected permission to use this specific tool call."): [
        "opencode/ask"
    ],
    ("unknown", "A request failed or was cancelled; Gemini CLI does not record why."): [
        "gemini/api_401"
    ],
    ("killed", f"{IN_MID_TURN} (Bash)."): ["claude/interactive_sigkill", "claude/sigkill_midtool"],
    ("killed", f"{IN_MID_TURN} (bash)."): [
        "copilot/sigkill_midtool",
        "opencode/sigkill_midtool",
        "opencode/sigterm_midtool",
        "pi/sigkill_midtool",
        "pi/sigterm_midtool",
    ],
    ("killed", f"{IN_MID_TURN} (exec_command)."): [
        "codex/sigkill_midtool",
        "codex/sigkill_native_midtool",
        "codex/sigterm_midtool",
        "codex/sigterm_midtool_node20",
        "codex/sigterm_native_midtool",
    ],
    ("killed", f"{IN_MID_TURN} (run_commands)."): ["cline/sigkill_midtool"],
    ("killed", f"{IN_MID_TURN} (run_shell_command)."): [
        "qwen/sigkill_midtool",
        "qwen/sigterm_midtool",
    ],
    ("killed", f"{IN_MID_TURN} (Execute)."): ["droid/sigkill_midtool", "droid/sigterm_midtool"],
    ("killed", f"{IN_MID_TURN}."): [
        "droid/api_500",
        "gemini/api_429",
        "gemini/api_500",
        "opencode/api_400",
        "opencode/api_500",
    ],
}


def test_the_real_errors_of_all_agents_fall_into_these_groups(tmp_path: Path) -> None:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    signatures: set[str] = set()
    for number, scenario in enumerate(scenarios(*AGENTS)):
        store = Store.open(f"sqlite:///{tmp_path / str(number)}.db")
        frame = collect(store, CORPUS / scenario / "home", READERS)
        store.close()
        lost = frame[(frame["status"] == "failed") & frame["parent_key"].isna()]
        for row in lost.to_dict("records"):
            found[row["error_class"], row["error_text"]].append(scenario)
            signatures.add(row["error_signature"])
    assert {key: sorted(set(names)) for key, names in found.items()} == GROUPS
    assert len(signatures) == len(GROUPS)


@pytest.mark.parametrize("text", [text for _, text in GROUPS])
def test_the_normal_form_of_a_real_error_is_its_own(text: str) -> None:
    assert normal_form(text) == text
