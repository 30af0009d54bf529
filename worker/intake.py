"""Which queues a worker takes jobs from, as the others come and go and as it is asked to drain."""

import logging
from threading import Event

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from scheduler.workers import Answer

logger = logging.getLogger(__name__)


class Intake:
    """The queues of one worker. Its jobs are given back, and it takes no new ones, while it drains."""

    def __init__(self, app: Celery, name: str, pool: str, ending: Event) -> None:
        """Takes what it works with.

        Args:
            app: the Celery app of the worker.
            name: the worker's name on the queue.
            pool: the pool that it serves.
            ending: set once the worker ends, which nothing undoes.
        """
        self.draining = Event()  #: whether its jobs are to be given back
        self._app = app
        self._name = name
        self._pool = pool
        self._ending = ending
        self._asked = False

    def wanted(self, answer: Answer) -> set[str]:
        """The queues that it should take jobs from.

        Jobs for `any` pool go to the GPU pool while that lives. Workers of the CPU pool take them from the
        same queue when it does not, so that none is ever on a queue that nobody serves.
        """
        if answer.drain:
            return set()
        return {self._pool, "any"} if self._pool == "gpu" or not answer.gpu else {self._pool}

    def hear(self, answer: Answer) -> None:
        """Does what follows from what Redis told; called at every heartbeat."""
        if answer.drain is not self._asked:
            self._asked = answer.drain
            logger.info("worker %s %s", self._name, "drains" if answer.drain else "takes jobs again")
        taken = set(self._app.amqp.queues.consume_from)
        try:
            for queue in sorted(taken - self.wanted(answer)):
                self._app.control.cancel_consumer(queue, destination=[self._name])
            for queue in sorted(self.wanted(answer) - taken):
                self._app.control.add_consumer(queue, destination=[self._name])
        except (RedisError, OSError, OperationalError) as error:
            logger.warning("worker %s: its queues could not be changed: %s", self._name, error)
        if answer.drain:
            self.draining.set()
        elif not self._ending.is_set():
            self.draining.clear()
