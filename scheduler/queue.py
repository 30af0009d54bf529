"""The Celery app: its queues, and every setting with its reason.

A message is only a wake-up: the record in Redis says what to run, and whoever cannot claim it drops the
message. So Celery's own redelivery is switched off; the lease decides (see `records`).
"""

import json
from typing import Any

from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.entity import Queue

from jobs.spec import JobSpec
from scheduler.pools import DEFAULT_PRIORITY, POOLS, PRIORITIES
from scheduler.record import JobRecord
from scheduler.settings import RedisSettings, load
from scheduler.tls import broker_options

#: Longest text of a spec in Flower's kwargs column.
_SHOWN = 1000


class PromptConnection(Connection):
    """Asks for Redis every second, where Celery would let up to 30 s pass between its tries."""

    def ensure_connection(self, *arguments: Any, **keywords: Any) -> Any:
        """As kombu's, with short pauses, so that jobs go on soon after Redis is back."""
        pauses = {"interval_start": 0.2, "interval_step": 0.2, "interval_max": 1.0}
        return super().ensure_connection(*arguments, **pauses | keywords)  # type: ignore[no-untyped-call]


class PromptAMQP(AMQP):
    """Makes such connections."""

    Connection = PromptConnection


def make_app(settings: RedisSettings) -> Celery:
    """The Celery app on one Redis."""
    app = Celery("triptych", set_as_current=False, amqp=PromptAMQP)
    app.conf.update(
        broker_url=settings.redis_url.get_secret_value(),
        **broker_options(settings),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker waits for Redis rather than give up
        broker_transport_options={
            # Ten levels in exact order: kombu keeps a list for each and asks them in this order.
            "priority_steps": list(PRIORITIES),
            "queue_order_strategy": "priority",
            "visibility_timeout": settings.visibility_seconds,
            "socket_timeout": settings.redis_timeout,
            "socket_connect_timeout": settings.redis_timeout,
            "socket_keepalive": True,
            "health_check_interval": 30,
        },
        task_queues=[Queue(pool) for pool in POOLS],  # type: ignore[no-untyped-call]
        task_default_queue="cpu",
        task_create_missing_queues=False,  # a typing error must not make a queue that nobody serves
        task_default_priority=DEFAULT_PRIORITY,
        # Acknowledge before the work: on Redis an unacknowledged message comes back after the visibility
        # timeout while the first copy still runs (measured: a healthy job ran twice at once).
        task_acks_late=False,
        # Take a message only when a slot is free, so that priorities hold and no job waits behind another.
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # the lease decides, not the connection
        # JSON only: a pickle is code.
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,  # results are in the artifact store
        # What Flower lives on.
        worker_send_task_events=True,
        task_send_sent_event=True,
        task_track_started=True,
        worker_hijack_root_logger=False,
        task_publish_retry_policy={
            "max_retries": 3,  # then the outbox has it
            "interval_start": 0.0,
            "interval_step": 0.2,
            "interval_max": 1.0,
        },
    )
    return app


def publish(app: Celery, job: JobRecord, producer: Any = None) -> None:
    """Sends the wake-up for a queued job. A second one is harmless."""
    app.send_task(
        job.kind,
        task_id=job.id,
        queue=job.pool,
        priority=job.priority,
        argsrepr="",
        kwargsrepr=shown(job),
        producer=producer,
    )


def shown(job: JobRecord) -> str:
    """A job as Flower's kwargs column shows it: its spec; of a part, whose it is, and which rows it has."""
    if (part := job.part) is not None:
        return f"part {part.number} of {part.count} of {job.whole}, rows {part.first} to {part.end}"
    # What sets it apart comes first, for the column is narrow.
    common = JobSpec.model_fields
    spec = job.spec
    order = sorted(spec, key=lambda field: field in common)
    text = json.dumps({field: spec[field] for field in order if field != "kind" and spec[field] is not None})
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def __getattr__(name: str) -> Celery:
    # `celery -A scheduler.queue:app flower` finds the app of the servers that the settings name.
    if name == "app":
        return make_app(load(RedisSettings))
    raise AttributeError(name)
