"""A clock that can be put wrong from outside, for processes of the chaos tests.

Python imports this module at its start where its folder is on PYTHONPATH. The file that TRIPTYCH_CHAOS_CLOCK
names holds the error in seconds, a double. The monotonic clock stays as it is: no machine sets that one.
"""

import datetime
import mmap
import os
import struct
import time

if path := os.environ.get("TRIPTYCH_CHAOS_CLOCK"):
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib is slow to import, and this is every start
        error = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    true_time, true_time_ns, true_datetime = time.time, time.time_ns, datetime.datetime

    def off() -> float:
        return struct.unpack("d", error[:8])[0]

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, true_datetime)

    class WrongDatetime(true_datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return true_datetime.now(tz) + datetime.timedelta(seconds=off())

        @classmethod
        def utcnow(cls) -> datetime.datetime:
            return true_datetime.utcnow() + datetime.timedelta(seconds=off())

    time.time = lambda: true_time() + off()
    time.time_ns = lambda: true_time_ns() + int(off() * 1e9)
    datetime.datetime = WrongDatetime
