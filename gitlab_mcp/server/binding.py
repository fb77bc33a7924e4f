"""Bind a tool's function to the SDK: its schema, the messages about wrong arguments, and the boundary of every call."""

import asyncio
import functools
import inspect
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from contextvars import copy_context
from difflib import get_close_matches
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool, ToolManager
from mcp_types import ToolAnnotations
from pydantic import ValidationError

from gitlab_mcp.api.deadline import Call, current_call
from gitlab_mcp.errors import NOT_KNOWN, Failure
from gitlab_mcp.render.markdown import ANSWER_BYTES, ERROR_BYTES, cut
from gitlab_mcp.safety.redact import is_public, redact, secrets_of_run
from gitlab_mcp.safety.sanitize import one_line
from gitlab_mcp.safety.validation import INVALID_UNICODE, is_valid_unicode
from gitlab_mcp.tools.context import App, Ctx
from gitlab_mcp.tools.definition import UNCHANGED, ToolDefinition
from gitlab_mcp.tools.examples import EXAMPLES, EXAMPLES_OF

# The boundary of every tool call:
# - In: arguments that the SDK has validated against the schema. An unpaired surrogate in any of them ends the call
#   here, because it can be sent neither to GitLab nor back to the client.
# - Out: the text that the function returns, without the secrets of the run, in at most ANSWER_BYTES.
# - Threads: the function runs on a thread of `app.executor`, in a copy of the caller's context in which `current_call`
#   (deadline, cancellation, progress) and `secrets_of_run` are set. The event loop only waits for it. Progress messages
#   go back to the loop with call_soon_threadsafe, the only function of the loop that a worker thread may call.
# - Time: the function watches its own deadline and raises Unreachable, which says what it was waiting for. If it has
#   not ended GRACE seconds after the deadline, the boundary raises a ToolError and drops the result of the thread.
# - Cancellation by the client: every wait of the function ends, it sends no further request, and CancelledError goes
#   on to the SDK, which sends no response.
# - Errors: a Failure becomes a ToolError "NAME failed: ...", without secrets, in at most ERROR_BYTES. Any other
#   exception goes on as it is: it is an internal error, which the SDK logs and whose text the client never sees
#   (`GitLabServer.call_tool` words the message).
GRACE = 1.0  # seconds


def bind(definition: ToolDefinition, app: App) -> Tool:
    """Return the SDK's Tool that runs `definition` on a worker thread, for at most the deadline of `app.settings`."""
    function = definition.function
    secrets = app.settings.secret_values

    def answer_of(arguments: dict[str, object]) -> str:
        # Redacted on the worker thread, because whether a weak password is a secret may have to be asked from GitLab.
        try:
            return cut(redact(function(Ctx(app), **arguments), secrets), ANSWER_BYTES)
        except Failure as failure:
            raise ToolError(cut(redact(f"{definition.name} failed: {failure}", secrets), ERROR_BYTES)) from failure

    async def run(mcp_context: Context[Any, Any], **arguments: object) -> str:
        loop = asyncio.get_running_loop()

        def report(message: str) -> None:
            line = one_line(redact(message, secrets), 300)
            with suppress(RuntimeError):  # the loop is closed when the client is gone
                loop.call_soon_threadsafe(send, call.elapsed(), line)

        def send(seconds: float, message: str) -> None:
            # asyncio itself keeps only a weak reference to a task.
            sending.add(asyncio.ensure_future(mcp_context.report_progress(seconds, message=message)))

        for name, value in arguments.items():
            if not is_valid_unicode(value):
                raise ToolError(f"{definition.name}: {name} contains {INVALID_UNICODE}.")
        sending: set[asyncio.Future[None]] = set()

        call = Call(app.settings.deadline, report)
        context = copy_context()
        context.run(current_call.set, call)
        context.run(secrets_of_run.set, secrets)
        context.run(is_public.set, app.public_values.__contains__)
        answer = loop.run_in_executor(app.executor, lambda: context.run(answer_of, arguments))
        try:
            while not answer.done() and call.left() > -GRACE:
                # The deadline may have moved meanwhile: time stands still during a transfer of git.
                await asyncio.wait([answer], timeout=call.left() + GRACE)
            text = await asyncio.wait_for(answer, 0)
        except asyncio.CancelledError:
            call.cancel()
            answer.cancel()
            raise
        except TimeoutError as error:
            call.cancel()
            advice = f"{NOT_KNOWN} Check before you repeat it." if definition.writes else "Try again."
            raise ToolError(f"{definition.name} failed: {call.timeout_message()} {advice}") from error
        return text

    return _described(definition).model_copy(update={"fn": run})


@functools.cache
def _described(definition: ToolDefinition) -> Tool:
    """The SDK's Tool with name, description and schema of `definition`, whose function is set by `bind`.

    It does not depend on the settings, and the SDK takes milliseconds for a schema: the servers of a process share it.
    """
    function = definition.function

    async def declared(mcp_context: Context[Any, Any], **arguments: object) -> str:
        raise NotImplementedError

    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1:]
    declared.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # inspect's protocol
    declared.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": str}
    bound = Tool.from_function(
        declared,
        name=definition.name,
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


class BoundTools(ToolManager):
    """The tools of a server, each bound at its first use: binding one takes 2 to 3 ms, and a call needs only one.

    `bind_all` binds those that are left, when nobody waits for it.
    """

    def __init__(self, definitions: Iterable[ToolDefinition], app: App) -> None:
        super().__init__()
        self._definitions = {definition.name: definition for definition in definitions}
        self._app = app

    @property
    def names(self) -> list[str]:
        """The names of the tools, in the order in which they are listed."""
        return list(self._definitions)

    def get_tool(self, name: str) -> Tool | None:
        if name in self._definitions and name not in self._tools:
            self._tools[name] = bind(self._definitions[name], self._app)
        return super().get_tool(name)

    def list_tools(self) -> list[Tool]:
        return [tool for name in self._definitions if (tool := self.get_tool(name))]

    async def bind_all(self) -> None:
        """Bind the tools one after the other, and let a request that comes in meanwhile go first."""
        for name in self._definitions:
            self.get_tool(name)
            await asyncio.sleep(0)


def slim(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` without the parts that cost bytes and tell a model nothing.

    These are titles, references (replaced by their definitions), nulls, empty defaults and `additionalProperties`.
    """
    definitions = schema.get("$defs", {})

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        if reference := node.get("$ref"):
            node = {**definitions[reference.rsplit("/", 1)[-1]], **{k: v for k, v in node.items() if k != "$ref"}}
        if choices := node.get("anyOf"):
            not_null = [choice for choice in choices if choice.get("type") != "null"]
            if len(not_null) == 1:
                rest = {key: value for key, value in node.items() if key != "anyOf"}
                return walk({**not_null[0], **rest})
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
    """Return the error message for the first argument that the tool does not have; "" if it has them all."""
    known = list(bound.parameters["properties"])
    for name in arguments:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            suggestion = f' Did you mean "{near[0]}"?' if near else ""
            return (
                f'{bound.name} has no argument "{one_line(name, 60)}".{suggestion}'
                f" It takes: {', '.join(known)}. A valid call: {_example(bound, *near)}."
            )
    return ""


def wrong_arguments(bound: Tool, error: ValidationError) -> str:
    """Return the error message for arguments that failed validation: which ones, why, and a valid call."""
    problems, first = [], error.errors()[0]["loc"][0]
    for detail in error.errors()[:5]:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).lstrip(".")
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "missing":
            problems.append(f"{where} is missing")
        elif detail["type"] == "extra_forbidden":
            problems.append(f"{where} does not exist; {first} takes: {', '.join(_nested_keys(bound, str(first)))}")
        else:
            value = one_line(json.dumps(detail["input"], default=str, ensure_ascii=False), 80)
            if detail["type"] == "literal_error":
                allowed = re.findall(r"'(\w+)'", detail["msg"])
                message = f"give one of {', '.join(allowed)}"
            problems.append(f"{where} is {value}: {message[0].lower()}{message[1:]}")
    return f"{bound.name}: {'. '.join(problems)}. A valid call: {_example(bound, str(first))}."


def _example(bound: Tool, *also: str) -> str:
    """Return the arguments of a valid call as JSON: the required ones and those in `also`.

    For a tool without required arguments it takes the first ones of its schema.
    """
    properties, required = bound.parameters["properties"], bound.parameters.get("required", ())
    chosen = [*required, *also]
    if not required:
        # A write needs two: the iid of the thing to change, and a field to change.
        enough = 1 if bound.annotations and bound.annotations.read_only_hint else 2
        chosen = [*also, *(name for name in properties if name not in also)][:enough]
    names = [name for name in properties if name in chosen]
    if bound.name == "commit_files" and not {"actions", "paths"} & set(names):
        names.append("actions")
    examples = EXAMPLES | EXAMPLES_OF.get(bound.name, {})
    return json.dumps({name: properties[name].get("enum", [examples[name]])[0] for name in names}, ensure_ascii=False)


def _nested_keys(bound: Tool, name: str) -> list[str]:
    """Return the keys of the objects in the argument `name`."""
    schema = bound.parameters["properties"].get(name, {})
    return list(schema.get("items", schema).get("properties", ()))
