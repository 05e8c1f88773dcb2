"""What pages of their own have in common: one file, both languages, nothing loaded, keyboard, paper.

Nothing is loaded from anywhere, and the page says so to the browser (Content-Security-Policy; style and script are
allowed by their digest). Both languages are in it; without script it shows the one it was made in.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template

from xoev_schemas.findings import Text
from xoev_schemas.report.checked import Language, in_language


def framed(
    language: Language,
    *,
    heading: Text,
    title: Text,
    skip: Text,
    content: str,
    footer: Text,
    style: str,
    tools: str = "",
    script: str = "",
) -> str:
    """The page; complete, in UTF-8. content, tools (beside the choice of the language): HTML. skip: the first link's
    words. style, script: of this page, besides what every page has; the script hears of another language by the event
    `language` of the document.
    """
    here = files(__package__)
    frame, base_style, base_script = (
        here.joinpath(name).read_text(encoding="utf-8") for name in ("base.html", "base.css", "base.js")
    )
    # Exactly what stands between the tags is what the browser takes the digest of.
    style, script = base_style + style, base_script + script
    return Template(frame).substitute(
        language=language,
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'",
        title=escape(in_language(title, language)),
        title_de=escape(title.de),
        title_en=escape(title.en),
        heading=both(heading),
        skip=both(skip),
        style=style,
        script=script,
        pressed_de=str(language == "de").lower(),
        pressed_en=str(language == "en").lower(),
        tools=tools,
        content=content,
        footer=both(footer),
    )


def both(text: Text) -> str:
    """In both languages, of which the page shows one."""
    if text.de == text.en:
        return escape(text.de)
    return f'<span lang="de">{escape(text.de)}</span><span lang="en">{escape(text.en)}</span>'


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
