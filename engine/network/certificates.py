"""The certificate authority of an environment, by which the gateway ends TLS (SPEC N4).

Its key stays on this machine; only its certificate is given to the containers of that environment.
"""

from __future__ import annotations

import os
import ssl
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engine.errors import NetworkError
from engine.network.hosts import is_address
from engine.state import locked, state_dir, write_atomic

_FILE = "authority.pem"
_CA_DAYS = 3650
_LEAF_DAYS = 30
# Clocks of containers and clients may lag behind.
_BACKDATED = timedelta(days=1)
_CONTEXTS = 256
_NAME_LENGTH = 64


class Authority:
    """A certificate authority, and the certificates it made for the hosts asked for; belongs to one event loop.

    Attributes:
        certificate: its certificate in PEM, which a container has to trust.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)
        self._key = key
        self._issuer = certificate
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    def server_context(self, host: str) -> ssl.SSLContext:
        """What a server for the canonical `host` speaks TLS with: HTTP/1.1 only."""
        context = self._contexts.get(host)
        if context is None:
            context = self._contexts[host] = self._context(self.leaf(host))
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        return context

    def leaf(self, host: str) -> bytes:
        """Key and certificate of a server for `host`, in PEM."""
        name = x509.IPAddress(ip_address(host)) if is_address(host) else x509.DNSName(host)
        key = self._leaf_key.public_key()
        usage = _usage(digital_signature=True)
        builder = (
            _builder(_name(host), self._issuer.subject, key, _LEAF_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([name]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        return _key_pem(self._leaf_key) + certificate.public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def _context(pem: bytes) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        # The ssl module takes files only; this one is never on a disk.
        descriptor = os.memfd_create("certificate")
        try:
            os.write(descriptor, pem)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return context


def environment_authority(environment_id: str) -> Authority:
    """The authority of one environment, made on first use; nobody else's containers trust it.

    Raises:
        NetworkError: its file is damaged.
    """
    return load_authority(state_dir() / "ca" / environment_id)


def load_authority(folder: Path) -> Authority:
    """The authority kept in `folder`, made there on first use (0600, key and certificate in one file).

    Raises:
        NetworkError: its file is damaged, or it cannot be read or written.
    """
    path = folder / _FILE
    try:
        if not path.exists():
            with locked(folder / "lock"):
                if not path.exists():
                    write_atomic(path, _new_authority(folder.name))
        return _read(path)
    except OSError as fault:
        raise NetworkError(f"cannot keep the certificate authority in {folder}: {fault.strerror}") from None


def bundle(ca: bytes, base: bytes) -> bytes:
    """The certificates of `base` (PEM, as an image has them) and `ca` after them."""
    return ca if not base.strip() else base.rstrip() + b"\n" + ca


def _read(path: Path) -> Authority:
    data = path.read_bytes()
    try:
        key = serialization.load_pem_private_key(data, password=None)
        certificate = x509.load_pem_x509_certificate(data)
    except ValueError:
        raise _damaged(path) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise _damaged(path)
    return Authority(key, certificate)


def _damaged(path: Path) -> NetworkError:
    return NetworkError(f"{path} is damaged", "remove it; another authority is made for the next task")


def _new_authority(label: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"fumehood {label}")
    usage = _usage(key_cert_sign=True)
    builder = (
        _builder(name, name, key.public_key(), _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    certificate = builder.sign(key, hashes.SHA256())
    return _key_pem(key) + certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:_NAME_LENGTH])])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
