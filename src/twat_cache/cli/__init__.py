"""The command line: `python -m twat_cache demo` and `python -m twat_cache info`.

Written as a stranger would write it: with the public names of the package and the standard
library, nothing else. `import twat_cache` never loads it.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

INTERRUPTED = 130  # what a shell reports for a process that ended by Ctrl-C


def _at_least_one(text: str) -> int:
    try:
        number = int(text.replace("_", "").replace(",", ""))
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m twat_cache",
        description="Look at twat-cache at work on this interpreter.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command")

    demo = commands.add_parser(
        "demo",
        help="index the standard library through a cached function and measure the hits",
        description="Parse every file of the running interpreter's standard library (tests and "
        "site-packages left out) through a function decorated with mcache, answer a Zipf-like "
        "stream of look-ups, and measure a hit beside functools.lru_cache: on the core in use, "
        "then on the pure-Python core.",
    )
    demo.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    demo.add_argument(
        "--lookups",
        type=_at_least_one,
        default=200_000,
        metavar="N",
        help="length of the stream of look-ups (default: 200000)",
    )
    demo.add_argument(
        "--files",
        type=_at_least_one,
        default=None,
        metavar="N",
        help="index only N files, always the same ones (default: all)",
    )
    demo.add_argument("--no-pure", action="store_true", help="leave the pure core's run out")

    info = commands.add_parser("info", help="say which version and which core run, and why")
    info.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name; `sys.argv[1:]` when left out.

    Returns:
        The exit status: 0 when all went well, 1 when the command could not do its work, 2 when
        no command was named, 130 after Ctrl-C.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        if options.command == "demo":
            from . import demo

            return demo.run(
                lookups=options.lookups,
                files=options.files,
                with_pure=not options.no_pure,
                as_json=options.json,
            )
        if options.command == "info":
            from . import info

            return info.run(as_json=options.json)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    parser.print_help(sys.stderr)
    return 2
