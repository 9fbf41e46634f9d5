"""Pull requests on GitHub, GitLab, Gitea and Forgejo, through their REST APIs (SPEC T10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from msgspec import Struct

from engine.errors import ForgeError
from engine.publish.http import Api
from engine.publish.place import Kind, Place
from engine.publish.tokens import Token

# The beginning of a title by which GitLab, and Gitea, know a draft.
_DRAFT, _WIP = "Draft: ", "WIP: "
_PAGE = 50
_PAGES = 20


class PullRequest(Struct, frozen=True):
    """A pull request, or merge request, that is open; `title` is without the word that marks a draft, if any."""

    number: int
    url: str
    title: str
    body: str
    base: str
    mark: str = ""


class Forge(Protocol):
    """What is asked of every forge. `head` and `base` are branches of one repository."""

    def find(self, head: str) -> PullRequest | None:
        """The open request of this branch."""

    def create(self, head: str, base: str, title: str, body: str, *, draft: bool) -> PullRequest:
        """Open a request."""

    def update(self, request: PullRequest, changes: Mapping[str, str]) -> PullRequest:
        """Change `title`, `body` or `base` of an open request; a draft stays one."""


def forge(place: Place, token: Token) -> Forge:
    """The forge of a repository."""
    kinds: dict[Kind, Callable[[Place, Token], Forge]] = {"github": GitHub, "gitlab": GitLab, "gitea": Gitea}
    return kinds[place.kind](place, token)


class GitHub:
    """https://docs.github.com/en/rest/pulls, version 2022-11-28."""

    def __init__(self, place: Place, token: Token) -> None:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._api = Api(place.api, token, headers=headers)
        self._owner = place.path.split("/")[0]
        self._pulls = f"/repos/{place.quoted}/pulls"

    def find(self, head: str) -> PullRequest | None:
        """The open request of this branch."""
        found = _list(self._api.get(self._pulls, {"state": "open", "head": f"{self._owner}:{head}"}))
        return next((self._read(one) for one in found if _at(one, "head", "ref") == head), None)

    def create(self, head: str, base: str, title: str, body: str, *, draft: bool) -> PullRequest:
        """Open a request."""
        data = {"title": title, "head": head, "base": base, "body": body, "draft": draft}
        return self._read(self._api.send("POST", self._pulls, data))

    def update(self, request: PullRequest, changes: Mapping[str, str]) -> PullRequest:
        """Change an open request."""
        return self._read(self._api.send("PATCH", f"{self._pulls}/{request.number}", _marked(request, changes)))

    def _read(self, told: Any) -> PullRequest:
        return _request(told, "number", "html_url", "body", ("base", "ref"))


class GitLab:
    """https://docs.gitlab.com/api/merge_requests, version 4."""

    def __init__(self, place: Place, token: Token) -> None:
        self._api = Api(place.api, token)
        self._requests = f"/projects/{quote(place.path, safe='')}/merge_requests"

    def find(self, head: str) -> PullRequest | None:
        """The open request of this branch."""
        found = _list(self._api.get(self._requests, {"state": "opened", "source_branch": head}))
        # Requests from forks into this project have the branch's name too.
        own = [one for one in found if one.get("source_project_id") == one.get("target_project_id")]
        return next((self._read(one) for one in own), None)

    def create(self, head: str, base: str, title: str, body: str, *, draft: bool) -> PullRequest:
        """Open a request; a draft is one by its title."""
        title = f"{_DRAFT}{title}" if draft else title
        data = {"source_branch": head, "target_branch": base, "title": title, "description": body}
        return self._read(self._api.send("POST", self._requests, data))

    def update(self, request: PullRequest, changes: Mapping[str, str]) -> PullRequest:
        """Change an open request."""
        names = {"title": "title", "body": "description", "base": "target_branch"}
        data = {names[name]: value for name, value in _marked(request, changes).items()}
        return self._read(self._api.send("PUT", f"{self._requests}/{request.number}", data))

    def _read(self, told: Any) -> PullRequest:
        return _request(told, "iid", "web_url", "description", ("target_branch",), _DRAFT)


class Gitea:
    """https://docs.gitea.com/api (also Forgejo's), version 1."""

    def __init__(self, place: Place, token: Token) -> None:
        self._api = Api(place.api, token, scheme="token")
        self._path = place.path
        self._pulls = f"/repos/{place.quoted}/pulls"

    def find(self, head: str) -> PullRequest | None:
        """The open request of this branch.

        The API has no question for it: the thousand that changed last are looked through.
        """
        for page in range(1, _PAGES + 1):
            parameters = {"state": "open", "sort": "recentupdate", "limit": str(_PAGE), "page": str(page)}
            found = _list(self._api.get(self._pulls, parameters))
            for one in found:
                own = str(_at(one, "head", "repo", "full_name") or self._path).lower() == self._path.lower()
                if own and _at(one, "head", "ref") == head:
                    return self._read(one)
            if not found:
                break
        return None

    def create(self, head: str, base: str, title: str, body: str, *, draft: bool) -> PullRequest:
        """Open a request; a draft is one by its title."""
        title = f"{_WIP}{title}" if draft else title
        return self._read(
            self._api.send("POST", self._pulls, {"head": head, "base": base, "title": title, "body": body})
        )

    def update(self, request: PullRequest, changes: Mapping[str, str]) -> PullRequest:
        """Change an open request."""
        return self._read(self._api.send("PATCH", f"{self._pulls}/{request.number}", _marked(request, changes)))

    def _read(self, told: Any) -> PullRequest:
        return _request(told, "number", "html_url", "body", ("base", "ref"), _WIP)


def _request(told: Any, number: str, url: str, body: str, base: tuple[str, ...], draft_mark: str = "") -> PullRequest:
    found = told.get(number) if isinstance(told, dict) else None
    if not isinstance(found, int) or not isinstance(told.get(url), str):
        raise ForgeError("the forge's answer does not describe a pull request")
    title = str(told.get("title") or "")
    mark = draft_mark if draft_mark and title.startswith(draft_mark) else ""
    return PullRequest(
        found, told[url], title.removeprefix(mark), str(told.get(body) or ""), str(_at(told, *base)), mark
    )


def _marked(request: PullRequest, changes: Mapping[str, str]) -> dict[str, str]:
    return {name: f"{request.mark}{value}" if name == "title" else value for name, value in changes.items()}


def _list(told: Any) -> list[dict[str, Any]]:
    if not isinstance(told, list):
        raise ForgeError("the forge's answer is not a list of pull requests")
    return [one for one in told if isinstance(one, dict)]


def _at(told: Any, *names: str) -> Any:
    for name in names:
        told = told.get(name) if isinstance(told, dict) else None
    return told
