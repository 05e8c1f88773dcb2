"""What happened in a run, with its time: one JSON object per line."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any


class History:
    """Thread-safe. Times are seconds since it was made. Holds no content: ids, statuses, names of faults."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self.faults: Counter[str] = Counter()
        self.skipped: dict[str, str] = {}
        """Kind of fault → why it could not be made here."""

    def now(self) -> float:
        return time.monotonic() - self._begun

    def note(self, what: str, **facts: Any) -> None:
        line = json.dumps({"t": round(self.now(), 3), "what": what, **facts}, ensure_ascii=False)
        with self._lock:
            if not self._file.closed:
                self._file.write(line + "\n")

    def fault(self, kind: str, **facts: Any) -> None:
        with self._lock:
            self.faults[kind] += 1
        self.note("fault", kind=kind, **facts)

    def skip(self, kind: str, why: str) -> None:
        self.skipped[kind] = why
        self.note("skipped", kind=kind, why=why)

    def close(self) -> None:
        with self._lock:
            self._file.close()
