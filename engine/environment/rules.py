"""What the keys of an environment file may not say together, and what deserves a warning."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.environment import repository_url
from engine.environment.model import FOLDER_NAME, Environment, is_users_own
from engine.environment.problem import KeyPath, Report

_NEEDS_INSPECTION = "needs TLS inspection: without it the gateway cannot see requests over HTTPS"
_PROXY = "fumehood sets the proxy and its certificates; other values can cut every phase off from the network"
_LOADER = "loads code into every program that starts"
_SHELL = "changes how every shell behaves"
_RISKY = {
    **dict.fromkeys(
        ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "PYTHONSTARTUP", "NODE_OPTIONS", "PERL5OPT"), _LOADER
    ),
    **dict.fromkeys(("BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PROMPT_COMMAND", "PS4", "IFS"), _SHELL),
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "PIP_CERT"), _PROXY),
    "PATH": "replaces the whole search path; append to it in ~/.bashrc from the setup script instead",
    "HOME": "moves ~/.bashrc, which carries settings from setup to the agent",
}


def apply(environment: Environment, raw: Mapping[str, Any], report: Report) -> Environment:
    """Check the rules that span keys, and make a local repository path absolute."""
    _image(environment, raw, report)
    _agent(environment, raw, report)
    _variables(environment, report)
    _inspection(environment, raw, report)
    return _with_repository(environment, raw, report)


def _written(raw: Mapping[str, Any], section: str, key: str) -> bool:
    """Whether the file has the key at all, be its value good or bad."""
    table = raw.get(section)
    return isinstance(table, dict) and key in table


def _image(environment: Environment, raw: Mapping[str, Any], report: Report) -> None:
    image = environment.image
    if image.build and _written(raw, "image", "name"):
        report.add(("image", "build"), "excludes image.name", "keep one of the two")
    _inside(environment, image.build, ("image", "build"), report)


def _agent(environment: Environment, raw: Mapping[str, Any], report: Report) -> None:
    agent = environment.agent
    if agent.use == "replay" and not _written(raw, "agent", "plan"):
        report.add(("agent", "use"), "replay needs a plan", 'add plan = "replay.json" to [agent]')
    _inside(environment, agent.plan, ("agent", "plan"), report)


def _inside(environment: Environment, relative: str, key: KeyPath, report: Report) -> None:
    """Refuse a file outside the repository of the environment file (SECURITY-CASES G10)."""
    folder = environment.directory
    root = folder.parent if folder.name == FOLDER_NAME else folder
    path = os.path.normpath(folder / relative)
    if os.path.commonpath((root, path)) != str(root):
        report.add(key, "lies outside the folder of the environment file", "name a file beside it or below")


def _variables(environment: Environment, report: Report) -> None:
    for section, names in (("variables", environment.variables), ("secrets", environment.secrets)):
        for name in names:
            reason = _RISKY.get(name) or _RISKY.get(name.upper() if name.lower().endswith("_proxy") else "")
            if reason:
                report.add((section, name), reason, "keep it only if that is meant", severity="warning")
    for name in environment.variables.keys() & environment.secrets.keys():
        report.add(("variables", name), "is declared as a secret too", "keep one of the two")


def _inspection(environment: Environment, raw: Mapping[str, Any], report: Report) -> None:
    """Refuse what cannot be enforced without ending TLS at the gateway, unless it may (SPEC N4)."""
    network = environment.network
    if network.methods and network.agent != "off" and not network.inspect:
        report.add(
            ("network", "methods"), _NEEDS_INSPECTION, "add inspect = true, or remove methods; all are allowed then"
        )
    if network.agent == "limited" and not network.allow and not raw["network"].get("allow"):
        report.add(
            ("network", "agent"), "limited without allow is the same as off", "list hosts in allow", severity="warning"
        )
    for name, secret in environment.secrets.items():
        key = "hosts" if secret.hosts else "header"
        if (secret.hosts or secret.header) and not network.inspect:
            hint = f"add inspect = true to [network], or write {name} = {{}} to give it to setup instead"
            report.add(("secrets", name, key), _NEEDS_INSPECTION, hint)
        elif secret.header and not secret.hosts:
            report.add(("secrets", name, key), "needs hosts", 'name them: hosts = ["api.example.com"]')


def _with_repository(environment: Environment, raw: Mapping[str, Any], report: Report) -> Environment:
    repository = environment.repository
    url = repository.url
    if not _written(raw, "repository", "url"):
        if is_users_own(environment.path):
            report.add(("repository", "url"), "is missing", "a file outside a repository has to name one")
        # A file in `.fumehood/` speaks of the repository that folder is in.
        url = ".." if environment.directory.name == FOLDER_NAME else "."
    url = repository_url.resolved(url, environment.directory)
    return replace(environment, repository=replace(repository, url=url))
