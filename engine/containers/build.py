"""Building an environment's image from its Dockerfile (SPEC E1): through the engine, without a network."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing

from engine.containers import images
from engine.containers.api import Api
from engine.containers.container import Limits
from engine.containers.context import Context
from engine.containers.disk import refuse_to_fill
from engine.containers.endpoint import build_credentials, translated
from engine.containers.progress import Pace, Steps
from engine.errors import ContainerError

_PERIOD = 100_000
_SPOOL = 8 << 20
# Who builds with a network has to say so: an image made elsewhere can be named.
_OFFLINE = (
    "RUN has no network here: install in the setup script, or build it yourself (`docker build`) and name it "
    "in [image] name"
)


def repository(environment_id: str) -> str:
    """The name under which an environment's own images are kept; their tags are hashes of what they were built from."""
    return f"fumehood/build-{environment_id}"


def tag(api: Api, environment_id: str, context: Context) -> str:
    """The name of the image this context comes to: another one when a file, or an image it starts from, changed."""
    return f"{repository(environment_id)}:{context.digest(*_bases(api, context))}"


def _bases(api: Api, context: Context) -> list[str]:
    return [images.find(api, name) or "" for name in context.bases() if name != "scratch"]


def build(
    api: Api,
    environment_id: str,
    context: Context,
    *,
    labels: Mapping[str, str],
    limits: Limits,
    timeout: float,
    progress: Callable[[str], None],
    check: Callable[[], None],
) -> str:
    """Build the image and return its id. Steps that changed nothing come from the engine's own cache.

    Args:
        labels: the same for every build of an environment: another label would make another image.
        timeout: seconds the whole build may take.
        progress: gets a line for each step, and what it prints, once a second at most.
        check: called a few times a second; what it raises ends the build.

    Raises:
        ContainerError: a step failed, with its last lines; or the engine refused.
    """
    import json

    what = f"building {context.folder / context.dockerfile}"
    steps, pace = Steps(), Pace(progress)
    deadline = time.monotonic() + timeout
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as archive:
        name = f"{repository(environment_id)}:{context.pack(archive, *_bases(api, context))}"
        refuse_to_fill(api, archive.tell(), "the build context")
        archive.seek(0)
        query = {
            "t": name,
            "dockerfile": context.dockerfile,
            "networkmode": "none",
            "rm": "1",
            "forcerm": "1",
            "labels": json.dumps(dict(labels)),
            "memory": str(limits.memory),
            "memswap": str(limits.memory),
            "cpuperiod": str(_PERIOD),
            "cpuquota": str(int(limits.cpus * _PERIOD)),
        }
        with translated(what), closing(api.build(archive, query, build_credentials())) as messages:
            for message in messages:
                check()
                if time.monotonic() >= deadline:
                    raise ContainerError(
                        f"{what}: not done within {timeout:g} s, at {steps.step}", "setup.timeout is its limit too"
                    )
                for step in steps.feed(message) if message else ():
                    pace.say(step)
                if steps.line and pace.due():
                    pace.say(f"  {steps.line}")
    if steps.error:
        raise _failure(what, steps)
    found = images.find(api, name)
    if found is None:
        raise ContainerError(f"{what}: the engine named no image", "see the engine's log")
    return found


def _failure(what: str, steps: Steps) -> ContainerError:
    where = f" at {steps.step}" if steps.step else ""
    tail = "".join(f"\n  {line}" for line in steps.tail)
    return ContainerError(f"{what}: failed{where}: {steps.error}{tail}", _OFFLINE if "RUN" in steps.step else "")


def forget_other_names(api: Api, environment_id: str, image: str, name: str) -> None:
    """Take from `image` the names of contexts that came to the same; it keeps `name`."""
    with translated(f"reading image {name}"):
        names = api.image(image)["RepoTags"]
    for other in names:
        if other != name and name in names and other.startswith(f"{repository(environment_id)}:"):
            images.remove(api, other)
