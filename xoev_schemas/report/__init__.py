"""Verdicts as people read them: on a terminal, and as a page of its own.

`Checked` is one file with its verdict; `print_report` writes to a terminal, `page` makes the HTML page; `framed` is
what every page of its own has around it.
"""

from xoev_schemas.report.checked import Checked, Language
from xoev_schemas.report.frame import both, framed
from xoev_schemas.report.html import page
from xoev_schemas.report.terminal import print_report

__all__ = ["Checked", "Language", "both", "framed", "page", "print_report"]
