"""The Prometheus exposition, as prometheus_client reads it, and the collector."""

import logging
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from stats_kit import ask, config, shown

import logroute
from logroute.contrib.prometheus import CONTENT_TYPE, Collector, exposition


def samples(text):
    """Return the values by name and labels, as prometheus_client reads them."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text, name, **labels):
    return samples(text)[name, frozenset(labels.items())]


def some_stats(tmp_path, name="out"):
    document = config(tmp_path)
    document["handlers"] = {name: document["handlers"]["out"]}
    document["routes"] = [{"to": [name]}]
    logroute.configure(document)
    logging.getLogger("app").info("x")
    assert logroute.flush(10)
    return logroute.stats()


def test_exposition_is_read_back(tmp_path):
    """Each counter has its value under its name, with the handler as a label."""
    some_stats(tmp_path)
    text = exposition()
    assert value(text, "logroute_handler_delivered_records_total", handler="out") == 1
    assert value(text, "logroute_accepted_records_total") == 1
    assert value(text, "logroute_info", version=logroute.__version__) == 1
    assert value(text, "logroute_handler_state", handler="out", state="ok") == 1
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")


def test_families_have_kind_and_help(tmp_path):
    """Every metric is described, once; counters end in _total, as the conventions ask."""
    some_stats(tmp_path)
    text = exposition()
    found = list(text_string_to_metric_families(text))
    names = [family.name for family in found]
    assert len(set(names)) == len(names) == text.count("# HELP ") == text.count("# TYPE ")
    assert all(family.documentation and family.type in ("counter", "gauge") for family in found)
    for family in found:
        assert all(
            sample.name.endswith("_total") == (family.type == "counter")
            for sample in family.samples
        )


def test_drops_begin_at_zero(tmp_path):
    """A reason is shown before its first loss, so that its increase can raise an alert."""
    some_stats(tmp_path)
    name = "logroute_handler_dropped_records_total"
    assert value(exposition(), name, handler="out", reason="queue_full") == 0


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "a\\nb", "ä€𝄞", "{}=,# "])
def test_label_values_are_escaped(tmp_path, name):
    """A handler's name may hold anything."""
    text = exposition(some_stats(tmp_path, name))
    assert value(text, "logroute_handler_enqueued_records_total", handler=name) == 1


def test_counters_never_go_back_at_reload(tmp_path):
    """A handler that a reload replaces goes on counting from where it was."""
    some_stats(tmp_path)
    again = config(tmp_path)
    again["handlers"]["out"]["path"] = str(tmp_path / "other.log")
    logroute.configure(again)
    logging.getLogger("app").info("y")
    assert logroute.flush(10)
    text = exposition()
    assert value(text, "logroute_handler_delivered_records_total", handler="out") == 2
    assert value(text, "logroute_accepted_records_total") == 2


def test_collector_agrees_with_text(tmp_path):
    """What a registry of prometheus_client serves has the same values as the text."""
    some_stats(tmp_path)
    registry = CollectorRegistry()
    registry.register(Collector())
    served, own = samples(generate_latest(registry).decode()), samples(exposition())
    assert served == own


def test_socket_serves_the_same(tmp_path):
    """The stats socket answers `metrics` with the same metrics."""
    _, path = shown(tmp_path)
    assert samples(ask(path, b"metrics\n").decode()).keys() == samples(exposition()).keys()


def test_nothing_configured_is_no_metric():
    """Before configure() there is nothing to tell, and no fault."""
    registry = CollectorRegistry()
    registry.register(Collector())
    assert generate_latest(registry).strip() == exposition().strip().encode() == b""


def test_exposition_needs_no_package():
    """The text, and the import of the module, do without prometheus_client."""
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "import logroute; from logroute.contrib.prometheus import exposition\n"
        "logroute.configure({'version': 1, 'handlers': {'n': {'type': 'null'}}, 'root': 'INFO',"
        " 'routes': [{'to': 'n'}]})\n"
        "print(exposition())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "logroute_accepted_records_total 0" in done.stdout
