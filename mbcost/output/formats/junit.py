"""JUnit's XML, which CI systems show as tests: a case for each figure that was checked."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from mbcost.errors import visible
from mbcost.output.table import Table


def to_junit(table: Table, *, exact: bool = False) -> str:
    """Return a suite of the table's findings; one that failed has its message, then what it says
    at length."""
    failed = sum(not finding.passed for finding in table.findings)
    counts = {"tests": str(len(table.findings)), "failures": str(failed), "errors": "0"}
    suites = Xml.Element("testsuites", {"name": "mbcost", **counts})
    suite = Xml.SubElement(suites, "testsuite", {"name": visible(table.title), **counts})
    for finding in table.findings:
        named = {"classname": visible(finding.target), "name": visible(finding.name)}
        if finding.file:
            named["file"] = visible(finding.file)
        if finding.file and finding.line:
            named["line"] = str(finding.line)
        case = Xml.SubElement(suite, "testcase", named)
        if finding.passed and finding.message:
            Xml.SubElement(case, "system-out").text = visible(finding.message)
        if not finding.passed:
            lines = [visible(line) for line in finding.message.split("\n")]
            failure = Xml.SubElement(case, "failure", {"message": lines[0], "type": finding.level})
            failure.text = "\n".join(lines)
    Xml.indent(suites)
    declared = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{declared}{Xml.tostring(suites, encoding='unicode')}\n"
