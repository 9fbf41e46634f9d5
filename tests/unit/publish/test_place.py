"""Which forge a URL is on, whose token it gets, and what a result is called there (SPEC T10)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.errors import ForgeError, UsageError
from engine.publish import text
from engine.publish.place import Address, Place, address, place
from engine.publish.tokens import known_hosts, token


@pytest.fixture(autouse=True)
def no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if "TOKEN" in name or name in ("GH_HOST", "GITLAB_HOST", "GITEA_HOST", "GITEA_SERVER_URL", "FUMEHOOD_FORGE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/me/app.git", Address("github.com", "https://github.com", "me/app")),
        ("https://me@git.example.com:8443/me/app", Address("git.example.com", "https://git.example.com:8443", "me/app")),
        ("git@github.com:me/app.git", Address("github.com", "https://github.com", "me/app")),
        ("work:group/sub/app", Address("gitlab.com", "https://gitlab.com", "group/sub/app")),
        ("ssh://git@ssh.github.com:443/me/app.git", Address("github.com", "https://github.com", "me/app")),
        ("ssh://git@[::1]:2222/me/app", Address("::1", "https://[::1]", "me/app")),
        ("http://127.0.0.1:3000/me/app.git", Address("127.0.0.1", "http://127.0.0.1:3000", "me/app")),
    ],
)  # fmt: skip
def test_addresses(url: str, expected: Address) -> None:
    assert address(url, lambda host: {"work": "gitlab.com"}.get(host, host)) == expected


@pytest.mark.parametrize(
    "url",
    [
        "/srv/git/app.git",
        "file:///srv/app.git",
        "http://git.example.com/me/app",
        "https://github.com/app",
        "https://github.com/../../x",
    ],
)
def test_what_is_on_no_forge(url: str) -> None:
    with pytest.raises(UsageError):
        address(url, lambda host: host)


def nobody(url: str) -> bool:
    raise AssertionError(f"{url} was asked")


@pytest.mark.parametrize(
    ("host", "kind", "api"),
    [
        ("github.com", "github", "https://api.github.com"),
        ("corp.ghe.com", "github", "https://api.corp.ghe.com"),
        ("gitlab.com", "gitlab", "https://gitlab.com/api/v4"),
        ("codeberg.org", "gitea", "https://codeberg.org/api/v1"),
    ],
)
def test_public_forges_are_known_by_name(host: str, kind: str, api: str) -> None:
    found = place(Address(host, f"https://{host}", "me/app"), "", nobody)
    assert (found.kind, found.api, found.told) == (kind, api, False)


def test_a_forge_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Address("git.corp", "https://git.corp", "forge/me/app")
    assert place(here, "forgejo", nobody).api == "https://git.corp/api/v1"
    monkeypatch.setenv("FUMEHOOD_FORGE", "other=gitlab, git.corp=github@https://git.corp:8443/forge")
    found = place(here, "", nobody)
    assert (found.kind, found.api, found.path, found.told) == (
        "github",
        "https://git.corp:8443/forge/api/v3",
        "me/app",
        True,
    )
    with pytest.raises(UsageError, match="no kind of forge"):
        place(here, "sourcehut", nobody)
    for wrong in ("git.corp", "git.corp=hg", "git.corp=gitlab@http://git.corp"):
        monkeypatch.setenv("FUMEHOOD_FORGE", wrong)
        with pytest.raises(UsageError, match="is not HOST=KIND"):
            place(here, "", nobody)


def test_a_host_that_does_not_say_what_it_is() -> None:
    asked: list[str] = []

    def ask(url: str) -> bool | None:
        asked.append(url)
        return None

    with pytest.raises(ForgeError, match="does not say") as refused:
        place(Address("git.corp", "https://git.corp", "me/app"), "", ask)
    assert "--forge" in refused.value.hint
    assert asked == [f"https://git.corp/api/{end}" for end in ("v1/version", "v4/version", "v3/meta")]


# Tokens


def of(kind: str, host: str, *, told: bool = False) -> str:
    return token(Place(kind, host, "", "me/app", told)).value.reveal().decode()  # type: ignore[arg-type]


def test_variables_are_for_the_public_host_and_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "second")
    monkeypatch.setenv("GH_TOKEN", "first")
    monkeypatch.setenv("GITLAB_TOKEN", "lab")
    assert of("github", "github.com") == "first"
    with pytest.raises(ForgeError, match="is not sent to evil"):
        of("gitlab", "evil.example")
    monkeypatch.setenv("GITLAB_HOST", "https://git.corp")
    assert of("gitlab", "git.corp") == "lab"
    assert of("gitlab", "told.example", told=True) == "lab"
    assert ("git.corp", "gitlab", "$GITLAB_TOKEN") in list(known_hosts())


def test_the_files_of_glab_and_tea(isolated_home: Path) -> None:
    config = isolated_home / "config"
    (config / "glab-cli").mkdir(parents=True)
    (config / "glab-cli" / "config.yml").write_text("hosts:\n  git.corp:\n    token: !!null glpat-x\n  other: {}\n")
    (config / "tea").mkdir()
    (config / "tea" / "config.yml").write_text(
        "logins:\n- name: a\n  url: https://forge.corp:3000\n  ssh_host: ssh.corp\n  token: teatok\n"
    )
    assert of("gitlab", "git.corp") == "glpat-x"
    assert of("gitea", "forge.corp") == of("gitea", "ssh.corp") == "teatok"
    with pytest.raises(ForgeError, match="no token for other"):
        of("gitlab", "other")
    (config / "tea" / "config.yml").write_text("logins: [[[")
    with pytest.raises(ForgeError, match="no token"):
        of("gitea", "forge.corp")


def test_gh_is_asked_but_not_one_that_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, said in (("mine", "right"), ("here", "planted")):
        (tmp_path / folder).mkdir()
        program = tmp_path / folder / "gh"
        program.write_text(f'#!/bin/sh\n[ "$*" = "auth token --hostname github.com" ] && echo {said}\n')
        program.chmod(0o755)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PATH", f".:{tmp_path}/mine:/usr/bin:/bin")
    assert of("github", "github.com") == "right"
    with pytest.raises(ForgeError, match="no token"):
        of("github", "other.corp")


def test_a_token_that_would_break_the_header_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "a\r\nX: y")
    with pytest.raises(ForgeError):
        of("github", "github.com")


# Words


@pytest.mark.parametrize(
    ("answer", "title", "body"),
    [
        ("# Start at zero #\n\nWhy.", "Start at zero", "Why."),
        ("Start at zero.\n\nWhy.", "Start at zero", "Why."),
        ("**Done.**", "Done", ""),
        ("A line\nthat goes on.", "Fix the sum", "A line\nthat goes on."),
        ("x" * 90 + "\n\nWhy.", "Fix the sum", "x" * 90 + "\n\nWhy."),
        ("", "Fix the sum", ""),
        ("Hi\u202e there\x1b[2J\x00\n\nok", "Hi there[2J", "ok"),
    ],
)
def test_titles_and_bodies(answer: str, title: str, body: str) -> None:
    assert text.proposed("Fix the sum\n\nIt is off.", answer) == (title, body)


@given(st.text(), st.text())
@example("", "0\t_")
@example("", "a .")
def test_a_title_is_one_short_line(prompt: str, answer: str) -> None:
    title, _ = text.proposed(prompt, answer)
    assert title == title.strip()
    assert "\n" not in title
    assert 0 < len(title) <= text.TITLE_LENGTH


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1), st.text(alphabet="ab \n")
)
def test_a_message_is_read_back(title: str, body: str) -> None:
    assert text.split(text.message(title, body)) == (title.strip(), body.strip())
