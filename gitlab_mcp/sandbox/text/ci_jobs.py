"""The jobs of a pipeline, from its configuration as one mapping and its variables.

!reference, extends, default, workflow and rules are resolved as in Gitlab::Ci::Config and YamlProcessor. The order of
jobs is that of their stages: `needs` does not start a job earlier. The keywords only, except, parallel and trigger, and
delayed jobs, are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitlab_mcp.sandbox.text.ci_rules import RuleResult, evaluate
from gitlab_mcp.sandbox.text.ci_variables import expand
from gitlab_mcp.sandbox.text.yaml import Reference, Unreadable

# Gitlab::Ci::Config::Entry::Root and Default.
KEYWORDS = {
    "default", "include", "stages", "types", "variables", "workflow", "image", "services", "cache", "before_script",
    "after_script", "spec",
}  # fmt: skip
_DEFAULTS = (
    "image", "services", "cache", "before_script", "after_script", "artifacts", "retry", "timeout", "interruptible",
    "tags", "id_tokens", "hooks",
)  # fmt: skip
_NOT_READ = {"only", "except", "parallel", "start_in", "trigger"}
_RUNS = {"script", "run", "trigger", "extends"}
_STAGES = ["build", "test", "deploy"]
_DEPTH = 10
FILTERED_BY_WORKFLOW = "Pipeline filtered out by workflow rules."
FILTERED_BY_RULES = (
    "Pipeline will not run for the selected trigger. "
    "The rules configuration prevented any jobs from being added to the pipeline."
)


class FilteredOut(Exception):
    """The rules of the configuration do not want this pipeline; the text is GitLab's."""


@dataclass(frozen=True)
class PlannedJob:
    """A job that a pipeline gets; `definition` has its keywords, with what it inherits."""

    name: str
    stage: str
    when: str
    allow_failure: bool
    resource_group: str
    variables: dict[str, str]
    definition: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What a pipeline consists of."""

    name: str | None
    stages: list[str]
    jobs: list[PlannedJob] = field(default_factory=list)


def visible_jobs(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The jobs of a configuration by name, without those that are hidden."""
    return {
        str(name): job for name, job in configuration.items() if name not in KEYWORDS and not str(name).startswith(".")
    }


def faults(configuration: Mapping[str, Any]) -> list[str]:
    """What is wrong with the jobs of a whole configuration, in GitLab's words."""
    jobs = visible_jobs(configuration)
    if not jobs:
        return ["jobs config should contain at least one visible job"]
    return [
        f"jobs {name} config should implement the script:, run:, or trigger: keyword"
        for name, job in jobs.items()
        if not isinstance(job, Reference) and (not isinstance(job, dict) or not _RUNS & set(job))
    ] + stage_faults(configuration)


def stage_faults(configuration: Mapping[str, Any]) -> list[str]:
    """The jobs whose stage does not exist. Stages that are taken from elsewhere are not checked."""
    stages = configuration.get("stages") or _STAGES
    listed = stages if isinstance(stages, list) else [stages]
    if any(isinstance(stage, Reference) for stage in listed):
        return []
    if not isinstance(stages, list):
        return ["stages config should be an array of strings"]
    available, found = [".pre", *stages, ".post"], []
    for name, job in visible_jobs(configuration).items():
        stage = job.get("stage") if isinstance(job, dict) else None
        if stage is None and (not isinstance(job, dict) or "extends" in job):
            continue
        stage = "test" if stage is None else stage
        if stage not in available and not isinstance(stage, Reference):
            names = ", ".join(map(str, available))
            found.append(f"{name} job: chosen stage {stage} does not exist; available stages are {names}")
    return found


def plan(configuration: Mapping[str, Any], given: Mapping[str, str], predefined: Mapping[str, str]) -> Plan:
    """The jobs of a pipeline with the variables that were `given` to it and those that GitLab predefines.

    Raises FilteredOut if there are none, and Unreadable for a keyword that is not read here.
    """
    whole = _dereferenced(configuration, configuration)
    own = _variables(whole.get("variables"))
    workflow = whole.get("workflow") or {}
    everything = {**predefined, **own, **given}
    result = RuleResult("always")
    if workflow.get("rules") is not None:
        result = evaluate(workflow["rules"], everything, "always")
        if result.when == "never":
            raise FilteredOut(FILTERED_BY_WORKFLOW)
    own |= dict(result.variables)
    everything = {**predefined, **own, **given}
    name = expand(str(workflow["name"]), everything)[:255] if workflow.get("name") else None
    stages = [str(stage) for stage in whole.get("stages") or _STAGES]
    jobs = []
    for title in whole:
        if title not in KEYWORDS and not str(title).startswith(".") and isinstance(whole[title], dict):
            planned = _planned(str(title), whole, own, given, predefined)
            jobs += [planned] if planned else []
    order = [".pre", *stages, ".post"]
    jobs.sort(key=lambda job: order.index(job.stage))
    if all(job.stage in (".pre", ".post") for job in jobs):
        raise FilteredOut(FILTERED_BY_RULES)
    return Plan(name, order, jobs)


def _planned(
    name: str, whole: dict[str, Any], own: Mapping[str, str], given: Mapping[str, str], predefined: Mapping[str, str]
) -> PlannedJob | None:
    """The job, or None if its rules leave it out."""
    definition = _extended(name, whole, 0)
    if unread := _NOT_READ & set(definition):
        raise Unreadable(f"the keyword {min(unread)} of the job {name} is not read")
    defaults = {key: whole[key] for key in _DEFAULTS if key in whole} | (whole.get("default") or {})
    definition = {**{key: value for key, value in defaults.items() if key in _DEFAULTS}, **definition}
    inner = _variables(definition.get("variables"))
    variables = {**predefined, **own, **inner, **given}
    result = RuleResult(str(definition.get("when", "on_success")))
    if definition.get("rules") is not None:
        result = evaluate(definition["rules"], variables, str(definition.get("when", "on_success")))
    if result.when == "delayed":
        raise Unreadable("delayed jobs are not read")
    if result.when == "never":
        return None
    allowed = definition.get("allow_failure") if result.allow_failure is None else result.allow_failure
    if allowed is None:
        # Ci::Build#allow_failure: a manual job that no rule made manual blocks nothing.
        allowed = definition.get("rules") is None and result.when == "manual"
    inner |= dict(result.variables)
    group = expand(str(definition.get("resource_group") or ""), {**variables, **inner, **given})
    stage = str(definition.get("stage") or "test")
    return PlannedJob(name, stage, result.when, bool(allowed), group, {**own, **inner}, definition)


def _variables(raw: Any) -> dict[str, str]:
    """Variables of the configuration, each a value or a mapping with one."""
    values = {}
    for name, value in (raw or {}).items():
        plain = value.get("value", "") if isinstance(value, dict) else value
        values[str(name)] = str(plain).lower() if isinstance(plain, bool) else "" if plain is None else str(plain)
    return values


def _extended(name: str, whole: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """A job with what it extends (Gitlab::Ci::Config::Extendable); mappings merge, everything else is replaced."""
    job = whole.get(name)
    if not isinstance(job, dict) or depth > _DEPTH:
        raise Unreadable(f"{name} cannot be extended")
    parents = job.get("extends") or []
    merged: dict[str, Any] = {}
    for parent in parents if isinstance(parents, list) else [parents]:
        merged = deep_merge(merged, _extended(str(parent), whole, depth + 1))
    return {key: value for key, value in deep_merge(merged, job).items() if key != "extends"}


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings as one: where both have a mapping, it is merged too, else `over` has precedence."""
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        merged[key] = deep_merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _dereferenced(value: Any, whole: Mapping[str, Any], depth: int = 0) -> Any:
    """The value with what its !reference tags name; a list in a list is flattened, as GitLab does for scripts."""
    if depth > _DEPTH:
        raise Unreadable("!reference is nested too deeply")
    if isinstance(value, Reference):
        found: Any = whole
        for part in value.path:
            found = found.get(part) if isinstance(found, dict) else None
        if found is None:
            raise Unreadable(f"!reference {list(value.path)} names nothing")
        return _dereferenced(found, whole, depth + 1)
    if isinstance(value, dict):
        return {key: _dereferenced(inner, whole, depth) for key, inner in value.items()}
    if isinstance(value, list):
        items: list[Any] = []
        for item in value:
            resolved = _dereferenced(item, whole, depth)
            items += resolved if isinstance(item, Reference | list) and isinstance(resolved, list) else [resolved]
        return items
    return value
