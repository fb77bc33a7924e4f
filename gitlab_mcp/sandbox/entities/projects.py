"""Projects, their labels and milestones."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from gitlab_mcp.sandbox.entities.users import day, stamp
from gitlab_mcp.sandbox.state import permissions
from gitlab_mcp.sandbox.state.model import Label, Milestone, Project
from gitlab_mcp.sandbox.state.users import MAINTAINER, OWNER, User
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text import colors

# The defaults of a new project on GitLab, for settings that the sandbox does not model.
_SETTINGS: dict[str, Any] = {
    "packages_enabled": True,
    "resolve_outdated_diff_discussions": False,
    "repository_object_format": "sha1",
    "issues_enabled": True,
    "merge_requests_enabled": True,
    "wiki_enabled": False,
    "jobs_enabled": True,
    "snippets_enabled": False,
    "container_registry_enabled": False,
    "service_desk_enabled": False,
    "issues_access_level": "enabled",
    "repository_access_level": "enabled",
    "merge_requests_access_level": "enabled",
    "forking_access_level": "enabled",
    "wiki_access_level": "disabled",
    "builds_access_level": "enabled",
    "snippets_access_level": "disabled",
    "pages_access_level": "disabled",
    "analytics_access_level": "enabled",
    "container_registry_access_level": "disabled",
    "security_and_compliance_access_level": "private",
    "releases_access_level": "enabled",
    "environments_access_level": "enabled",
    "feature_flags_access_level": "enabled",
    "infrastructure_access_level": "enabled",
    "monitor_access_level": "enabled",
    "model_experiments_access_level": "enabled",
    "model_registry_access_level": "enabled",
    "package_registry_access_level": "enabled",
    "emails_disabled": False,
    "emails_enabled": True,
    "show_diff_preview_in_email": True,
    "shared_runners_enabled": True,
    "lfs_enabled": False,
    "import_status": "none",
    "ci_job_token_scope_enabled": False,
    "ci_separated_caches": True,
    "ci_allow_fork_pipelines_to_run_in_parent_project": True,
    "ci_id_token_sub_claim_components": ["project_path", "ref_type", "ref"],
    "build_git_strategy": "fetch",
    "keep_latest_artifact": True,
    "restrict_user_defined_variables": True,
    "ci_pipeline_variables_minimum_override_role": "no_one_allowed",
    "group_runners_enabled": True,
    "public_jobs": True,
    "shared_with_groups": [],
    "only_allow_merge_if_pipeline_succeeds": False,
    "allow_merge_on_skipped_pipeline": None,
    "request_access_enabled": True,
    "only_allow_merge_if_all_discussions_are_resolved": False,
    "remove_source_branch_after_merge": True,
    "printing_merge_request_link_enabled": True,
    "merge_method": "merge",
    "squash_option": "default_off",
    "enforce_auth_checks_on_uploads": True,
    "suggestion_commit_message": None,
    "merge_commit_template": None,
    "squash_commit_template": None,
    "issue_branch_template": None,
    "warn_about_potentially_unwanted_characters": True,
    "autoclose_referenced_issues": True,
}
_ADMIN_SETTINGS: dict[str, Any] = {
    "ci_default_git_depth": 20,
    "ci_forward_deployment_enabled": True,
    "ci_forward_deployment_rollback_allowed": True,
    "ci_push_repository_for_job_token_allowed": False,
    "resource_group_default_process_mode": "unordered",
    "auto_cancel_pending_pipelines": "enabled",
    "build_timeout": 3600,
    "auto_devops_enabled": False,
    "auto_devops_deploy_strategy": "continuous",
    "protect_merge_request_pipelines": True,
    "ci_display_pipeline_variables": False,
    "ci_config_path": "",
    "import_url": None,
    "import_type": None,
    "import_error": None,
}
EDITABLE = {**_SETTINGS, **_ADMIN_SETTINGS}


def web_url(world: World, project: Project) -> str:
    """The web URL of a project."""
    return f"{world.url}/{project.full_path}"


def project_basic(world: World, project: Project, user: User | None) -> dict[str, Any]:
    """BasicProjectDetails, for lists and simple=true."""
    url = web_url(world, project)
    code = permissions.may_read_code(user, project)
    files = project.repository.branches() if code else {}
    # For an empty repository GitLab sends the branch that will become its default.
    branch = project.repository.default_branch
    readme = f"{url}/-/blob/{quote(branch)}/README.md" if files else None
    return {
        "id": project.id,
        "description": project.description,
        "name": project.name,
        "name_with_namespace": f"{project.group.title()} / {project.name}",
        "path": project.path,
        "path_with_namespace": project.full_path,
        "created_at": stamp(project.created_at),
        **({"default_branch": branch} if code else {}),
        "tag_list": [],
        "topics": [],
        "ssh_url_to_repo": f"git@{urlsplit(world.url).hostname}:{project.full_path}.git",
        "http_url_to_repo": f"{url}.git",
        "web_url": url,
        **({"readme_url": readme, "forks_count": 0} if code else {}),
        "avatar_url": None,
        "star_count": 0,
        "last_activity_at": stamp(last_activity(project)),
        "visibility": project.visibility,
        "namespace": namespace_basic(world, project.group, project.group_id),
    }


def namespace_basic(world: World, group: str, number: int) -> dict[str, Any]:
    """NamespaceBasic, of a group."""
    return {
        "id": number,
        "name": group.title(),
        "path": group,
        "kind": "group",
        "full_path": group,
        "parent_id": None,
        "avatar_url": None,
        "web_url": f"{world.url}/groups/{group}",
    }


def last_activity(project: Project) -> datetime:
    """The time of the last update in a project."""
    times = [issue.updated_at for issue in list(project.issues.values())]
    times += [merge_request.updated_at for merge_request in list(project.merge_requests.values())]
    return max([project.created_at, *times])


def project_full(world: World, project: Project, user: User | None) -> dict[str, Any]:
    """Projects::WithAccessAndCatalogSetting, for GET /projects/:id."""
    api = f"{world.url}/api/v4/projects/{project.id}"
    level = permissions.role(user, project)
    links = ("issues", "merge_requests", "repo_branches", "labels", "events", "members", "cluster_agents")
    settings = {name: project.settings.get(name, value) for name, value in _SETTINGS.items()}
    if level >= MAINTAINER:
        settings |= {name: project.settings.get(name, value) for name, value in _ADMIN_SETTINGS.items()}
    return {
        **project_basic(world, project, user),
        "container_registry_image_prefix": f"{urlsplit(world.url).hostname}:5050/{project.full_path}",
        "_links": {"self": api, **{name: f"{api}/{name.replace('repo_', 'repository/')}" for name in links}},
        "marked_for_deletion_at": None,
        "marked_for_deletion_on": None,
        "empty_repo": project.repository.is_empty(),
        "archived": project.archived,
        "can_create_merge_request_in": user is not None and permissions.may_read_code(user, project),
        "creator_id": project.creator.id,
        "open_issues_count": sum(1 for issue in list(project.issues.values()) if issue.state == "opened"),
        "description_html": f"<p>{project.description}</p>" if project.description else "",
        "updated_at": stamp(last_activity(project)),
        **settings,
        "permissions": {
            "project_access": {"access_level": level, "notification_level": 3} if level else None,
            "group_access": {"access_level": OWNER, "notification_level": 3} if user is project.creator else None,
        },
    }


def label_basic(label: Label) -> dict[str, Any]:
    """LabelBasic."""
    return {
        "id": label.id,
        "name": label.name,
        "description": label.description,
        "description_html": label.description or "",
        "text_color": colors.text_color(label.color),
        "color": label.color,
        "archived": False,
    }


def label(project: Project, label: Label, *, counts: bool = False) -> dict[str, Any]:
    """ProjectLabel."""
    entity: dict[str, Any] = {
        **label_basic(label),
        "subscribed": False,
        "priority": None,
        "is_project_label": True,
    }
    if counts:
        issues = [issue for issue in list(project.issues.values()) if label in issue.labels]
        requests = [found for found in list(project.merge_requests.values()) if label in found.labels]
        entity["open_issues_count"] = sum(1 for issue in issues if issue.state == "opened")
        entity["closed_issues_count"] = sum(1 for issue in issues if issue.state == "closed")
        entity["open_merge_requests_count"] = sum(1 for found in requests if found.state == "opened")
    return entity


def milestone(world: World, project: Project, milestone: Milestone | None) -> dict[str, Any] | None:
    """Milestone, or null."""
    if milestone is None:
        return None
    return {
        "id": milestone.id,
        "iid": milestone.iid,
        "project_id": project.id,
        "title": milestone.title,
        "description": milestone.description,
        "state": milestone.state,
        "created_at": stamp(milestone.created_at),
        "updated_at": stamp(milestone.updated_at),
        "due_date": day(milestone.due_date),
        "start_date": day(milestone.start_date),
        "expired": milestone.due_date is not None and milestone.due_date < world.now().date(),
        "web_url": f"{web_url(world, project)}/-/milestones/{milestone.iid}",
    }
