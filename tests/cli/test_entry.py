"""The entry point reads the arguments of a process that serves, exactly as click would; click reads all others."""

import re
from collections.abc import Sequence

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_mcp.cli.entry import OPTIONS, plain_arguments
from gitlab_mcp.cli.main import main
from gitlab_mcp.cli.options import CONFIGURATION, merged_flags
from gitlab_mcp.cli.serve import serve
from gitlab_mcp.config.settings import Flags


def read_by_click(arguments: Sequence[str]) -> tuple[str, Flags]:
    """The command and its flags as click reads them. Raises click.ClickException for wrong arguments."""
    context = click.Context(main)
    words = click.Command.parse_args(main, context, list(arguments))
    flags = Flags(**{name: value for name, value in context.params.items() if name != "trust_project_mcp"})
    if not words:
        return "", flags
    return words[0], merged_flags(flags, dict(serve.make_context(words[0], words[1:], parent=context).params))


@pytest.mark.parametrize(
    ("arguments", "command", "flags"),
    [
        ([], "", Flags()),
        (["serve"], "serve", Flags()),
        (["serve", "--read-only", "--deadline", "5"], "serve", Flags(read_only=True, deadline=5.0)),
        (["--project=acme/app", "serve", "--tools=get_issue"], "serve", Flags(project="acme/app", tools="get_issue")),
        (["serve", "--connections=8"], "serve", Flags(connections=8)),
        (["--no-instant-start"], "", Flags(no_instant_start=True)),
    ],
)
def test_the_arguments_of_a_process_that_serves_are_understood(
    arguments: list[str], command: str, flags: Flags
) -> None:
    assert plain_arguments(arguments) == (command, flags)


@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor"],
        ["--help"],
        ["serve", "serve"],
        ["serve", "--read-onyl"],
        ["serve", "--read-only=yes"],
        ["serve", "--project"],
        ["serve", "--project", "--read-only"],
        ["serve", "--deadline", "soon"],
        ["serve", "--connections", "7.5"],
        ["serve", "--project", "a/b", "--project", "c/d"],
        ["serve", "--"],
        ["serve", ""],
    ],
    ids=" ".join,
)
def test_all_other_arguments_are_left_to_click(arguments: list[str]) -> None:
    assert plain_arguments(arguments) is None


WORDS = st.one_of(
    st.sampled_from(["serve", "", "-", "--", "acme/app", "5", "nan", "-5", "--read", "doctor", "--read-only=1"]),
    st.sampled_from(sorted(OPTIONS)),
    st.builds(lambda name, value: f"{name}={value}", st.sampled_from(sorted(OPTIONS)), st.sampled_from(["", "a", "7"])),
)


@given(st.lists(WORDS, max_size=6))
def test_what_the_entry_point_understands_it_reads_as_click_does(arguments: list[str]) -> None:
    plain = plain_arguments(arguments)
    if plain is not None:
        assert repr(read_by_click(arguments)) == repr(plain)  # by their text, because nan is not equal to itself


def test_the_flags_are_the_options_of_click() -> None:
    @click.command()
    def command() -> None:
        """Do nothing."""

    for option in CONFIGURATION:
        option(command)
    assert sorted(OPTIONS) == sorted(opt for parameter in command.params for opt in parameter.opts)
    assert all(re.fullmatch(r"--[a-z-]+", option) for option in OPTIONS)
