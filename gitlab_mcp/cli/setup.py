"""The command that sets a project up for runs of Claude Code: it looks, shows a plan, asks once, and applies it."""

import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitlab_mcp.cli.ending import clean_up_on_signals
from gitlab_mcp.config.environment import SettingsError, is_any_ci, working_directory
from gitlab_mcp.config.settings import Flags, read_settings, secrets_of

if TYPE_CHECKING:
    from gitlab_mcp.setup.options import SetupOptions
    from gitlab_mcp.setup.plan import SetupPlan, StepResult
    from gitlab_mcp.setup.step import SetupContext, SetupStep

CHARACTERS_OF_A_LINE = 2000


@click.command(short_help="Set a project up for runs of Claude Code.")
@click.option("--url", default="", metavar="URL", help="The URL of GitLab, such as https://gitlab.example.com.")
@click.option("--project", default="", metavar="PATH", help="The project, such as group/app (default: this clone's).")
@click.option(
    "--provider",
    type=click.Choice(["api-key", "oidc", "bedrock", "vertex"]),
    default="api-key",
    show_default=True,
    help="Who serves the model: the Claude API by key or without one, Amazon Bedrock, Google Vertex AI.",
)
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input of the job's template.")
@click.option("--variable", "variables", multiple=True, metavar="NAME", help="A further secret that runs need.")
@click.option("--protected", is_flag=True, help="Give the secrets to pipelines of protected branches only.")
@click.option("--no-push", is_flag=True, help="Do not let jobs push branches.")
@click.option("--push-unprotected", is_flag=True, help="Let jobs push although the default branch is not protected.")
@click.option("--no-access-token", is_flag=True, help="Create no access token: runs cannot comment.")
@click.option("--token-days", type=click.IntRange(1, 400), default=None, help="Days until the token expires.")
@click.option("--image", default="", metavar="IMAGE", help="An image with this server and Claude Code, for the job.")
@click.option("--mentions", default="", metavar="URL", help="The public URL of a listener: @claude starts runs.")
@click.option(
    "--listener-folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Where the listener's configuration is written (default: below XDG_CONFIG_HOME).",
)
@click.option("--deadline", type=float, default=120.0, metavar="SECONDS", help="The limit of one step (default: 120).")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("--yes", is_flag=True, help="Apply the plan without a question.")
@click.option("--undo", is_flag=True, help="Take back what an earlier setup made.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
@click.pass_context
def setup(ctx: click.Context, /, **arguments: Any) -> None:
    """Set a project up for runs of Claude Code. It looks first, shows a plan of every change, asks once and applies it.

    It needs a personal access token with scope api and role Maintainer, in GITLAB_ACCESS_TOKEN. Secrets come from the
    environment, or are asked for on the terminal without showing them. What is there already stays, so that it can be
    run again at any time. Ends with code 1 when something could not be done.
    """
    from gitlab_mcp.errors import Failure
    from gitlab_mcp.setup.plan import SetupError

    clean_up_on_signals()
    if is_any_ci(os.environ):
        raise SettingsError("setup is run once on your own machine, not in a job: its token may do more than a job's.")
    try:
        ctx.exit(_run(**arguments))
    except Failure as failure:
        remedy = failure.remedy if isinstance(failure, SetupError) else ""
        click.echo(f"gitlab-mcp-server: {_safe(f'{failure} {remedy}'.rstrip())}", err=True)
        ctx.exit(1)


def _run(*, dry_run: bool, yes: bool, undo: bool, as_json: bool, deadline: float, **arguments: Any) -> int:
    """Run the command, and return its exit code."""
    from gitlab_mcp.api.deadline import limited
    from gitlab_mcp.setup.runner import applied, plan_of

    with limited(deadline):
        context, steps = _prepared(arguments, deadline, undo=undo)
    plan = plan_of(steps, context, undo=undo)
    show = partial(_show, context) if not as_json else _nothing
    show(plan.lines())
    results: list[StepResult] = []
    if plan.changes and not dry_run:
        _agreed(len(plan.changes), yes=yes, as_json=as_json)

        def agrees(question: str) -> bool:
            return undo if yes else click.confirm(_safe(question, context), err=True)

        for result in applied(plan, steps, context, agrees, undo=undo):
            results.append(result)
            if result.status != "in place":
                show(result.lines())
    if as_json:
        data = _safe_data({**plan.as_json(), "results": [vars(result) for result in results]}, context)
        click.echo(json.dumps(data, indent=2))
    show(_ending(plan, results, dry_run=dry_run))
    ended = [result.status for result in results]
    return 1 if "failed" in ended or "blocked" in ended or (not results and plan.blocked) else 0


def _prepared(arguments: dict[str, Any], seconds: float, *, undo: bool) -> "tuple[SetupContext, Sequence[SetupStep]]":
    """What the steps work with, and the steps. Raises SettingsError or a Failure where nothing can be set up."""
    from gitlab_mcp.api.client import GitLab
    from gitlab_mcp.setup.facts import look
    from gitlab_mcp.setup.origin import direct_url, origin_of
    from gitlab_mcp.setup.providers import checked_inputs
    from gitlab_mcp.setup.secrets import Secrets
    from gitlab_mcp.setup.state import SetupState, state_path
    from gitlab_mcp.setup.step import SetupContext
    from gitlab_mcp.setup.steps import steps_of, steps_to_undo

    settings = read_settings(Flags(url=arguments["url"], project=arguments["project"]), os.environ, working_directory())
    if settings.credential.kind != "access token":
        raise SettingsError("setup needs a personal access token with scope api, in GITLAB_ACCESS_TOKEN.")
    if not settings.project:
        raise SettingsError("No project is known: run setup in a clone of it, or pass --project group/app.")
    gitlab = GitLab(settings)
    options = _options(arguments)
    checked_inputs(options)
    facts = look(gitlab, settings.project)
    ask = _ask if sys.stdin.isatty() else None
    state = SetupState(state_path(os.environ, Path.home(), settings.url, facts.id))
    origin = origin_of(direct_url(), settings.url)
    context = SetupContext(gitlab, facts, options, Secrets(os.environ, ask), state, origin, seconds)
    return context, steps_to_undo(options, state) if undo else steps_of(options, origin)


def _options(arguments: dict[str, Any]) -> "SetupOptions":
    """The options. Raises SettingsError for an input without a value, or an invalid name of a variable."""
    from gitlab_mcp.setup.options import TOKEN_DAYS, SetupOptions

    inputs = {}
    for text in arguments["inputs"]:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f'--input "{text}" has no value: write it as NAME=VALUE.')
        inputs[name] = value
    return SetupOptions(
        provider=arguments["provider"],
        inputs=inputs,
        variables=arguments["variables"],
        protected=arguments["protected"],
        push=not arguments["no_push"],
        push_unprotected=arguments["push_unprotected"],
        access_token=not arguments["no_access_token"],
        token_days=arguments["token_days"] or TOKEN_DAYS,
        image=arguments["image"],
        listener_url=arguments["mentions"],
        listener_folder=arguments["listener_folder"] or _configuration_folder() / "gitlab-mcp-server" / "listener",
    )


def _configuration_folder() -> Path:
    """https://specifications.freedesktop.org/basedir-spec/latest/"""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(configured) if configured.startswith("/") else Path.home() / ".config"


def _agreed(count: int, *, yes: bool, as_json: bool) -> None:
    """Ask once. Ends the command with code 1 where a person says no, or nobody can be asked."""
    if yes:
        return
    if as_json:
        raise SettingsError("--json asks no questions: add --yes, or --dry-run for the plan alone.")
    try:
        click.confirm(f"Make {'this change' if count == 1 else f'these {count} changes'}?", abort=True, err=True)
    except click.Abort:
        click.echo("Nothing was changed.", err=True)
        sys.exit(1)


def _ask(name: str) -> str:
    answer: str = click.prompt(f"{name} (it is not shown)", hide_input=True, err=True)
    return answer


def _ending(plan: "SetupPlan", results: "Sequence[StepResult]", *, dry_run: bool) -> list[str]:
    from gitlab_mcp.setup.plan import last_url

    count = len(plan.changes)
    if not count:
        line = "Nothing was changed: see above what is blocked." if plan.blocked else "There is nothing to change."
    elif dry_run:
        line = f"Nothing was changed: the plan has {_changes(count)}."
    else:
        done = sum(result.status == "done" for result in results)
        line = f"{done} of {_changes(count)} made and read back."
    url = last_url(results) or plan.url
    return ["", line, *([f"Open {url}"] if url else [])]


def _changes(count: int) -> str:
    return "1 change" if count == 1 else f"{count} changes"


def _nothing(_lines: Sequence[str]) -> None:
    """Show nothing."""


def _show(context: "SetupContext", lines: Sequence[str]) -> None:
    for line in lines:
        text = line.lstrip(" ")
        click.echo(f"{line[: len(line) - len(text)]}{_safe(text, context)}")


def _safe(text: str, context: "SetupContext | None" = None) -> str:
    """Text without secrets, on one line."""
    from gitlab_mcp.safety.redact import redact
    from gitlab_mcp.safety.sanitize import one_line

    secrets = (*secrets_of(os.environ), *(context.secrets.values if context else ()))
    return one_line(redact(text, secrets), CHARACTERS_OF_A_LINE)


def _safe_data(data: Any, context: "SetupContext") -> Any:
    if isinstance(data, dict):
        return {name: _safe_data(value, context) for name, value in data.items()}
    if isinstance(data, list):
        return [_safe_data(value, context) for value in data]
    return _safe(data, context) if isinstance(data, str) else data
