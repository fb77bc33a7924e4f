"""How the sandbox is reached: over TLS, below a path prefix, with compressed git requests."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gitlab_mcp.sandbox import Sandbox, SandboxError
from tests.sandbox.conftest import Api, clone_url, git
from tests.support.seed import SEED


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certfile, keyfile = tmp_path / "cert.pem", tmp_path / "key.pem"
    certfile.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    keyfile.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return certfile, keyfile


def test_tls_serves_rest_and_git_and_drops_connections(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    with Sandbox(ssl=certificate, fault_injection=True) as sandbox:
        assert sandbox.url.startswith("https://127.0.0.1:")
        assert sandbox.faults is not None
        api = Api(sandbox, "developer")
        with api.session:
            api.session.verify = str(certificate[0])
            assert api.get("/projects/:p")["web_url"].startswith("https://")
            sandbox.faults.drop("GET", "/version")
            with pytest.raises(requests.ConnectionError):
                api.get("/version")
        trust = f"http.sslCAInfo={certificate[0]}"
        git(tmp_path, "-c", trust, "clone", "--quiet", clone_url(sandbox, "developer"), "work")


def test_git_works_below_a_path_prefix(tmp_path: Path) -> None:
    with Sandbox(prefix="gitlab/") as sandbox:
        git(tmp_path, "clone", "--quiet", clone_url(sandbox, "developer"), "work")
        git(tmp_path / "work", "push", "--quiet", "origin", "HEAD:refs/heads/copy")


def test_a_compressed_git_request_is_accepted(sandbox: Sandbox) -> None:
    body = gzip.compress(b"0014command=ls-refs\n0000")
    headers = {
        "content-type": "application/x-git-upload-pack-request",
        "content-encoding": "gzip",
        "git-protocol": "version=2",
    }
    url = f"{sandbox.url}/acme/app.git/git-upload-pack"
    response = requests.post(url, data=body, headers=headers, timeout=10)
    assert b"refs/heads/main" in response.content


@pytest.mark.parametrize("path", ["/", "/acme/app", f"/acme/app/-{SEED.crash_issue.path}", "/_sandbox/none"])
def test_a_path_that_is_neither_api_nor_repository_is_a_404_page(sandbox: Sandbox, path: str) -> None:
    response = requests.get(f"{sandbox.url}{path}", timeout=10)
    assert response.status_code == 404


def test_a_port_in_use_is_a_clear_error(sandbox: Sandbox) -> None:
    port = int(sandbox.url.rsplit(":", 1)[1])
    with pytest.raises(SandboxError, match=f"Port {port} cannot be used"):
        Sandbox(port=port)
