"""Secrets, taken out of whatever leaves the server."""

import re

from gitlab_mcp.settings import SECRET_CHARACTERS

# GitLab's token prefixes: https://docs.gitlab.com/security/tokens/#token-prefixes (an administrator can change that of
# personal access tokens, which is why the run's own token is also known by its value).
TOKENS = re.compile(
    r"\b(?:glpat|gloas|gldt|glrtr?|glcbt|glptt|glft|glimt|glagent|glwt|glsoat|glffct)-[0-9A-Za-z_\-.=]{10,}"
    r"|\bGR1348941[0-9A-Za-z_\-]{10,}|\bwhsec_[0-9A-Za-z+/=]{16,}|(?<=_gitlab_session=)[0-9a-f]{16,}"
    # What other services call their secrets, each by its own documentation.
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_\-]{35}|\bsk-ant-[0-9A-Za-z_\-]{20,}"
    r"|\bgh[opsur]_[0-9A-Za-z]{36,}|\bgithub_pat_[0-9A-Za-z_]{22,}|\bxox[abprs]-[0-9A-Za-z-]{10,}"
    r"|\beyJ[0-9A-Za-z_\-]{10,}\.eyJ[0-9A-Za-z_\-]{10,}\.[0-9A-Za-z_\-]+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)

REPLACEMENT = "[token removed]"


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` without the values in `secrets` and without anything that has the form of a token or a private key."""
    for secret in secrets:
        if len(secret) >= SECRET_CHARACTERS:
            text = text.replace(secret, REPLACEMENT)
    return TOKENS.sub(REPLACEMENT, text)
