"""Whether a delivery comes from GitLab: its signature by the signing token of the hook, else its secret token."""

import hmac
from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError


class NotAuthentic(Exception):
    """A delivery whose sender is not known to be GitLab; the text says why, without any secret."""


def is_signed(headers: Mapping[str, str]) -> bool:
    """Whether a delivery carries a signature; names of headers are in lower case."""
    return "webhook-signature" in headers


def has_signature_of(signing_token: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether the signature of a delivery was made with a signing token, within five minutes of now.

    https://docs.gitlab.com/user/project/integrations/webhooks/#signing-tokens: Standard Webhooks over the raw body. A
    delivery that is played again within the five minutes names the same mention, which has its row in the store.
    """
    try:
        Webhook(signing_token).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # a ValueError: the header has no comma, or the body is not UTF-8
        return False
    return True


def has_secret_token(secret_token: str, headers: Mapping[str, str]) -> bool:
    """Whether X-Gitlab-Token is a secret token; compared in constant time."""
    return hmac.compare_digest(headers.get("x-gitlab-token", "").encode(), secret_token.encode())
