"""Secrets, taken out of whatever leaves the server."""

import re

# GitLab's token prefixes: https://docs.gitlab.com/security/tokens/#token-prefixes (an administrator can change that of
# personal access tokens, which is why the run's own token is also known by its value).
GITLAB_TOKEN = re.compile(
    r"\b(?:glpat|gloas|gldt|glrtr?|glcbt|glptt|glft|glimt|glagent|glwt|glsoat|glffct)-[0-9A-Za-z_\-.=]{10,}"
)

# Shorter values are no tokens, and taking them out would take words apart.
SECRET_CHARACTERS = 8

REPLACEMENT = "[token removed]"


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` without the values in `secrets` and without anything that has the form of a GitLab token."""
    for secret in secrets:
        if len(secret) >= SECRET_CHARACTERS:
            text = text.replace(secret, REPLACEMENT)
    return GITLAB_TOKEN.sub(REPLACEMENT, text)
