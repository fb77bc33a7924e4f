"""The mistakes in the bare line of a job: what is not understood is left out, and the run gets fewer permissions.

Such a line usually ends in `|| true`: an error there would end nothing, and claude would run without its tools.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import click

from gitlab_mcp.claude_code import flag_arguments
from gitlab_mcp.config.environment import is_ci, split_list, working_directory
from gitlab_mcp.config.settings import Flags, SettingsError, read_settings, secrets_of
from gitlab_mcp.server.toolsets import check_names

DASHES = "-\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}\N{NON-BREAKING HYPHEN}"
LISTS = ("toolsets", "tools")


def understood_arguments(group: click.Group, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments of a line without those that are not understood, and a text for each of these.

    There is no such text where the line names a command, as its first word or after options.
    """
    left, mistakes = list(arguments), []
    while True:
        trial = click.Context(group, **group.context_settings)
        try:
            words = click.Command.parse_args(group, trial, list(left))
        except click.UsageError as error:
            if not (positions := _positions(error, left)):
                raise
            unknown = isinstance(error, click.NoSuchOption)
            mistakes.append(
                _no_such(group, left[min(positions)]) if unknown else error.format_message().removesuffix(".")
            )
            left = [argument for number, argument in enumerate(left) if number not in positions]
            continue
        if not words:
            return left, mistakes if _is_bare(group, arguments) else []
        if words[0] in group.commands:
            return list(arguments), []
        mistakes.append(f'"{words[0]}" is neither an option nor the value of one')
        del left[len(left) - len(words)]


def reduced_flags(flags: Flags, environ: Mapping[str, str], mistakes: Sequence[str]) -> tuple[Flags, list[str]]:
    """The flags with which a job's server is registered, and a text for each mistake: `mistakes`, and unusable values.

    Where there is a mistake, the run only reads, and flags that grant permissions are left out.
    """
    texts = list(mistakes)
    usual = _problem(Flags(), environ)
    for name, value in flags.given().items():
        problem = _problem(_only(name, value), environ)
        if problem in ("", usual):
            continue
        texts.append(problem.removesuffix("."))
        usable: Any = getattr(Flags(), name)
        if name in LISTS:
            names = split_list(value)
            usable = ",".join(part for part in names if not _problem(_only(name, part), environ))
        flags = replace(flags, **{name: usable})
    if not texts:
        return flags, []
    # The option that was meant may be the one that withholds text.
    withholds = flags.trusted_only or any("trusted-only" in text for text in mistakes)
    flags = replace(flags, read_only=True, trusted_only=withholds)
    if is_ci(environ):  # elsewhere --allow-project restricts a run
        flags = replace(flags, allow_project="", allow_default_branch=False, allow_files="")
    return flags, texts


def _is_bare(group: click.Group, arguments: Sequence[str]) -> bool:
    """Whether a line without a known command is meant without one: a first word may be a mistyped command."""
    first = arguments[0]
    option = f"--{first.strip(DASHES).replace('_', '-').partition('=')[0]}"
    return first[:1] in DASHES or option in _options(group)


def _options(group: click.Group) -> list[str]:
    return [option for parameter in group.params for option in parameter.opts]


def _no_such(group: click.Group, argument: str) -> str:
    name = argument.partition("=")[0]
    nearest = get_close_matches(name, _options(group), 1)
    return f"there is no option {name}{f' (the nearest is {nearest[0]})' if nearest else ''}"


def _positions(error: click.UsageError, arguments: Sequence[str]) -> set[int]:
    """The positions of the arguments that an error of the command line is about; empty where they are not known."""
    if isinstance(error, click.NoSuchOption | click.BadOptionUsage):
        names, has_value = [error.option_name], False
    elif isinstance(error, click.BadParameter) and error.param is not None:
        names, has_value = error.param.opts, True
    else:
        return set()
    exact = [number for number, argument in enumerate(arguments) if argument.partition("=")[0] in names]
    near = [number for number, argument in enumerate(arguments) if argument.startswith(tuple(names))]
    for number in exact or near:
        return {number, number + 1} if has_value and "=" not in arguments[number] else {number}
    return set()


def _only(name: str, value: Any) -> Flags:
    return replace(Flags(), **{name: value})


def _problem(flags: Flags, environ: Mapping[str, str]) -> str:
    """Why `flags` cannot be used in this environment, whatever its credential is; "" where they can."""
    try:
        settings = read_settings(flags, {**environ, "GITLAB_ACCESS_TOKEN": "any"}, working_directory())
        check_names(settings)
        flag_arguments(flags, secrets_of(environ))
    except SettingsError as error:
        return str(error)
    return ""
