"""Fault injection over HTTP, for tests in another process: /_sandbox/faults, requests, quick_actions and mentions.

POST /_sandbox/failed_pipelines with {"project", "branch"} adds a failed pipeline to a branch.
"""

from __future__ import annotations

import json
import re
from typing import Any

from gitlab_mcp.sandbox.faults.injector import FaultInjector
from gitlab_mcp.sandbox.http.dispatch import EncodedResponse
from gitlab_mcp.sandbox.seed import failed_pipeline
from gitlab_mcp.sandbox.state.world import World


def respond(world: World, injector: FaultInjector, method: str, path: str, body: bytes) -> EncodedResponse:
    """The response to a request for `path`, which follows /_sandbox/."""
    match method, path:
        case "POST", "faults":
            try:
                arguments = json.loads(body)
                kind = arguments.pop("kind")
                if kind not in ("fail", "delay", "drop", "cut", "rate_limit", "limit_rate", "merge_status"):
                    raise ValueError(f"unknown kind {kind!r}")
                getattr(injector, kind)(**arguments)
            except (ValueError, TypeError, KeyError, AttributeError, re.error) as error:
                return _json(400, {"message": f"{type(error).__name__}: {error}"})
            return _json(201, {"kind": kind})
        case "DELETE", "faults":
            injector.clear_faults()
            return EncodedResponse(204, {}, b"")
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
            return EncodedResponse(204, {}, b"")
    return _json(404, {"message": f"{method} /_sandbox/{path} is not a route of fault injection"})


def _fail_pipeline(world: World, body: bytes) -> EncodedResponse:
    try:
        arguments = json.loads(body)
        project = world.project_by_path(arguments["project"])
        if project is None or project.repository.branch(arguments["branch"]) is None:
            raise ValueError("the project or branch does not exist")
    except (ValueError, TypeError, KeyError) as error:
        return _json(400, {"message": f"{type(error).__name__}: {error}"})
    with project.lock:
        pipeline = failed_pipeline.create(world, project, arguments["branch"])
    return _json(201, {"id": pipeline.id, "jobs": {job.name: job.id for job in pipeline.jobs}})


def _json(status: int, value: Any) -> EncodedResponse:
    return EncodedResponse(status, {"content-type": "application/json"}, json.dumps(value).encode())
