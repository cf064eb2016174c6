"""Tools in Claude Code transcripts: their schemas, calls and results. Results are most bytes."""

from benchmarks.tree_parts import Chance


def tool_schemas(chance: Chance, length: int) -> str:
    """JSON of the tools offered in a request, each with a description of `length` characters."""
    return ",".join(
        f'{{"name":"Tool{number}","description":"{chance.text(length)}",'
        '"input_schema":{"type":"object","properties":{"command":{"type":"string"}},'
        '"required":["command"],"additionalProperties":false}}'
        for number in range(24)
    )


def tool_use(chance: Chance, cwd: str, tool_id: str, name: str) -> str:
    """JSON of one `tool_use` content block."""
    if name == "Bash":
        argument = f'"command":"{chance.phrase()}","description":"{chance.phrase()}"'
    elif name == "Read":
        argument = f'"file_path":"{cwd}/lib/reader.py"'
    elif name == "Edit":
        old = chance.text(chance.size(400, 1.0, 20_000))
        argument = f'"file_path":"{cwd}/x","old_string":"{old}","new_string":"{old}"'
    else:
        argument = f'"description":"{chance.phrase()}","prompt":"{chance.text(600)}"'
    return f'{{"type":"tool_use","id":"{tool_id}","name":"{name}","input":{{{argument}}}}}'


def tool_outcome(chance: Chance, cwd: str, name: str, subagent: str | None) -> tuple[str, str]:
    """A result's `content` and the fields of its `toolUseResult`, which repeats most of it.

    The result of a subagent carries a `usage` that is no call of this file's.
    """
    if name == "Read" and chance.random() < 0.01:
        text = chance.noise(chance.size(400_000, 0.8, 4_000_000))
    else:
        text = chance.text(chance.size(1700, 1.35, 100_000))
    if name == "Bash":
        return text, f'"stdout":"{text}","stderr":"","interrupted":false,"isImage":false'
    if name == "Read":
        return text, f'"type":"text","file":{{"filePath":"{cwd}/x","content":"{text}"}}'
    if name == "Edit":
        outcome = f'"filePath":"{cwd}/x","originalFile":"{text}","replaceAll":false'
        return "The file has been updated.", outcome
    return text, (
        f'"status":"completed","agentId":"{subagent}","content":[{{"type":"text",'
        f'"text":"{text}"}}],"totalTokens":4321,"usage":{{"input_tokens":21,'
        '"cache_creation_input_tokens":300,"cache_read_input_tokens":4000,'
        '"output_tokens":65,"service_tier":"standard"}'
    )
