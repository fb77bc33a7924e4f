"""What makes a function a tool: its definition, its schema, and the one boundary that every call passes."""

import asyncio
import functools
import inspect
import json
import re
from contextlib import suppress
from contextvars import copy_context
from difflib import get_close_matches
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import ToolAnnotations
from pydantic import ValidationError

from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.api.idempotency import NOT_KNOWN
from gitlab_mcp.errors import Failure
from gitlab_mcp.render.markdown import ANSWER_BYTES, ERROR_BYTES, cut
from gitlab_mcp.safety.redact import redact, secrets_of_run
from gitlab_mcp.safety.sanitize import one_line
from gitlab_mcp.safety.validation import INVALID_UNICODE, is_valid_unicode
from gitlab_mcp.tools.context import App, Ctx
from gitlab_mcp.tools.definition import UNCHANGED, ToolDefinition
from gitlab_mcp.tools.examples import EXAMPLES, EXAMPLES_OF

# After its deadline a call has this long, in seconds, to say itself what it was waiting for.
GRACE = 1.0


def bind(definition: ToolDefinition, app: App) -> Tool:
    """The SDK's Tool that runs `definition` on a worker thread, for at most the deadline."""
    function = definition.function
    secrets = app.settings.secret_values
    signature = inspect.signature(function)

    @functools.wraps(function)
    async def run(mcp_context: Context[Any, Any], **arguments: object) -> str:
        loop = asyncio.get_running_loop()

        def report(message: str) -> None:
            told = one_line(redact(message, secrets), 300)
            with suppress(RuntimeError):  # the loop is closed when the client is gone
                loop.call_soon_threadsafe(tell, call.elapsed(), told)

        def tell(seconds: float, message: str) -> None:
            telling.add(asyncio.ensure_future(mcp_context.report_progress(seconds, message=message)))

        for name, value in arguments.items():
            if not is_valid_unicode(value):
                raise ToolError(f"{definition.name}: {name} holds {INVALID_UNICODE}.")
        telling: set[asyncio.Future[None]] = set()

        call = Call(app.settings.deadline, report)
        context = copy_context()
        context.run(current_call.set, call)
        context.run(secrets_of_run.set, secrets)
        answer = loop.run_in_executor(app.executor, lambda: context.run(function, Ctx(app), **arguments))
        try:
            while not answer.done() and call.left() > -GRACE:
                # Meanwhile a transfer may have made its time longer.
                await asyncio.wait([answer], timeout=call.left() + GRACE)
            text = await asyncio.wait_for(answer, 0)
        except asyncio.CancelledError:
            call.cancel()
            answer.cancel()
            raise
        except TimeoutError as error:
            call.cancel()
            said = call.timeout_message() + (
                f" {NOT_KNOWN} Look before repeating it." if definition.writes else " Try again."
            )
            raise ToolError(f"{definition.name} failed: {said}") from error
        except Failure as failure:
            raise ToolError(cut(redact(f"{definition.name} failed: {failure}", secrets), ERROR_BYTES)) from failure
        return cut(redact(text, secrets), ANSWER_BYTES)

    parameters = list(signature.parameters.values())[1:]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # inspect's own protocol
    del run.__wrapped__  # set by wraps; the SDK would see the function's Ctx through it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": str}
    bound = Tool.from_function(
        run,
        description=inspect.getdoc(function),
        context_kwarg="mcp_context",
        structured_output=False,
        annotations=ToolAnnotations(
            read_only_hint=not definition.writes,
            destructive_hint=definition.destructive,
            idempotent_hint=definition.idempotent,
            open_world_hint=True,
        ),
        meta={"anthropic/alwaysLoad": True} if definition.always_load else None,
    )
    bound.parameters = slim(bound.parameters)
    return bound


def slim(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without what costs a model bytes and tells it nothing: titles, references, nulls, empty defaults."""
    definitions = schema.get("$defs", {})

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        if reference := node.get("$ref"):
            node = {**definitions[reference.rsplit("/", 1)[-1]], **{k: v for k, v in node.items() if k != "$ref"}}
        if choices := node.get("anyOf"):
            real = [choice for choice in choices if choice.get("type") != "null"]
            if len(real) == 1:
                rest = {key: value for key, value in node.items() if key != "anyOf"}
                return walk({**real[0], **rest})
        kept = {}
        for key, value in node.items():
            if key in ("$defs", "additionalProperties") or (key == "title" and isinstance(value, str)):
                continue
            if key == "default" and (not value or value == UNCHANGED):
                continue
            if key == "enum":  # "" stands for "not given", which a model says by leaving the argument out
                value = [choice for choice in value if choice != ""]
            # Inside "properties" the keys are names of parameters: a parameter may be called "title".
            kept[key] = {name: walk(inner) for name, inner in value.items()} if key == "properties" else walk(value)
        return kept

    slimmed: dict[str, Any] = walk(schema)
    slimmed.setdefault("properties", {})
    return slimmed


def unknown_arguments(bound: Tool, arguments: dict[str, Any]) -> str:
    """What to tell a caller who gave arguments that the tool has not; "" when there are none."""
    known = list(bound.parameters["properties"])
    for name in arguments:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f' Did you mean "{near[0]}"?' if near else ""
            return (
                f'{bound.name} has no argument "{one_line(name, 60)}".{meant}'
                f" It takes: {', '.join(known)}. A right call: {_example(bound, *near)}."
            )
    return ""


def wrong_arguments(bound: Tool, error: ValidationError) -> str:
    """What to tell a caller whose arguments do not fit: which, why, and a right one."""
    told, first = [], error.errors()[0]["loc"][0]
    for found in error.errors()[:5]:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"]).lstrip(".")
        message = found["msg"].removeprefix("Value error, ")
        if found["type"] == "missing":
            told.append(f"{where} is missing")
        elif found["type"] == "extra_forbidden":
            told.append(f"{where} does not exist; {first} takes: {', '.join(_inside(bound, str(first)))}")
        else:
            given = one_line(json.dumps(found["input"], default=str, ensure_ascii=False), 80)
            if found["type"] == "literal_error":
                allowed = re.findall(r"'(\w+)'", found["msg"])
                message = f"give one of {', '.join(allowed)}"
            told.append(f"{where} is {given}: {message[0].lower()}{message[1:]}")
    return f"{bound.name}: {'. '.join(told)}. A right call: {_example(bound, str(first))}."


def _example(bound: Tool, *also: str) -> str:
    """A call with the arguments that the tool needs and those in `also`; where it needs none, with its first ones."""
    properties, required = bound.parameters["properties"], bound.parameters.get("required", ())
    shown = [*required, *also]
    if not required:
        enough = 1 if bound.annotations and bound.annotations.read_only_hint else 2  # of what, and what to change
        shown = [*also, *(name for name in properties if name not in also)][:enough]
    names = [name for name in properties if name in shown]
    if bound.name == "commit_files" and not {"actions", "paths"} & set(names):
        names.append("actions")
    examples = EXAMPLES | EXAMPLES_OF.get(bound.name, {})
    return json.dumps({name: properties[name].get("enum", [examples[name]])[0] for name in names}, ensure_ascii=False)


def _inside(bound: Tool, name: str) -> list[str]:
    """The keys that the objects in a nested argument take."""
    schema = bound.parameters["properties"].get(name, {})
    return list(schema.get("items", schema).get("properties", ()))
