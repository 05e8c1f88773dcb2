"""Department systems with a JSON interface over HTTP, as their OpenAPI document says."""

from adapters.rest.adapter import RestAdapter

__all__ = ["RestAdapter"]
