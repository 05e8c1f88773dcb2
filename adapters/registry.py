"""Finding adapters: entry points of the group `ozg_gateway.adapters`, the built-in ones like those of third parties."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import entry_points

from adapters.base import Adapter, TargetConfig

GROUP = "ozg_gateway.adapters"

AdapterFactory = Callable[[TargetConfig], Adapter]


class AdapterUnknown(Exception):
    """No adapter of this name is installed, or its package cannot be imported. The text says what to do."""


def adapter_names() -> list[str]:
    """Names of all installed adapters, sorted."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def load_adapter(name: str) -> AdapterFactory:
    """The class behind a name; `load_adapter("soap")(config)` makes one target's adapter. Raises AdapterUnknown."""
    for entry in entry_points(group=GROUP, name=name):
        try:
            factory: AdapterFactory = entry.load()
        except (ImportError, AttributeError) as error:
            raise AdapterUnknown(f"the adapter {name!r} ({entry.value}) cannot be loaded: {error}") from error
        return factory
    near = get_close_matches(name, adapter_names(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"installed are: {', '.join(adapter_names()) or 'none'}."
    raise AdapterUnknown(f"there is no adapter {name!r}; {hint}")
