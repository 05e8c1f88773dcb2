"""Backup and restore of one installation: database with content, keys, standards. See `manifest.py` for the form."""
