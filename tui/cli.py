"""The command line: `fumehood` opens the workbench, `fumehood VERB` does one thing (its function in `tui.commands`)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_WORKBENCH_OPTIONS = {"--no-watch", "--low-bandwidth"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 failed, 2 wrong usage, 130 cancelled."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    from engine.crash import no_core_files
    from engine.errors import EngineError, NoRoom
    from engine.state import is_full

    no_core_files()
    try:
        if _WORKBENCH_OPTIONS.issuperset(argv):
            # Without the parser of all commands: something is to be on the screen at once.
            from tui.start import open_workbench

            return open_workbench(watch="--no-watch" not in argv, low_bandwidth="--low-bandwidth" in argv)
        from tui.commands.parser import parse

        options = parse(argv)
        # A fork is safe only while this process is the command line and nothing else.
        options.alone = arguments is None
        return _run(options)
    except EngineError as error:
        return _fail(error, json_wanted="--json" in argv)
    except BrokenPipeError:
        # The reader went away (`| head`): nothing more to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if not is_full(error):
            raise
        return _fail(NoRoom(error.filename or error.strerror), json_wanted="--json" in argv)
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    import importlib

    module, _, function = options.run.partition(":")
    result: int = getattr(importlib.import_module(f"tui.commands.{module}"), function)(options)
    return result


def _fail(error: Exception, *, json_wanted: bool) -> int:
    from engine.errors import EngineError
    from tui.present.text import clean

    assert isinstance(error, EngineError)
    if json_wanted:
        import json

        print(json.dumps({"v": 1, "error": {"message": error.message, "hint": error.hint}}))
    print(f"fumehood: {clean(str(error))}", file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
