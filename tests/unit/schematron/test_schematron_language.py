"""What the language of Schematron means, seen from outside: a schema, a message, the findings."""

from __future__ import annotations

import pytest
from schematron_support import check, rule, rules_of, schema

from xoev_schemas.schematron import NotCompiled, compile_schematron
from xoev_schemas.workers import Workers

DOG = """<antrag xmlns="urn:muster">
  <hund><name>Rex</name><alter>4</alter></hund>
  <hund chip="x"><name/><alter>vier</alter></hund>
</antrag>"""


def found(workers: Workers, inside: str, document: str = DOG) -> list[tuple[str, str]]:
    findings = check(workers, schema(inside), document)
    return list(zip(rules_of(findings), (finding.path for finding in findings), strict=True))


def test_assert_complains_where_its_test_is_false_and_report_where_it_is_true(workers: Workers) -> None:
    rules = rule("m:hund", '<assert id="a" test="m:name != \'\'">A</assert><report id="r" test="@chip">R</report>')

    assert found(workers, rules) == [("a", "/antrag/hund[2]"), ("r", "/antrag/hund[2]")]


def test_only_the_first_rule_of_a_pattern_that_fits_a_node_judges_it(workers: Workers) -> None:
    both = '<rule context="m:hund[1]"><assert id="one" test="false()">1</assert></rule>'
    both += '<rule context="m:hund"><assert id="two" test="false()">2</assert></rule>'

    assert found(workers, f"<pattern>{both}</pattern>") == [("one", "/antrag/hund[1]"), ("two", "/antrag/hund[2]")]


def test_a_node_is_judged_by_every_pattern(workers: Workers) -> None:
    rules = rule("m:antrag", '<assert id="one" test="false()">1</assert>')
    rules += rule("m:*", '<assert id="two" test="@chip or not(self::m:hund)">2</assert>')

    assert found(workers, rules) == [("one", "/antrag"), ("two", "/antrag/hund[1]")]


@pytest.mark.parametrize(
    ("context", "path"),
    [
        ("/", "/antrag"),
        ("/m:antrag", "/antrag"),
        ("@chip", "/antrag/hund[2]/@chip"),
        ("m:name/text()", "/antrag/hund[1]/name"),
    ],
)
def test_a_context_may_be_any_node(workers: Workers, context: str, path: str) -> None:
    assert found(workers, rule(context, '<assert id="a" test="false()">A</assert>')) == [("a", path)]


def test_an_abstract_rule_is_filled_in_with_its_variables(workers: Workers) -> None:
    rules = """<pattern>
      <rule id="named" abstract="true"><let name="n" value="m:name"/><assert id="a" test="$n = 'Rex'">A</assert></rule>
      <rule context="m:hund"><extends rule="named"/><assert id="b" test="$n != ''">B</assert></rule>
    </pattern>"""

    assert found(workers, rules) == [("a", "/antrag/hund[2]"), ("b", "/antrag/hund[2]")]


def test_an_abstract_pattern_is_filled_in_with_its_parameters(workers: Workers) -> None:
    patterns = """
      <pattern id="filled" abstract="true">
        <let name="least" value="$length"/>
        <rule context="$what"><assert id="a" test="string-length(.) ge $least">A</assert></rule>
      </pattern>
      <pattern is-a="filled"><param name="what" value="m:name"/><param name="length" value="1"/></pattern>
      <pattern is-a="filled"><param name="what" value="m:alter"/><param name="length" value="2"/></pattern>"""

    # Each has a variable of its own, although in XSLT both are global
    assert found(workers, patterns) == [("a", "/antrag/hund[2]/name"), ("a", "/antrag/hund[1]/alter")]


def test_variables_of_schema_pattern_and_rule_are_seen_below(workers: Workers) -> None:
    inside = '<let name="all" value="//m:hund"/>' + (
        '<pattern><let name="many" value="count($all)"/><rule context="m:antrag"><let name="more" value="$many + 1"/>'
        '<assert id="a" test="$more = 3 and (for $many in 5 return $many) = 5">A</assert>'
        '<assert id="b" test="$more = 4">B</assert></rule></pattern>'
    )

    assert found(workers, inside) == [("b", "/antrag")]


def test_functions_and_keys_of_xslt_work(workers: Workers) -> None:
    inside = """<ns prefix="f" uri="urn:functions"/>
      <xsl:key name="by-name" match="m:hund" use="m:name"/>
      <xsl:function name="f:double"><xsl:param name="n"/><xsl:sequence select="$n * 2"/></xsl:function>"""
    inside += rule(
        "m:antrag",
        '<assert id="a" test="f:double(2) = 4">A</assert><report id="r" test="key(\'by-name\', \'Rex\')">R</report>',
    )

    assert found(workers, inside) == [("r", "/antrag")]


def test_only_the_patterns_of_the_default_phase_are_active(workers: Workers) -> None:
    inside = '<phase id="short"><let name="no" value="false()"/><active pattern="two"/></phase>'
    for name in ("one", "two"):
        one = f'<assert id="{name}" test="false()">A</assert>'
        inside += f'<pattern id="{name}"><rule context="m:antrag">{one}</rule></pattern>'

    def active(attributes: str) -> list[str]:
        return rules_of(check(workers, schema(inside, f'queryBinding="xslt2" {attributes}'), DOG))

    assert active('defaultPhase="short"') == ["two"]
    assert active('defaultPhase="#ALL"') == ["one", "two"]
    assert active("") == ["one", "two"]


def test_a_file_of_the_same_folder_is_included(workers: Workers) -> None:
    rules = b"""<rule xmlns="http://purl.oclc.org/dsdl/schematron" context="m:antrag">
      <assert id="a" test="false()">A</assert></rule>"""
    schematron = schema('<pattern><include href="rules.sch"/></pattern>')

    assert rules_of(check(workers, schematron, DOG, {"rules.sch": rules})) == ["a"]


@pytest.mark.parametrize(
    ("attributes", "severity"),
    [
        ("", "error"),
        ('flag="fatal"', "error"),
        ('flag="warning"', "warning"),
        ('role="WARN"', "warning"),
        ('role="information"', "info"),
        ('role="sender" flag="warning"', "warning"),
        ('role="whatever"', "error"),
    ],
)
def test_severity_is_what_flag_or_role_says_and_an_error_otherwise(
    workers: Workers, attributes: str, severity: str
) -> None:
    (finding,) = check(workers, schema(rule("m:antrag", f'<assert test="false()" {attributes}>A</assert>')), DOG)

    assert finding.severity == severity


def test_the_place_is_the_subject_where_an_assertion_names_one(workers: Workers) -> None:
    rules = rule("m:antrag", '<assert id="a" test="false()" subject="m:hund[2]/m:name">A</assert>')

    (finding,) = check(workers, schema(rules), DOG)

    assert (finding.path, finding.line) == ("/antrag/hund[2]/name", 3)


def test_values_are_masked_names_and_counts_are_not(workers: Workers) -> None:
    rules = rule(
        "m:hund[1]",
        '<assert id="a" test="false()"><name/> Nr. <value-of select="count(m:name)"/> heißt <emph>bisher</emph> '
        '<value-of select="upper-case(m:name)"/>.</assert>',
    )

    (finding,) = check(workers, schema(rules), DOG)

    assert finding.text.de == "hund Nr. 1 heißt bisher […]."
    assert finding.found == "3 characters: letters"


def test_diagnostics_become_the_remedy(workers: Workers) -> None:
    inside = rule("m:antrag", '<assert id="a" test="false()" diagnostics="d1 d2">A</assert>')
    inside += """<diagnostics><diagnostic id="d1">Fragen Sie</diagnostic>
      <diagnostic id="d2">das Amt.</diagnostic></diagnostics>"""

    (finding,) = check(workers, schema(inside), DOG)

    assert finding.remedy.de == "Fragen Sie das Amt."
    assert finding.remedy.en == "In the words of the standard: Fragen Sie das Amt."


def test_a_rule_that_cannot_be_evaluated_is_a_finding_without_the_value_and_hides_no_other(workers: Workers) -> None:
    # Given a test that needs a number, on an age that is written as a word
    rules = rule(
        "m:alter", '<assert id="a" test="xs:integer(.) lt 3">A</assert><assert id="b" test="false()">B</assert>'
    )

    findings = check(workers, schema(rules), DOG)

    # Then the age that is a number is judged, and at the other one every other rule is
    assert [(f.code, rules_of([f])[0], f.path) for f in findings] == [
        ("schematron.failed", "a", "/antrag/hund[1]/alter"),
        ("schematron.failed", "b", "/antrag/hund[1]/alter"),
        ("schematron.not_evaluated", "a", "/antrag/hund[2]/alter"),
        ("schematron.failed", "b", "/antrag/hund[2]/alter"),
    ]
    assert "vier" not in str([f.as_dict() for f in findings])
    assert "FORG0001" in findings[2].text.de


def test_a_variable_that_cannot_be_evaluated_is_a_finding(workers: Workers) -> None:
    rules = rule("m:alter", '<let name="n" value="xs:integer(.)"/><assert id="a" test="$n lt 9">A</assert>')

    (finding,) = check(workers, schema(rules), DOG)

    assert (finding.code, finding.severity, finding.path) == (
        "schematron.not_evaluated",
        "error",
        "/antrag/hund[2]/alter",
    )


def test_of_very_many_failures_the_first_are_listed_and_the_others_counted(workers: Workers) -> None:
    document = f'<antrag xmlns="urn:muster">{"<x/>" * 20_000}</antrag>'

    findings = check(workers, schema(rule("m:x", '<assert id="a" test="false()">A</assert>')), document)

    assert len(findings) == 501
    assert findings[499].path == "/antrag/x[500]"
    assert (findings[500].code, findings[500].severity) == ("schematron.more", "info")
    assert findings[500].text.en == "19500 more findings are not listed."


ASSERT = '<assert test="true()">A</assert>'
XSLT2 = 'queryBinding="xslt2"'
PHASE = 'queryBinding="xslt2" defaultPhase="p"'
CIRCLE = '<pattern><rule abstract="true" id="y"><extends rule="y"/></rule></pattern>' + rule("x", '<extends rule="y"/>')


@pytest.mark.parametrize(
    ("inside", "attributes", "problem"),
    [
        ("", 'queryBinding="xpath"', "2: the query binding xpath is not supported, only xslt2 and xslt3"),
        ("", "", "2: the query binding xslt is not supported, only xslt2 and xslt3"),
        ("", 'queryBinding="xslt2" defaultPhase="x"', "2: the default phase x is not there"),
        ('<phase id="p"><active pattern="y"/></phase>', PHASE, "3: the pattern y is not there"),
        ('<pattern documents="y"/>', XSLT2, "3: the attribute documents of pattern is not supported"),
        ("<properties/>", XSLT2, "3: the element properties is not supported"),
        (rule("x", "<visit-each/>"), XSLT2, "3: the element visit-each is not supported"),
        (rule("x", "<xsl:variable name='y'/>"), XSLT2, "3: xsl:variable is not supported in rule"),
        (f"<rule context='x'>{ASSERT}</rule>", XSLT2, "3: rule is not supported in schema"),
        (f"<pattern>\n<rule>{ASSERT}</rule></pattern>", XSLT2, "4: rule lacks the attribute context"),
        (rule("x", "<assert>A</assert>"), XSLT2, "3: assert lacks the attribute test"),
        (rule("x", '<extends rule="y"/>'), XSLT2, "3: the abstract rule y is not there"),
        (CIRCLE, XSLT2, "3: the abstract rule y extends itself"),
        ('<pattern is-a="y"/>', XSLT2, "3: the abstract pattern y is not there"),
        (rule("x", '<assert test="1" diagnostics="y">A</assert>'), XSLT2, "3: the diagnostic y is not there"),
        ('<include href="y.sch"/>', XSLT2, "3: include of 'y.sch': the file is not there"),
        ("<pattern>", XSLT2, "4: not well-formed: Opening and ending tag mismatch"),
    ],
)
def test_what_is_not_supported_or_wrong_is_refused_by_name_and_line(inside: str, attributes: str, problem: str) -> None:
    with pytest.raises(NotCompiled) as refused:
        compile_schematron(schema(inside, attributes), {}.__getitem__, name="muster.sch")

    assert f"muster.sch:{problem}" in str(refused.value)


def test_a_file_that_includes_itself_is_refused() -> None:
    circle = b'<pattern xmlns="http://purl.oclc.org/dsdl/schematron"><include href="a.sch"/></pattern>'

    with pytest.raises(NotCompiled, match=r"a\.sch:1: include of 'a\.sch' leads back to itself"):
        compile_schematron(schema('<include href="a.sch"/>'), {"a.sch": circle}.__getitem__)


def test_something_else_than_a_schematron_schema_is_refused() -> None:
    with pytest.raises(NotCompiled, match="this is no ISO Schematron schema"):
        compile_schematron(b'<schema xmlns="http://www.ascc.net/xml/schematron"/>')


def test_faults_in_expressions_are_found_before_any_message_comes_with_file_and_line(workers: Workers) -> None:
    inside = (
        rule("m:antrag[", ASSERT)
        + "\n"
        + rule("m:hund", '\n<assert test="nothing(1)">A</assert>\n<report test="$x">R</report>')
    )
    stylesheet = compile_schematron(schema(inside), name="muster.sch")

    with pytest.raises(NotCompiled) as refused:
        workers.prove([stylesheet])

    assert [place for place, _ in refused.value.problems] == ["muster.sch:3", "muster.sch:5", "muster.sch:6"]
    assert "Variable $x has not been declared" in refused.value.problems[2][1]


def test_words_in_literals_and_comments_and_names_of_elements_are_no_functions(workers: Workers) -> None:
    test = (
        "'doc(x) (: \"' != '' (: doc('x') (: collection() :) unparsed-text('y') :) and not(m:doc) and not(m:document)"
    )

    assert found(workers, rule("m:antrag", f'<assert id="a" test="{test.replace(chr(34), "&quot;")}">A</assert>')) == []
