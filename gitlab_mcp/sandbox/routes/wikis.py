"""Wiki pages of a project; 403 if its wiki is disabled."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.http.call import Call, Response
from gitlab_mcp.sandbox.http.errors import bad_request, forbidden, not_found
from gitlab_mcp.sandbox.http.routing import route
from gitlab_mcp.sandbox.state.users import DEVELOPER

_ALL = "/projects/:id/wikis"


def _pages(call: Call) -> dict[str, str]:
    if call.project.settings.get("wiki_access_level", "disabled") == "disabled":
        raise forbidden()
    return call.project.wiki


def _entity(slug: str, content: str | None = None) -> dict[str, Any]:
    title = slug.rsplit("/", 1)[-1].replace("-", " ")
    basic = {"format": "markdown", "slug": slug, "title": title, "wiki_page_meta_id": None}
    return basic if content is None else {**basic, "content": content, "encoding": "UTF-8", "front_matter": {}}


@route("GET", _ALL, "with_content:bool")
def list_pages(call: Call) -> Response:
    # GitLab does not paginate this list.
    whole = bool(call.get("with_content"))
    return Response([_entity(slug, text if whole else None) for slug, text in sorted(_pages(call).items())])


@route("GET", f"{_ALL}/:slug", "render_html:bool version")
def get_page(call: Call) -> Any:
    slug, pages = call.path["slug"], _pages(call)
    if slug not in pages:
        raise not_found("Wiki Page")
    return _entity(slug, pages[slug])


@route("POST", _ALL, "title* content* format:enum(markdown|rdoc|asciidoc|org)=markdown")
def create_page(call: Call) -> Any:
    pages = _pages(call)
    call.require(DEVELOPER)
    slug = call.params["title"].strip().replace(" ", "-")
    if slug in pages:
        raise bad_request("Duplicate page: A page with that title already exists")
    pages[slug] = call.params["content"]
    return _entity(slug, pages[slug])
