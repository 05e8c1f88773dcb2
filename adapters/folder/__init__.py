"""The folder adapter: see `adapters.folder.adapter`."""

from adapters.folder.adapter import FolderAdapter

__all__ = ["FolderAdapter"]
