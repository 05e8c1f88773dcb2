"""The threads that run a consumer's handlers, the same for every broker."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Task = Callable[[], None]


class HandlerPool:
    """At most `size` daemon threads, started when there is work.

    Daemon threads, unlike those of `concurrent.futures`, so that a handler that hangs cannot keep a process from
    ending; what it held is then redelivered. Tasks must not raise.
    """

    def __init__(self, size: int, name: str) -> None:
        if size < 1:
            raise ValueError("a consumer needs at least one handler thread")
        self._size = size
        self._name = name
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._open = 0
        self._stopping = False

    def submit(self, task: Task) -> bool:
        """Run `task` when a thread is free. False after `stop`: it will not run, its message belongs to the broker
        again.
        """
        with self._changed:
            if self._stopping:
                return False
            self._open += 1
            if self._open > len(self._threads) and len(self._threads) < self._size:
                thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._tasks.put(task)
        return True

    def stop(self, timeout: float) -> bool:
        """Take no more tasks and wait (at most `timeout` seconds) for those there are. False: something still runs."""
        with self._changed:
            if not self._stopping:
                self._stopping = True
                for _ in self._threads:
                    self._tasks.put(None)
            return self._changed.wait_for(lambda: self._open == 0, timeout)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            finally:
                with self._changed:
                    self._open -= 1
                    self._changed.notify_all()
