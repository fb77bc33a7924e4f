"""AWS, Google Cloud and the Claude API as far as their doors: a proxy plays their hosts, over TLS.

Whoever has `Cloud.variables` in the environment reaches the hosts by their real names, so that what is run needs no
other address than it would have in a job. Each door checks what it is given: the token of the job is exchanged once for
credentials of the cloud, and with those the scripted model answers. What is refused is an error of the same form as the
cloud's own, and stands in `refused`.

AWS: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html.
Google: https://google.aip.dev/auth/4117,
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken.
Claude API: https://platform.claude.com/docs/en/manage-claude/wif-reference.
"""

import base64
import json
import ssl
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

from tests.e2e.model import Model, Request
from tests.network.certificates import private_ca

# With two dots, as a JSON Web Token has them.
ID_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJvZi10aGUtam9iIn0.c2lnbmVkLWJ5LWdpdGxhYg"
ROLE = "arn:aws:iam::123456789012:role/ci/claude-bedrock"
REGION = "eu-central-1"
ACCESS_KEY, SECRET_KEY, SESSION = "ASIAOFTHESTANDIN", "secret-key-of-the-stand-in", "session-token-of-the-stand-in"
CREDENTIALS = {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "SessionToken": SESSION}
PROVIDER = "projects/123456789012/locations/global/workloadIdentityPools/gitlab/providers/acme"
ACCOUNT = "claude@acme-ai.iam.gserviceaccount.com"
PROJECT, LOCATION = "acme-ai", "europe-west1"
FEDERATED, ACCESS = "federated-token-of-the-stand-in", "access-token-of-the-stand-in"
RULE, ORGANIZATION, SERVICE = "fdrl_01OfTheStandIn", "6f1b2c3d-0000-4000-8000-000000000000", "svac_01OfTheStandIn"
CLAUDE_ACCESS = "sk-ant-oat01-access-token-of-the-stand-in"
SECRETS = (ID_TOKEN, SECRET_KEY, SESSION, FEDERATED, ACCESS, CLAUDE_ACCESS)

STS, RUNTIME, BEDROCK = (
    f"sts.{REGION}.amazonaws.com",
    f"bedrock-runtime.{REGION}.amazonaws.com",
    f"bedrock.{REGION}.amazonaws.com",
)
EXCHANGE, IAM, VERTEX = "sts.googleapis.com", "iamcredentials.googleapis.com", f"{LOCATION}-aiplatform.googleapis.com"
CLAUDE = "api.anthropic.com"
STS_SPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
URN = "urn:ietf:params:oauth"
HOSTS = (STS, RUNTIME, BEDROCK, EXCHANGE, IAM, VERTEX, CLAUDE)


@dataclass(frozen=True)
class Asked:
    """A request that came to one of the doors."""

    host: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """A body of a form."""
        return dict(parse_qsl(self.body.decode()))


Answer = tuple[int, str, bytes]


class Refused(Exception):
    """What was asked for is not given."""


@dataclass
class Cloud:
    """The doors, open."""

    model: Model
    address: str = ""
    ca: Path = Path()
    asked: list[Asked] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def variables(self) -> dict[str, str]:
        """What leads to the doors, and to nothing else."""
        return {
            "HTTPS_PROXY": self.address,
            "NO_PROXY": "127.0.0.1",
            "NODE_EXTRA_CA_CERTS": str(self.ca),
            "AWS_CA_BUNDLE": str(self.ca),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }

    def hosts(self) -> list[str]:
        """The hosts in the order in which they were first asked."""
        return list(dict.fromkeys(asked.host for asked in self.asked))

    def answer(self, asked: Asked) -> Answer:
        """What a door says."""
        with self.lock:
            self.asked.append(asked)
        door = {STS: self._role, BEDROCK: self._profiles, RUNTIME: self._bedrock}.get(asked.host)
        door = self._claude if asked.host == CLAUDE else door
        door = door or {EXCHANGE: self._exchange, IAM: self._account, VERTEX: self._vertex}.get(asked.host)
        try:
            if door is None:
                raise Refused("no such host")
            return door(asked)
        except Refused as reason:
            with self.lock:
                self.refused.append(f"{asked.host}{asked.path}: {reason}")
            if asked.host == STS:
                error = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized</Message></Error>"
                return 403, "text/xml", f'<ErrorResponse xmlns="{STS_SPACE}">{error}</ErrorResponse>'.encode()
            return 403, "application/json", json.dumps({"error": "access_denied", "message": str(reason)}).encode()

    def _role(self, asked: Asked) -> Answer:
        given = asked.form
        for name, wanted in (
            ("Action", "AssumeRoleWithWebIdentity"),
            ("RoleArn", ROLE),
            ("WebIdentityToken", ID_TOKEN),
        ):
            require(name, given.get(name), wanted)
        if not given.get("RoleSessionName", "").startswith("gitlab-"):
            raise Refused("RoleSessionName")
        keys = f"<AccessKeyId>{ACCESS_KEY}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>"
        rest = f"<SessionToken>{SESSION}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
        name = "AssumeRoleWithWebIdentity"
        result = f"<{name}Result><Credentials>{keys}{rest}</Credentials></{name}Result>"
        return 200, "text/xml", f'<{name}Response xmlns="{STS_SPACE}">{result}</{name}Response>'.encode()

    def _signed(self, asked: Asked) -> None:
        require("x-amz-security-token", asked.headers.get("x-amz-security-token"), SESSION)
        scope = asked.headers.get("authorization", "").partition("Credential=")[2].split("/")
        require("access key", scope[0], ACCESS_KEY)
        require("region", scope[2:3], [REGION])

    def _profiles(self, asked: Asked) -> Answer:
        self._signed(asked)
        return 200, "application/json", b'{"inferenceProfileSummaries": []}'

    def _bedrock(self, asked: Asked) -> Answer:
        self._signed(asked)
        _, _, model, action = unquote(asked.path).split("/", 3)
        streamed = action == "invoke-with-response-stream"
        kind, body = self._said(asked, model, streamed=streamed)
        return (200, "application/vnd.amazon.eventstream", b"".join(frames(body))) if streamed else (200, kind, body)

    def _exchange(self, asked: Asked) -> Answer:
        given = asked.form
        require("audience", given.get("audience"), f"//iam.googleapis.com/{PROVIDER}")
        require("grant_type", given.get("grant_type"), f"{URN}:grant-type:token-exchange")
        require("subject_token_type", given.get("subject_token_type"), f"{URN}:token-type:jwt")
        require("subject_token", given.get("subject_token"), ID_TOKEN)
        issued = {"issued_token_type": f"{URN}:token-type:access_token", "token_type": "Bearer", "expires_in": 3600}
        return 200, "application/json", json.dumps({"access_token": FEDERATED, **issued}).encode()

    def _account(self, asked: Asked) -> Answer:
        require("path", asked.path, f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken")
        require("Authorization", asked.headers.get("authorization"), f"Bearer {FEDERATED}")
        given = {"accessToken": ACCESS, "expireTime": "2099-01-01T00:00:00Z"}
        return 200, "application/json", json.dumps(given).encode()

    def _vertex(self, asked: Asked) -> Answer:
        require("Authorization", asked.headers.get("authorization"), f"Bearer {ACCESS}")
        before, _, last = unquote(asked.path).rpartition("/")
        require("path", before, f"/v1/projects/{PROJECT}/locations/{LOCATION}/publishers/anthropic/models")
        model, _, action = last.partition(":")
        return 200, *self._said(asked, model, streamed=action == "streamRawPredict")

    def _claude(self, asked: Asked) -> Answer:
        if asked.path == "/v1/oauth/token":
            given = json.loads(asked.body)
            wanted = {
                "grant_type": f"{URN}:grant-type:jwt-bearer",
                "assertion": ID_TOKEN,
                "federation_rule_id": RULE,
                "organization_id": ORGANIZATION,
                "service_account_id": SERVICE,
            }
            for name, value in wanted.items():
                require(name, given.get(name), value)
            issued = {"access_token": CLAUDE_ACCESS, "token_type": "Bearer", "expires_in": 3600}
            return 200, "application/json", json.dumps(issued).encode()
        require("Authorization", asked.headers.get("authorization"), f"Bearer {CLAUDE_ACCESS}")
        kind, body = self.model.take(Request(asked.method, asked.path, asked.headers, json.loads(asked.body or b"{}")))
        return 200, kind, body

    def _said(self, asked: Asked, model: str, *, streamed: bool) -> tuple[str, bytes]:
        """What the scripted model says, which is asked as the Claude API would be."""
        body: dict[str, Any] = {**json.loads(asked.body), "model": model, "stream": streamed}
        return self.model.take(Request("POST", "/v1/messages", asked.headers, body))


def require(name: str, given: object, wanted: object) -> None:
    """Give nothing to who says something else."""
    if given != wanted:
        raise Refused(f"{name} is {given!r}")


def frames(events: bytes) -> Iterator[bytes]:
    """Server-sent events as the event stream of AWS: https://smithy.io/2.0/aws/amazon-eventstream.html."""
    given = ((":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event"))
    text = 7  # the type of a header's value
    headers = b"".join(
        struct.pack(f">B{len(name)}sBH{len(value)}s", len(name), name.encode(), text, len(value), value.encode())
        for name, value in given
    )
    for line in events.splitlines():
        if line.startswith(b"data: "):
            payload = json.dumps({"bytes": base64.b64encode(line.removeprefix(b"data: ")).decode()}).encode()
            prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
            whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
            yield whole + struct.pack(">I", zlib.crc32(whole))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    cloud: ClassVar[Cloud]
    context: ClassVar[ssl.SSLContext]
    host = ""

    def do_CONNECT(self) -> None:
        """Go on over TLS, as the host that was asked for."""
        self.host = self.path.rpartition(":")[0]
        self.close_connection = False  # whatever version of HTTP the tunnel was asked for in
        self.send_response(200)
        self.end_headers()
        self.rfile.close()
        self.wfile.close()
        self.connection = self.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")

    def finish(self) -> None:
        """Close what TLS has made of the connection, which the server does not know."""
        super().finish()
        self.connection.close()

    def answer(self) -> None:
        """Hand the request to its door."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, kind, said = self.cloud.answer(Asked(self.host, self.command, self.path, headers, body))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
        self.wfile.flush()

    do_GET = do_POST = do_HEAD = answer  # noqa: N815  # the names that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as http.server names it
        """Say nothing: all is recorded."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for them

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of who hangs up or does not trust the certificate: what was to arrive is looked for."""


@contextmanager
def cloud(model: Model, hosts: Sequence[str] = HOSTS) -> Iterator[Cloud]:
    """The doors, for as long as it is entered."""
    with tempfile.TemporaryDirectory(prefix="gitlab-mcp-cloud-") as folder:
        Path(folder).chmod(0o755)
        ca, certificate, key = private_ca(Path(folder), hosts)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        opened = Cloud(model, ca=ca)
        handler = type("_CloudHandler", (_Handler,), {"cloud": opened, "context": context})
        with _Server(("127.0.0.1", 0), handler) as server:
            opened.address = f"http://127.0.0.1:{server.server_address[1]}"
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="cloud")
            thread.start()
            try:
                yield opened
            finally:
                server.shutdown()
                thread.join(10)
