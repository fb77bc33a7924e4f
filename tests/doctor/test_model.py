"""The check of the model's credentials."""

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.doctor import Place, only


@pytest.mark.parametrize(
    ("variables", "status", "told"),
    [
        ({}, "fail", "ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": "${ANTHROPIC_API_KEY}"}, "fail", "ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": "sk-ant-made-up-0"}, "pass", "ANTHROPIC_API_KEY is set"),
        ({"ANTHROPIC_AUTH_TOKEN": "made-up-0"}, "pass", "ANTHROPIC_AUTH_TOKEN is set"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "made-up-0"}, "pass", "CLAUDE_CODE_OAUTH_TOKEN is set"),
        ({"AWS_ROLE_TO_ASSUME": "arn"}, "fail", "CLAUDE_CODE_USE_BEDROCK=1"),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, "fail", "AWS_REGION"),
        ({"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "us-west-2", "AWS_PROFILE": "x"}, "pass", "Bedrock"),
        (
            {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "x", "AWS_ROLE_TO_ASSUME": "arn"},
            "fail",
            "AWS_ROLE_TO_ASSUME is exchanged for",
        ),
        (
            {
                "CLAUDE_CODE_USE_BEDROCK": "1",
                "AWS_REGION": "x",
                "AWS_ROLE_ARN": "arn",
                "AWS_WEB_IDENTITY_TOKEN_FILE": "/not/there",
            },
            "fail",
            "the file that AWS_WEB_IDENTITY_TOKEN_FILE names",
        ),
        ({"GCP_WORKLOAD_IDENTITY_PROVIDER": "x"}, "fail", "CLAUDE_CODE_USE_VERTEX=1"),
        ({"CLAUDE_CODE_USE_VERTEX": "1", "CLOUD_ML_REGION": "x"}, "fail", "ANTHROPIC_VERTEX_PROJECT_ID"),
        (
            {
                "CLAUDE_CODE_USE_VERTEX": "1",
                "CLOUD_ML_REGION": "x",
                "ANTHROPIC_VERTEX_PROJECT_ID": "x",
                "GOOGLE_APPLICATION_CREDENTIALS": __file__,
            },
            "pass",
            "Vertex",
        ),
    ],
)
def test_the_models_credentials_are_looked_for(
    sandbox: Sandbox, place: Place, variables: dict[str, str], status: str, told: str
) -> None:
    found = only(place, place.job(sandbox, **variables), "model")
    assert found[0] == status
    assert told in found[1]


def test_locally_claude_may_be_logged_in(place: Place, nowhere: str) -> None:
    assert only(place, place.local(nowhere), "model")[0] == "skipped"
