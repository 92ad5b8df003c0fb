"""Description: the specs as one JSON Schema, committed and fresh."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest

from logroute.config import describe
from logroute.config.decode import FAMILIES
from logroute.config.describe import FILE_NAME, document, find_schema, render
from logroute.config.model import RouteSpec
from logroute.formatters import FormatterSpec
from logroute.options import Opt, options_of

SCHEMA = document()


def schemas(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping inside a schema."""
    if isinstance(part, dict):
        yield part
        for inner in part.values():
            yield from schemas(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from schemas(inner)


def test_committed_schema_is_fresh() -> None:
    """The file is what the specs say; `python -m logroute.config.describe` writes it."""
    assert find_schema().read_text(encoding="utf-8") == render()


def test_schema_is_valid_draft_seven() -> None:
    """The document is a JSON Schema, and names its draft."""
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_no_alternatives_blur_messages() -> None:
    """Kinds are told apart by `if`, never by `oneOf`."""
    assert not [part for part in schemas(SCHEMA) if "oneOf" in part]


def test_every_reference_leads_somewhere() -> None:
    """Each `$ref` is a definition of the document, and each definition is used."""
    used = {part["$ref"].rpartition("/")[2] for part in schemas(SCHEMA) if "$ref" in part}
    assert used == set(SCHEMA["definitions"])


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_kind_is_described(family: str) -> None:
    """Each kind has a definition that knows its name and no unknown keys."""
    for name in FAMILIES[family].names():
        definition = SCHEMA["definitions"][f"{family}-{name}"]
        assert definition["properties"]["type"]["const"] == name
        assert definition["additionalProperties"] is False


def test_every_option_has_a_sentence() -> None:
    """Hover texts and defaults come with each option."""
    mail = SCHEMA["definitions"]["handler-email"]["properties"]
    assert mail["port"]["description"].startswith("Port.")
    assert mail["security"]["default"] == "starttls"
    assert mail["security"]["enum"] == ["starttls", "tls", "none"]
    queue = SCHEMA["definitions"]["queue"]["properties"]
    assert (queue["max_bytes"]["default"], queue["block_for"]["default"]) == ("16MiB", "1s")
    for name, definition in SCHEMA["definitions"].items():
        for key, option in definition.get("properties", {}).items():
            assert option.get("description"), f"{name}.{key}"


def test_secrets_have_no_default() -> None:
    """Secret options are marked, so that forms hide them."""
    password = SCHEMA["definitions"]["handler-email"]["properties"]["password"]
    assert password["writeOnly"] is True
    assert "default" not in password


def test_planned_options_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor shows that the machinery is missing."""
    monkeypatch.setattr(options_of(RouteSpec)["name"], "planned", True)
    schema = document()
    route = schema["properties"]["routes"]["items"]
    name = schema["definitions"][route["$ref"].rpartition("/")[2]]["properties"]["name"]
    assert name["description"].endswith("Not yet available.")


def test_preamble_is_described() -> None:
    """What is used up before decoding is completed by editors too."""
    assert {"include", "vars", "profiles"} <= set(SCHEMA["properties"])


def test_schema_is_found_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside an installed package the schema lies in the package itself."""
    package = tmp_path / "logroute"
    (package / "schemas").mkdir(parents=True)
    inside = package / "schemas" / FILE_NAME
    monkeypatch.setattr(describe, "__file__", str(package / "config" / "describe.py"))
    assert find_schema() == tmp_path / "schemas" / FILE_NAME
    inside.write_text("{}")
    assert find_schema() == inside


def test_main_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that freshens the schema creates what is missing."""
    monkeypatch.setattr(describe, "__file__", str(tmp_path / "logroute" / "config" / "x.py"))
    describe.main()
    assert json.loads((tmp_path / "schemas" / FILE_NAME).read_text())["title"] == "logroute config"


def test_equal_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two specs that would share a definition are a mistake of ours."""

    class QueueSpec(FormatterSpec):
        """Not the queue of a handler."""

    class OtherSpec(FormatterSpec):
        """Uses it."""

        queue: Annotated[QueueSpec | None, Opt("A queue.")] = None

    monkeypatch.setitem(FAMILIES["formatter"]._found, "json", OtherSpec)
    with pytest.raises(ValueError, match="two specs would be called 'queue'"):
        document()
