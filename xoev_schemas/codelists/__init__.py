"""Code lists: reading them, looking codes up, checking messages against them.

A message names a list by `listURI` and `listVersionID`; XÖV lets a standard fix both in its schema (code types 1 and
2), the URI alone (3), or neither (4). Only for type 1 does the schema hold the codes themselves.
"""

from xoev_schemas.codelists.check import codelist_findings
from xoev_schemas.codelists.lookup import CodeLists
from xoev_schemas.codelists.model import CodeList, NotACodeList
from xoev_schemas.codelists.needed import NeededList, enumerated_lists, needed_lists
from xoev_schemas.codelists.reading import read_code_list, read_genericode

__all__ = [
    "CodeList",
    "CodeLists",
    "NeededList",
    "NotACodeList",
    "codelist_findings",
    "enumerated_lists",
    "needed_lists",
    "read_code_list",
    "read_genericode",
]
