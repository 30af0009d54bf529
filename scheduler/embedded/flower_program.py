"""Flower behind its password, all of it: `python -m scheduler.embedded.flower_program --conf=FILE`.

Flower leaves some pages open to everybody even with basic authentication, and one of them, the metrics, names
workers and tasks. Here they ask for the password like the others.
"""

import sys

from celery.__main__ import main
from flower.views import BaseHandler
from tornado.web import HTTPError


def ask_for_the_password(page: BaseHandler) -> None:
    """Lets in those whom Flower's own check lets in.

    Raises:
        HTTPError: with status 401, to anybody else.
    """
    # Reading it runs the check, which raises the refusal itself when there is a password.
    if not page.current_user:
        raise HTTPError(401)


if __name__ == "__main__":
    # Tornado calls this before the page itself; all pages but the style sheets inherit it.
    BaseHandler.prepare = ask_for_the_password
    sys.argv = ["celery", "-A", "scheduler.queue:app", "flower", *sys.argv[1:]]
    main()
