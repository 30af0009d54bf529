"""Flower behind its password, all of it: `python -m scheduler.embedded.flower_program --conf=FILE`.

Flower leaves two pages open to everybody even with basic authentication, and one of them, the metrics, names
workers and tasks. Here they ask for the password like the others.
"""

import sys

from celery.__main__ import main
from flower.views.monitor import Healthcheck, Metrics  # type: ignore[import-untyped]
from tornado.web import HTTPError


def ask_for_the_password(page: type[Metrics] | type[Healthcheck]) -> None:
    """Lets a page answer only those whom Flower's own check lets in."""

    def prepare(self: Metrics | Healthcheck) -> None:
        # Reading it runs the check, which raises the refusal itself when there is a password.
        if not self.current_user:
            raise HTTPError(401)

    page.prepare = prepare


if __name__ == "__main__":
    for open_page in (Metrics, Healthcheck):
        ask_for_the_password(open_page)
    sys.argv = ["celery", "-A", "scheduler.queue:app", "flower", *sys.argv[1:]]
    main()
