"""Where the model's API is and what signs in to it: the providers that Claude Code knows, and their variables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gitlab_mcp.config.environment import SettingsError, variable

PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
# Clients make the host's name of them: with "example.com/" Vertex AI would be https://example.com/-aiplatform...
REGIONS = re.compile(r"AWS_(DEFAULT_)?REGION|ANTHROPIC_SMALL_FAST_MODEL_AWS_REGION|CLOUD_ML_REGION|VERTEX_REGION_\w+")
REGION = re.compile(r"[A-Za-z0-9-]*")


@dataclass(frozen=True)
class Provider:
    """A provider of the model.

    `switch` is the variable that chooses it, "" for the default; `address` names the URL of its API; `variables` match
    the names of what it needs, and `elsewhere` further names that would lead a key to another address.
    """

    switch: str
    address: str
    variables: re.Pattern[str]
    elsewhere: re.Pattern[str]


# https://code.claude.com/docs/en/env-vars
CLAUDE_API = Provider(
    "",
    "ANTHROPIC_BASE_URL",
    re.compile(
        r"ANTHROPIC_(API_KEY|AUTH_TOKEN|IDENTITY_TOKEN_FILE|FEDERATION_RULE_ID|ORGANIZATION_ID|SERVICE_ACCOUNT_ID)"
        r"|ANTHROPIC_WORKSPACE_ID|CLAUDE_CODE_OAUTH_TOKEN"
    ),
    re.compile(r"ANTHROPIC_UNIX_SOCKET"),
)
BEDROCK = Provider(
    "CLAUDE_CODE_USE_BEDROCK",
    "ANTHROPIC_BEDROCK_BASE_URL",
    re.compile(
        r"CLAUDE_CODE_(USE_BEDROCK|SKIP_BEDROCK_AUTH)|ANTHROPIC_SMALL_FAST_MODEL_AWS_REGION"
        r"|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|BEARER_TOKEN_BEDROCK|PROFILE|REGION|DEFAULT_REGION"
        r"|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|CA_BUNDLE"
        r"|CONTAINER_(CREDENTIALS_(RELATIVE|FULL)_URI|AUTHORIZATION_TOKEN(_FILE)?)|STS_REGIONAL_ENDPOINTS)"
    ),
    re.compile(r"AWS_ENDPOINT_URL\w*"),
)
VERTEX = Provider(
    "CLAUDE_CODE_USE_VERTEX",
    "ANTHROPIC_VERTEX_BASE_URL",
    re.compile(
        r"CLAUDE_CODE_(USE_VERTEX|SKIP_VERTEX_AUTH)|ANTHROPIC_VERTEX_PROJECT_ID|CLOUD_ML_REGION|VERTEX_REGION_\w+"
        r"|GOOGLE_(APPLICATION_CREDENTIALS|CLOUD_PROJECT)|GCLOUD_PROJECT|CLOUDSDK_CONFIG"
    ),
    re.compile(r"GCE_METADATA_\w+|CLOUDSDK_API_ENDPOINT_\w+|GOOGLE_CLOUD_UNIVERSE_DOMAIN"),
)


def provider_of(environ: Mapping[str, str]) -> Provider:
    """The provider that the environment chooses; the Claude API unless it names another."""
    chosen = (one for one in (BEDROCK, VERTEX) if variable(environ, one.switch).lower() in ("1", "true", "yes", "on"))
    return next(chosen, CLAUDE_API)


def connection(environ: Mapping[str, str], base_url: str, proxy: str, *, in_ci: bool) -> dict[str, str]:
    """The variables for the address of the model's API and for the proxy before it, by their names.

    In CI they come from flags only: whoever may set a variable could otherwise have the model's key sent to a host of
    their own. Raises SettingsError where a variable of a job names something else than the
    flag, or is a region that cannot be the name of one.
    """
    provider = provider_of(environ)
    if in_ci:
        rules = [(provider.address, base_url, "--base-url", "base_url")]
        rules += [(name, proxy, "--proxy", "proxy") for name in PROXIES]
        rules += [(name, "", "", "") for name in environ if provider.elsewhere.fullmatch(name)]
        for name, allowed, flag, input_name in rules:
            if variable(environ, name).rstrip("/") not in ("", allowed.rstrip("/")):
                other = f"set the flag {flag} (the template's input {input_name}) to the same, or " if flag else ""
                raise SettingsError(
                    f"The variable {name} would change where the model's key is sent, which in CI only a flag may do:"
                    f" {other}remove the variable."
                )
        for name in filter(provider.variables.fullmatch, environ):
            if REGIONS.fullmatch(name) and not REGION.fullmatch(environ[name]):
                raise SettingsError(
                    f"The variable {name} would change where the model's key is sent, because it is not the name of a"
                    " region: write one such as eu-central-1."
                )
    else:
        base_url = base_url or variable(environ, provider.address)
    given = {provider.address: base_url} if base_url else {}
    if proxy:
        return given | dict.fromkeys(PROXIES[:4], proxy)
    return given if in_ci else given | {name: environ[name] for name in PROXIES if environ.get(name)}
