"""image bootstrap, image list."""

from __future__ import annotations

import argparse
import time

from engine.bench import Bench
from engine.durations import words
from tui.commands.output import print_json, progress, say, table


def bootstrap(options: argparse.Namespace) -> int:
    """Make the base image on this machine."""
    image = Bench().image_bootstrap(progress, suite=options.suite, packages=options.packages)
    if options.json:
        print_json({"v": 1, "image": image})
    else:
        say(image)
    return 0


def list_(options: argparse.Namespace) -> int:
    """The images of the container engine."""
    images = Bench().image_list()
    if options.json:
        shown = [{"id": i.id, "names": list(i.names), "size_bytes": i.size, "created_at": i.created} for i in images]
        print_json({"v": 1, "images": shown})
        return 0
    if not images:
        say("no images: fumehood image bootstrap makes one")
        return 0
    now = time.time()
    rows = [(", ".join(i.names) or "–", i.id[7:19], words(now - i.created), f"{i.size / 1e6:.0f} MB") for i in images]
    table(("IMAGE", "ID", "AGE", "SIZE"), rows)
    return 0
