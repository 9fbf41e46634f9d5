"""image bootstrap, image list."""

from __future__ import annotations

import argparse
import time

from engine import sizes
from engine.bench import Bench
from engine.durations import words
from tui.commands.output import print_json, progress, say, table


def bootstrap(options: argparse.Namespace) -> int:
    """Make the base image on this machine."""
    image = Bench().images.bootstrap(progress, suite=options.suite, packages=options.packages)
    if options.json:
        print_json({"v": 1, "image": image})
    else:
        say(image)
    return 0


def list_(options: argparse.Namespace) -> int:
    """The images of the container engine, without the snapshots of the cache."""
    images = Bench().images.list()
    if options.json:
        shown = [
            {
                "id": e.image.id,
                "names": list(e.image.names),
                "size_bytes": e.image.size,
                "created_at": e.image.created,
                "environments": list(e.environments),
                "snapshots": list(e.snapshots),
            }
            for e in images
        ]
        print_json({"v": 1, "images": shown})
        return 0
    if not images:
        say("no images: fumehood image bootstrap makes one")
        return 0
    now = time.time()
    rows = [
        (
            ", ".join(e.image.names),
            e.image.id[7:19],
            sizes.words(e.image.size),
            f"{words(now - e.image.created)} ago",
            ", ".join([*e.environments, *(f"snapshot of {name}" for name in e.snapshots)]) or "–",
        )
        for e in images
    ]
    table(("NAME", "ID", "SIZE", "CREATED", "USED BY"), rows)
    return 0
