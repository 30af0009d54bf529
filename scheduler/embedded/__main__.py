"""The stack in the background: `python -m scheduler.embedded HOME PIPE_FD`.

Writes `ready` or the text of an error to the pipe and closes it; whoever started it reads that.
"""

import os
import sys
from pathlib import Path

from jobs.errors import TriptychError
from scheduler.embedded.stack import Stack


def main() -> None:
    """Forks once, so that whoever starts it need not wait for its end, and supervises."""
    root, pipe = Path(sys.argv[1]), int(sys.argv[2])
    if os.fork():
        os._exit(0)
    # Not for the parts: the reader waits until the last one has closed it.
    os.set_inheritable(pipe, False)

    said = False

    def say(text: str) -> None:
        nonlocal said
        if not said:
            os.write(pipe, text.encode())
            os.close(pipe)
        said = True

    try:
        Stack(root).up(on_ready=lambda _status: say("ready"))
    except TriptychError as error:
        say(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
