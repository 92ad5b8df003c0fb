"""What reports for machines have to look like, as their standards say it.

`SARIF` describes the part of SARIF 2.1.0 (OASIS) that we write, more strictly than
the standard: nothing else may be there. `JUNIT` describes the JUnit XML that CI
servers read, by their common ground.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

Schema = dict[str, Any]

COUNT: Schema = {"type": "integer", "minimum": 0}
ORDINAL: Schema = {"type": "integer", "minimum": 1}
WORDS: Schema = {"type": "string", "minLength": 1}
LEVEL: Schema = {"enum": ["none", "note", "warning", "error"]}


def closed(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """Return the schema of an object that has no other properties."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


def listed(item: Schema, least: int = 0) -> Schema:
    return {"type": "array", "items": item, "minItems": least, "uniqueItems": False}


MESSAGE = closed({"text": WORDS})
# a URI reference (RFC 3986): no blanks, no other characters than ASCII
LOCATION = closed({"uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+$"}})
REGION = closed(
    {"startLine": ORDINAL, "startColumn": ORDINAL, "endLine": ORDINAL, "endColumn": ORDINAL}
)
PLACE = closed({"artifactLocation": LOCATION, "region": REGION})
REPLACEMENT = closed(
    {"deletedRegion": REGION, "insertedContent": closed({"text": {"type": "string"}})}
)
FIX = closed(
    {
        "description": MESSAGE,
        "artifactChanges": listed(
            closed({"artifactLocation": LOCATION, "replacements": listed(REPLACEMENT, 1)}), 1
        ),
    }
)
RESULT = closed(
    {
        "ruleId": {"type": "string", "pattern": "^LR[0-9]{3}$"},
        "ruleIndex": COUNT,
        "level": LEVEL,
        "message": MESSAGE,
        "locations": listed(closed({"physicalLocation": PLACE}), 1),
        "partialFingerprints": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        },
    },
    relatedLocations=listed(
        closed({"id": COUNT, "physicalLocation": PLACE, "message": MESSAGE}), 1
    ),
    fixes=listed(FIX, 1),
)
RULE = closed(
    {"id": WORDS, "name": WORDS, "shortDescription": MESSAGE},
    fullDescription=MESSAGE,
    help=MESSAGE,
    helpUri={"type": "string", "format": "uri"},
    defaultConfiguration=closed({"level": LEVEL}),
)
DRIVER = closed(
    {
        "name": WORDS,
        "version": WORDS,
        "semanticVersion": {"type": "string", "pattern": r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"},
        "rules": listed(RULE),
    }
)
INVOCATION = closed(
    {"executionSuccessful": {"type": "boolean"}, "exitCode": COUNT},
    toolExecutionNotifications=listed(closed({"level": LEVEL, "message": MESSAGE}), 1),
)
SARIF: Schema = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    **closed(
        {
            "$schema": {"type": "string", "pattern": r"^https://.*/sarif-schema-2\.1\.0\.json$"},
            "version": {"const": "2.1.0"},
            "runs": {
                **listed(
                    closed(
                        {
                            "tool": closed({"driver": DRIVER}),
                            "invocations": listed(INVOCATION, 1),
                            "artifacts": listed(closed({"location": LOCATION})),
                            "columnKind": {"const": "unicodeCodePoints"},
                            "results": listed(RESULT),
                        }
                    ),
                    1,
                ),
                "maxItems": 1,
            },
        }
    ),
}


class Tag(NamedTuple):
    """An element: its attributes, needed or not, its children, and whether it has text."""

    required: Sequence[str]
    optional: Sequence[str] = ()
    children: Mapping[str, "Tag"] = {}
    has_text: bool = False

    def validate(self, element: Element) -> None:
        """Raise AssertionError where an element is not like this."""
        names = set(element.keys())
        assert set(self.required) <= names <= {*self.required, *self.optional}, element.attrib
        for name in ("tests", "failures", "errors", "skipped"):
            assert element.get(name, "0").isdecimal()
        assert float(element.get("time", "0")) >= 0
        assert self.has_text or not (element.text or "").strip(), element.text
        for child in element:
            assert child.tag in self.children, child.tag
            self.children[child.tag].validate(child)
            assert not (child.tail or "").strip()


_OUTCOME = Tag(["type", "message"], has_text=True)
_CASE = Tag(
    ["name", "classname", "time"],
    children={"failure": _OUTCOME, "error": _OUTCOME, "system-out": Tag([], has_text=True)},
)
_COUNTS = ["name", "tests", "failures", "errors"]
JUNIT = Tag(
    _COUNTS,
    children={"testsuite": Tag([*_COUNTS, "skipped", "time"], children={"testcase": _CASE})},
)
