"""The `plimsoll` command in this process, from its entry point."""

import sys

from keeper.app import cli


def run(*arguments: object) -> int:
    """Exit code of the command."""
    before, sys.argv = sys.argv, ["plimsoll", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(bool(left.code))
    finally:
        sys.argv = before
    return 0
