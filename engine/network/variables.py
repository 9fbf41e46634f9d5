"""The environment variables that send the programs of a container through the relay (SPEC N7)."""

from __future__ import annotations

from pathlib import Path

from engine.network.relay import RELAY_HOST, RELAY_PORT

FETCH_SCRIPT = Path(__file__).with_name("fetch.cjs")
"""On this machine: what teaches the `fetch` of older Nodes to use a proxy; for `proxy_variables`."""

_CERTIFICATE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "npm_config_cafile",
    "NPM_CONFIG_CAFILE",
    "YARN_HTTPS_CA_FILE_PATH",
    "BUNDLE_SSL_CA_CERT",
    "DENO_CERT",
    "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "HTTPLIB2_CA_CERTS",
    "PERL_LWP_SSL_CA_FILE",
    "NIX_SSL_CERT_FILE",
    "CODEX_CA_CERTIFICATE",
    "CODEX_PROXY_CERT",
)
_JAVA_PROPERTIES = " ".join(
    f"-D{scheme}.proxyHost={RELAY_HOST} -D{scheme}.proxyPort={RELAY_PORT}" for scheme in ("http", "https")
)


def proxy_variables(fetch_script: str, node_options: str = "") -> dict[str, str]:
    """Proxy variables for every program of a container, without those for certificates.

    Args:
        fetch_script: where `FETCH_SCRIPT` is in the container.
        node_options: the value that `NODE_OPTIONS` has there already.

    - `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` in both cases, as programs differ (curl and apt read only
      `http_proxy`); `ALL_PROXY` for schemes without a variable of their own.
    - npm and Yarn have variables of their own that win over configuration files of the image or the repository.
    - Electron's downloader and Node ignore all of these unless they are told. From Node 24 on (22.21 of the line
      before) `NODE_USE_ENV_PROXY` is enough; older ones, such as Debian's, cannot be told and load a script instead,
      for their `fetch`. Their modules `http` and `https` stay without a proxy, as everywhere.
    - Java programs read none of them. Gradle and Maven take system properties from `GRADLE_OPTS` and `MAVEN_OPTS`,
      Maven from 3.9 on only when its HTTP transport is told so (two names, for resolver 1 and 2).
      `JAVA_TOOL_OPTIONS` would reach every Java program, but makes each print a line to standard error, which
      breaks tests that compare it.
    """
    proxy = f"http://{RELAY_HOST}:{RELAY_PORT}"
    local = "localhost,127.0.0.1,::1"
    upper = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "ALL_PROXY": proxy, "NO_PROXY": local}
    return {
        **upper,
        **{name.lower(): value for name, value in upper.items()},
        "npm_config_proxy": proxy,
        "npm_config_https_proxy": proxy,
        "npm_config_noproxy": local,
        "YARN_HTTP_PROXY": proxy,
        "YARN_HTTPS_PROXY": proxy,
        "ELECTRON_GET_USE_PROXY": "true",
        "NODE_USE_ENV_PROXY": "1",
        "NODE_OPTIONS": f"--require={fetch_script} {node_options}".rstrip(),
        "GRADLE_OPTS": _JAVA_PROPERTIES,
        "MAVEN_OPTS": (
            "-Daether.connector.http.useSystemProperties=true -Daether.transport.apache.useSystemProperties=true "
            f"{_JAVA_PROPERTIES}"
        ),
    }


def ca_variables(path: str) -> dict[str, str]:
    """Certificate variables for every program of a container whose TLS is inspected (SPEC N7).

    Most of them replace the authorities a program has, so the file has to hold those too. Programs that read the
    system's own bundle (apt, GnuTLS, Go) are reached when it is that file; Java, which has a key store, is not.

    Args:
        path: a PEM bundle in the container, of the usual authorities and that of the environment.
    """
    return dict.fromkeys(_CERTIFICATE_VARIABLES, path)
