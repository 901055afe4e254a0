"""Watch: the instant at which a task's new state was committed, seen from outside the server."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator

import psycopg

_SECONDS_MAX = 60.0
# Only in the bench's own database: a notice that arrives when the change is committed. Its cost is
# part of every figure that is measured with it.
_TRIGGER = """
CREATE FUNCTION bench_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bench', NEW.status || ' ' || NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER bench_tell AFTER UPDATE OF status ON tasks FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION bench_tell();
"""


class Watch:
    """What happened to tasks, with instants of `time.perf_counter()`."""

    def __init__(self) -> None:
        self._seen: queue.SimpleQueue[tuple[str, float]] = queue.SimpleQueue()

    def tell(self, payload: str, at: float) -> None:
        """Take one notice."""
        self._seen.put((payload, at))

    def wait(self, status: str, task_id: str) -> float:
        """When the task's status was committed; raises `queue.Empty` after a minute."""
        until = time.monotonic() + _SECONDS_MAX
        while True:
            payload, at = self._seen.get(timeout=max(0.0, until - time.monotonic()))
            if payload == f"{status} {task_id}":
                return at


@contextlib.contextmanager
def watching(conninfo: str) -> Iterator[Watch]:
    """A watch over the tasks of one database."""
    watch = Watch()
    ended = threading.Event()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(_TRIGGER)
        connection.execute("LISTEN bench")

        def listen() -> None:
            while not ended.is_set():
                for notice in connection.notifies(timeout=0.2):
                    watch.tell(notice.payload, time.perf_counter())

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            ended.set()
            thread.join()
            connection.execute("DROP FUNCTION bench_tell CASCADE")
