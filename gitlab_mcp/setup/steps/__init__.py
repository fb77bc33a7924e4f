"""The steps of a setup, a module for each, and their order."""

from collections.abc import Sequence

from gitlab_mcp.setup.options import API_KEY, SetupOptions
from gitlab_mcp.setup.origin import Origin, WheelInRegistry
from gitlab_mcp.setup.state import SetupState
from gitlab_mcp.setup.step import SetupStep
from gitlab_mcp.setup.steps.access_token import AccessTokenStep
from gitlab_mcp.setup.steps.allow_list import AllowListStep
from gitlab_mcp.setup.steps.listener_config import ListenerConfigStep
from gitlab_mcp.setup.steps.merge_request import MergeRequestStep
from gitlab_mcp.setup.steps.package import PackageStep
from gitlab_mcp.setup.steps.push_switch import PushSwitchStep
from gitlab_mcp.setup.steps.trigger_token import TriggerTokenStep
from gitlab_mcp.setup.steps.variables import VARIABLE_STEP, VariableStep
from gitlab_mcp.setup.steps.webhook import WebhookStep


def steps_of(options: SetupOptions, origin: Origin) -> Sequence[SetupStep]:
    """The steps that these options ask for, in the order in which they are applied."""
    names = [*([API_KEY] if options.provider == "api-key" else []), *options.variables]
    steps: list[SetupStep] = [VariableStep(name) for name in dict.fromkeys(names)]
    if options.push:
        steps.append(PushSwitchStep())
    if options.access_token:
        steps.append(AccessTokenStep())
    if not options.image:
        steps.append(AllowListStep(origin) if isinstance(origin, WheelInRegistry) else PackageStep())
    if options.listener_url:
        steps += [TriggerTokenStep(), WebhookStep(), ListenerConfigStep()]
    steps.append(MergeRequestStep())
    return steps


def steps_to_undo(options: SetupOptions, state: SetupState) -> Sequence[SetupStep]:
    """Every step that an earlier setup may have applied, whatever its options were."""
    ids = [VariableStep(API_KEY).id, *(VariableStep(name).id for name in options.variables), *state.steps]
    names = [step.removeprefix(VARIABLE_STEP) for step in ids if step.startswith(VARIABLE_STEP)]
    server = str(state.record(AllowListStep.id).get("server", ""))
    return [
        *(VariableStep(name) for name in dict.fromkeys(names)),
        PushSwitchStep(),
        AccessTokenStep(),
        PackageStep(),
        *([AllowListStep(WheelInRegistry(server, "", ""))] if server else []),
        TriggerTokenStep(),
        WebhookStep(),
        ListenerConfigStep(),
        MergeRequestStep(),
    ]
