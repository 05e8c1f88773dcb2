"""No rule and no message reaches a file, the network, the environment or another document: two walls, each alone.

The compiler refuses by name what would reach out. Saxon is configured so that what got past it finds nothing.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from lxml import etree
from schematron_support import check_compiled, rule, schema

from xoev_schemas.schematron import NotCompiled, compile_schematron
from xoev_schemas.workers import Workers

SECRET = "the-secret-of-this-machine"
DOCUMENT = '<antrag xmlns="urn:muster"/>'


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    workers = Workers(1, memory_bytes=1 << 30, seconds=30)
    yield workers
    workers.close()


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """URI of a folder with the secret as text, XML, JSON, stylesheet and entity."""
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "secret.xml").write_text(f"<s>{SECRET}</s>")
    (tmp_path / "secret.json").write_text(f'"{SECRET}"')
    (tmp_path / "secret.xsl").write_text(
        '<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        f'<xsl:template name="t">{SECRET}</xsl:template><xsl:variable name="v" select="\'{SECRET}\'"/></xsl:stylesheet>'
    )
    return tmp_path.as_uri()


REACHING = [
    "doc('{uri}/secret.xml')",
    "fn:doc('{uri}/secret.xml')",
    "Q{{http://www.w3.org/2005/xpath-functions}}doc('{uri}/secret.xml')",
    "doc (: hidden :) ('{uri}/secret.xml')",
    "(doc#1)('{uri}/secret.xml')",
    "'{uri}/secret.xml' ! doc(.)",
    "doc-available('{uri}/secret.xml')",
    "document('{uri}/secret.xml')",
    "document('')",
    "unparsed-text('{uri}/secret.txt')",
    "unparsed-text-lines('{uri}/secret.txt')",
    "unparsed-text-available('{uri}/secret.txt')",
    "collection('{uri}')",
    "uri-collection('{uri}')",
    "json-doc('{uri}/secret.json')",
    "transform(map{{'stylesheet-location': '{uri}/secret.xsl', 'initial-template': QName('', 't')}})?output",
    "load-xquery-module('urn:x', map{{'location-hints': '{uri}/secret.txt'}})?functions",
    "function-lookup(QName('http://www.w3.org/2005/xpath-functions', 'doc'), 1)('{uri}/secret.xml')",
    "parse-xml('<!DOCTYPE a [<!ENTITY e SYSTEM \"{uri}/secret.txt\">]><a>&e;</a>')",
    "parse-xml-fragment('<a/>')",
    "environment-variable('SECRET')",
    "available-environment-variables()",
    "system-property('user.home')",
]


@pytest.mark.parametrize("expression", REACHING)
@pytest.mark.parametrize(
    "place",
    [
        "<pattern><rule context='/'><assert test={}>A</assert></rule></pattern>",
        "<pattern><rule context='/'><assert test='false()'>A <value-of select={}/></assert></rule></pattern>",
        "<let name='x' value={}/>",
        "<pattern abstract='true' id='p'/><pattern is-a='p'><param name='x' value={}/></pattern>",
        "<ns prefix='f' uri='urn:f'/><xsl:function name='f:f'><xsl:sequence select={}/></xsl:function>",
    ],
)
def test_what_reaches_out_is_refused_by_the_compiler_wherever_it_stands(
    expression: str, place: str, secret: str
) -> None:
    with pytest.raises(NotCompiled, match="reaches outside the message"):
        compile_schematron(schema(place.format(quoteattr(expression.format(uri=secret)))))


@pytest.mark.parametrize(
    "instruction",
    [
        "<xsl:result-document href='x.xml'/>",
        "<xsl:source-document href='x.xml'/>",
        "<xsl:evaluate xpath='1'/>",
        "<xsl:message>x</xsl:message>",
        "<xsl:for-each select='1'><xsl:if test='1'><xsl:document/></xsl:if></xsl:for-each>",
    ],
)
def test_a_function_may_only_compute(instruction: str) -> None:
    inside = f"<ns prefix='f' uri='urn:f'/><xsl:function name='f:f'>{instruction}</xsl:function>"

    with pytest.raises(NotCompiled, match=r"xsl:[a-z-]+ is not supported here"):
        compile_schematron(schema(inside))


@pytest.mark.parametrize("element", ["include", "import", "use-package", "import-schema", "template", "output"])
def test_at_the_top_a_schema_may_have_functions_and_keys_only(element: str) -> None:
    with pytest.raises(NotCompiled, match=f"xsl:{element} is not supported here"):
        compile_schematron(schema(f"<xsl:{element} href='x.xsl' name='x' namespace='urn:x'/>"))


@pytest.mark.parametrize(
    "href", ["../x.sch", "/etc/x.sch", "http://example.org/x.sch", "a/b.sch", "a\\b.sch", "..", ""]
)
def test_only_files_of_the_same_folder_are_asked_for(href: str) -> None:
    asked: list[str] = []

    def resolve(name: str) -> bytes:
        asked.append(name)
        raise KeyError(name)

    with pytest.raises(NotCompiled, match="only files of the same folder may be included"):
        compile_schematron(schema(f"<include href='{href}'/>"), resolve)
    assert asked == []


def past_the_compiler(body: str, top: str = "") -> bytes:
    """A stylesheet that answers with what `body` gives, as if the compiler had let it through."""
    return f"""<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">{top}
      <xsl:template match="/"><failures count="1"><at path="/"><failure id="x" severity="error" kind="failed">
      {body}</failure></at></failures></xsl:template></xsl:stylesheet>""".encode()


@pytest.mark.parametrize("expression", REACHING)
def test_what_got_past_the_compiler_finds_nothing(
    workers: Workers, expression: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    select = quoteattr(f"serialize({expression.format(uri=secret)}, map{{'method': 'adaptive'}})")

    try:
        findings = check_compiled(workers, past_the_compiler(f"<xsl:value-of select={select}/>"), DOCUMENT)
    except NotCompiled:
        return  # Saxon HE does not even know the function
    (finding,) = findings

    # Neither its content, nor its name, nor that it is there
    assert not re.search("secret|true", finding.text.de), finding


@pytest.mark.parametrize(
    ("body", "top"),
    [
        ("<xsl:source-document href='{uri}/secret.xml'><xsl:copy-of select='.'/></xsl:source-document>", ""),
        ("<xsl:evaluate xpath='\"1\"'/>", ""),
        ("<xsl:call-template name='t'/>", "<xsl:include href='{uri}/secret.xsl'/>"),
        ("<xsl:call-template name='t'/>", "<xsl:import href='{uri}/secret.xsl'/>"),
        ("<xsl:result-document href='{uri}/written.xml'><x/></xsl:result-document>", ""),
    ],
)
def test_instructions_that_got_past_the_compiler_read_and_write_nothing(
    workers: Workers, body: str, top: str, secret: str, tmp_path: Path
) -> None:
    stylesheet = past_the_compiler(body.format(uri=secret), top.format(uri=secret))

    try:
        (finding,) = check_compiled(workers, stylesheet, DOCUMENT)
    except NotCompiled:
        pass
    else:
        assert finding.code == "schematron.not_evaluated"
    assert not (tmp_path / "written.xml").exists()


def test_nobody_is_called_over_the_network(workers: Workers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        uri = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        for function in ("doc", "unparsed-text", "collection", "json-doc"):
            body = f"<xsl:value-of select=\"{function}('{uri}')\"/>"
            (finding,) = check_compiled(workers, past_the_compiler(body), DOCUMENT)
            assert finding.code == "schematron.not_evaluated"

        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE antrag [<!ENTITY e "x">]>',
        '<!DOCTYPE antrag [<!ENTITY e SYSTEM "{uri}/secret.txt">]>',
        '<!DOCTYPE antrag SYSTEM "{uri}/secret.dtd">',
    ],
)
def test_a_doctype_that_got_past_our_parser_is_refused_by_saxon_too(
    workers: Workers, doctype: str, secret: str
) -> None:
    rules = rule("/*", '<report test="true()"><value-of select="name()"/></report>')
    stylesheet = compile_schematron(schema(rules))
    message = f'{doctype.format(uri=secret)}<antrag xmlns="urn:muster">&e;</antrag>'

    (failure,) = workers.schematron("doctype", [stylesheet], message.encode())

    assert (failure.rule, failure.error) == ("", "SXXP0003")


def test_a_message_cannot_write_into_the_answer(workers: Workers) -> None:
    # Given a value that looks like the answer's own elements
    forged = '</failure></at><at path="/"><failure id="forged" severity="info" kind="failed">'
    rules = rule("m:antrag", '<assert id="a" test="false()">Wert <value-of select="."/>, nicht <name/></assert>')
    document = f'<antrag xmlns="urn:muster">{escape(forged)}</antrag>'

    (finding,) = check_compiled(workers, compile_schematron(schema(rules)), document)

    assert finding.text.de == "Wert […], nicht antrag"
    assert etree.fromstring(document).text == forged
