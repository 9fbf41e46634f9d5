"""The certificate authority of an environment, and what it signs."""

from __future__ import annotations

import shutil
import ssl
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509

from engine.errors import NetworkError
from engine.network.certificates import bundle, environment_authority, load_authority
from engine.network.variables import ca_variables
from engine.state import state_dir


def test_it_is_made_once_and_kept_for_this_user_alone() -> None:
    first = environment_authority("web-0123")
    file = state_dir() / "ca" / "web-0123" / "authority.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert environment_authority("web-0123").certificate == first.certificate
    assert environment_authority("other").certificate != first.certificate
    assert b"PRIVATE" not in first.certificate


def test_many_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: load_authority(tmp_path / "ca").certificate, range(8)))
    assert len(set(made)) == 1


@pytest.mark.parametrize("content", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"])
def test_a_damaged_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "authority.pem").write_bytes(content)
    with pytest.raises(NetworkError, match="damaged"):
        load_authority(tmp_path)


def test_a_key_of_another_authority_is_an_error(tmp_path: Path) -> None:
    parts = []
    for name in ("a", "b"):
        load_authority(tmp_path / name)
        parts.append((tmp_path / name / "authority.pem").read_bytes().partition(b"-----BEGIN CERTIFICATE"))
    (tmp_path / "a" / "authority.pem").write_bytes(parts[0][0] + parts[1][1] + parts[1][2])
    with pytest.raises(NetworkError, match="damaged"):
        load_authority(tmp_path / "a")


@pytest.mark.parametrize("host", ["x.org", "192.0.2.7", "2001:db8::7", "a_b.x.org", f"{'a' * 63}.{'b' * 63}.org"])
def test_certificates_of_hosts_pass_strict_verification(tmp_path: Path, host: str) -> None:
    authority = load_authority(tmp_path / "ca")
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    (tmp_path / "leaf.pem").write_bytes(authority.leaf(host))
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    name = ["-verify_ip", host] if ":" in host or host[0].isdigit() else ["-verify_hostname", host]
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", *name, "leaf.pem"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_host_has_one_context_and_its_certificate_is_no_authority(tmp_path: Path) -> None:
    authority = load_authority(tmp_path)
    assert authority.server_context("x.org") is authority.server_context("x.org")
    leaf = x509.load_pem_x509_certificate(authority.leaf("x.org"))
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days < 398


def test_a_bundle_holds_both(tmp_path: Path) -> None:
    base, ca = load_authority(tmp_path / "base").certificate, load_authority(tmp_path / "ca").certificate
    assert bundle(ca, b"") == ca
    context = ssl.create_default_context(cadata=bundle(ca, base.rstrip()).decode())
    assert len(context.get_ca_certs()) == 2


def test_the_variables_point_to_the_bundle() -> None:
    variables = ca_variables("/run/ca.pem")
    assert set(variables.values()) == {"/run/ca.pem"}
    assert {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "PIP_CERT"} <= set(
        variables
    )
