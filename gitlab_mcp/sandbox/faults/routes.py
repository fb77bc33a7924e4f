"""Fault injection over HTTP, for tests in another process: /_sandbox/faults, requests, quick_actions and mentions.

POST /_sandbox/failed_pipelines with {"project", "branch"} gives a branch a pipeline that failed.
"""

from __future__ import annotations

import json
import re
from typing import Any

from gitlab_mcp.sandbox.faults.injector import FaultInjector
from gitlab_mcp.sandbox.http.dispatch import Answer
from gitlab_mcp.sandbox.seed import failed_pipeline
from gitlab_mcp.sandbox.state.world import World


def answer(world: World, injector: FaultInjector, method: str, path: str, body: bytes) -> Answer:
    """Answer a call of a path after /_sandbox/."""
    match method, path:
        case "POST", "faults":
            try:
                given = json.loads(body)
                kind = given.pop("kind")
                if kind not in ("fail", "delay", "drop", "cut", "rate_limit"):
                    raise ValueError(f"unknown kind {kind!r}")
                getattr(injector, kind)(**given)
            except (ValueError, TypeError, KeyError, AttributeError, re.error) as error:
                return _json(400, {"message": f"{type(error).__name__}: {error}"})
            return _json(201, {"kind": kind})
        case "DELETE", "faults":
            injector.clear_faults()
            return Answer(204, {}, b"")
        case "POST", "failed_pipelines":
            return _fail_pipeline(world, body)
        case "GET", "requests":
            return _json(200, injector.requests())
        case "GET", "quick_actions":
            return _json(200, list(world.executed_quick_actions))
        case "GET", "mentions":
            return _json(200, list(world.mentions))
        case "DELETE", "requests":
            injector.clear_requests()
            return Answer(204, {}, b"")
    return _json(404, {"message": f"{method} /_sandbox/{path} is no part of fault injection"})


def _fail_pipeline(world: World, body: bytes) -> Answer:
    try:
        given = json.loads(body)
        project = world.project_by_path(given["project"])
        if project is None or project.repository.branch(given["branch"]) is None:
            raise ValueError("there is no such branch")
    except (ValueError, TypeError, KeyError) as error:
        return _json(400, {"message": f"{type(error).__name__}: {error}"})
    with project.lock:
        made = failed_pipeline.plant(world, project, given["branch"])
    return _json(201, {"id": made.id, "jobs": {job.name: job.id for job in made.jobs}})


def _json(status: int, value: Any) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(value).encode())
