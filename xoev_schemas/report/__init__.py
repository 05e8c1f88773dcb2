"""Verdicts as people read them: on a terminal, and as a page of its own.

`Checked` is one file with its verdict; `print_report` writes to a terminal, `page` makes the HTML page.
"""

from xoev_schemas.report.checked import Checked, Language
from xoev_schemas.report.html import page
from xoev_schemas.report.terminal import print_report

__all__ = ["Checked", "Language", "page", "print_report"]
