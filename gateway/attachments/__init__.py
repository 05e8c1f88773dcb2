"""Attachments: of what kind they are by their content, what a service takes, and whether they carry malware."""
