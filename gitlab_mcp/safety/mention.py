"""A comment that mentions the handle: what it asks for, its options, and whether it stops a run.

Both the listener and the run read a comment with this module, so that they never read it differently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_MODELS = ("haiku", "sonnet", "opus")
DEFAULT_MAX_TURNS = 60  # as in templates/claude.yml

# What a comment with nothing but the handle asks for.
BARE_REQUEST = "Do what this thread asks for."


@dataclass(frozen=True)
class OptionLimits:
    """Which options a comment may set: `models` are the allowed names of models, numbers the greatest allowed value.

    `max_turns` counts turns, `timeout` minutes, `max_budget` US dollars; 0 means that the option may not be set.
    """

    models: tuple[str, ...] = DEFAULT_MODELS
    max_turns: int = DEFAULT_MAX_TURNS
    timeout: int = 0
    max_budget: float = 0


@dataclass(frozen=True)
class CommentRequest:
    """What a comment that mentions the handle says.

    `request` is its text without the handle and the options; where nothing is left, it is BARE_REQUEST. `options` are
    the values as the comment has them, such as {"model": "opus", "max_turns": "20"}: only names of the allow-list with
    values within the limits. `problem` is a sentence for the author about options that are not allowed, "" for none;
    then `options` is empty and no run is to be started. `is_stop` is whether the comment asks to stop the run.
    """

    request: str = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    is_stop: bool = False


def read_comment(text: str, handle: str, limits: OptionLimits) -> CommentRequest | None:
    """Return what a comment asks of `handle` (without its @), None where it does not mention it.

    A mention counts where GitLab shows it as text: not in code, quotes, HTML comments, links and e-mail addresses, nor
    as a part of a longer name.
    """
    raise NotImplementedError
