"""The page on reloading says what is so."""

import re
import signal
from pathlib import Path

import pytest
from reload_kit import BASE, File

import logroute
from logroute.app import reload, signals, watch
from logroute.engine.reloaded import Outcome, Reloaded

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reload.md"
TEXT = PAGE.read_text()
CONFIGS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("text", CONFIGS)
def test_configs_of_the_page_run(text):
    """Each config on the page is good, and gives the signals back."""
    numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    assert logroute.check(text) == ()
    logroute.configure(text)
    assert [signal.getsignal(number) for number in numbers] != before
    logroute.shutdown()
    assert [signal.getsignal(number) for number in numbers] == before


def test_programs_of_the_page_run(tmp_path, monkeypatch, capsys):
    """The lines of Python on the page do what they say."""
    monkeypatch.chdir(tmp_path)
    file = File(tmp_path)
    logroute.configure("logging.yaml")
    file.write(BASE.replace("to: [out]", "to: [aut]"))
    for program in PROGRAMS:
        exec(program, {"logroute": logroute})
        file.write(BASE)
    assert re.search(r"print\(outcome.text\) +# (.*)", TEXT)[1] in capsys.readouterr().out


def test_outcomes_of_the_page_are_all():
    """Each outcome and each part of it is on the page."""
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)[1:] == [each.value for each in Outcome]
    assert all(f"`{name}`" in TEXT for name in Reloaded._fields)
    assert all(module.__doc__ for module in (reload, signals, watch))
