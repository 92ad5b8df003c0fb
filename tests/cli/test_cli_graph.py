"""`logroute graph`: what people see of a config, in each format."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise

import jsonschema
import pytest
from cli_kit import ROOT, logroute

from logroute.cli.graphs import dot, html, mermaid, svg, tree
from logroute.cli.graphs import json as graph_json
from logroute.cli.graphs.build import build
from logroute.cli.graphs.layout import arrange
from logroute.cli.graphs.paint import text_width, wrap
from logroute.cli.graphs.words import Scale
from logroute.config.load import load
from logroute.levels import HIGHEST

FORMATS = {"tree": tree, "mermaid": mermaid, "dot": dot, "svg": svg, "html": html}
SAMPLES = sorted((ROOT / "sample-configs").glob("*.yaml"))

CONFIG = """\
version: 1
handlers:
  console: {type: console, stream: stdout}
  mail:
    type: email
    host: mx.example.org
    from: a@example.org
    to: [ops@example.org]
    level: ERROR
    filters: [redact]
  spare: {type: file, path: logs/spare.log}
  db-file: {type: file, path: /var/log/db.log}
filters: {redact: {type: redact}}
formatters: {old: {format: "%(message)s"}}
root: {level: INFO}
loggers:
  app: DEBUG
  app.db: {level: WARNING, handlers: [db-file], propagate: false}
  app.web: {}
routes:
  - {match: {logger: app}, to: console, final: true}
  - {name: lost, match: {logger: app.x, level: ERROR}, to: mail}
  - {match: {level: =INFO}, to: [mail, console]}
  - {match: {level: ERROR, message: oops}, to: mail, final_below: CRITICAL}
"""

ODD = '"quotes" [brackets] {braces} <b>&amp; `ticks` #35; 日本語 \\\\n %% a|b; 1. *x*'


def draw(text, format="tree", **options):
    return FORMATS[format].render(build(load(text, advise=True), "logging.yaml"), **options)


def graph(tmp_path, *options, text=CONFIG, **more):
    (tmp_path / "c.yaml").write_text(text)
    return logroute("graph", "c.yaml", *options, cwd=tmp_path, **more)


def routes_of(count):
    """Return a config with many routes to few handlers."""
    lines = ["version: 1", "root: {level: INFO}", "handlers:"]
    lines += [f"  h{n}: {{type: file, path: /var/log/h{n}.log}}" for n in range(6)]
    lines.append("routes:")
    for n in range(count):
        match = f"{{logger: app.part{n}, level: WARNING, message: 'a {'long ' * (n % 30)}text'}}"
        lines.append(f"  - {{match: {match}, to: [h{n % 6}, h{n * n % 5}], final: {n % 7 == 0}}}")
    return "\n".join(lines).replace("True", "true").replace("False", "false") + "\n"


# -- the tree


def test_tree_shows_the_way_of_records(tmp_path):
    """Loggers, routes from top to bottom and handlers; dead ends have dashes."""
    code, out, err = graph(tmp_path)
    assert (code, err) == (0, "")
    assert re.sub(r"  \[LR[^]]*\]", "", out).splitlines() == [
        "c.yaml",
        "",
        "loggers",
        "  root           INFO",
        "  └─ app         DEBUG",
        "     ├─ app.db   WARNING  -> db-file  ■ propagate: false",
        "     └─ app.web  DEBUG (from app)",
        "",
        "routes, from top to bottom",
        "  ── 1  logger: app                                  -> console  ■ final",
        "  ╌╌ 2  lost: level: ERROR and above; logger: app.x  ╌╌> mail  unreachable",
        "  ── 3  level: INFO                                  -> ╌mail╌, console",
        "  ── 4  level: ERROR and above; message: oops        -> mail  ■ final below CRITICAL",
        "",
        "no route wants: above INFO  -> to stderr",
        "",
        "handlers",
        "  ── console  console  stdout              as text",
        "  ── mail     email    mx.example.org:587  ERROR and above; through redact; as text",
        "  ╌╌ spare    file     logs/spare.log      as text  unused",
        "  ── db-file  file     /var/log/db.log     as text",
        "",
        "unused: formatter old",
    ]


def test_findings_stand_where_they_belong(tmp_path):
    """The codes of a check's warnings follow the route or handler that they are about."""
    _, out, _ = graph(tmp_path)
    found = {line.split()[1]: line for line in out.splitlines() if "[LR" in line}
    assert "unreachable  [LR302]" in found["2"]
    assert "unused  [LR202" in found["spare"]


def test_ascii_terminals_get_ascii(tmp_path):
    """Where lines cannot be shown, signs take their place; nothing is escaped."""
    _, out, _ = graph(tmp_path, environment={"PYTHONIOENCODING": "ascii"})
    assert out.isascii() and "\\u" not in out
    assert "  `- app " in out and "  .. 2 " in out and "..> mail" in out


def test_colours_are_asked_for(tmp_path):
    """Colours come on request, and never into a file."""
    assert "\x1b[" not in graph(tmp_path)[1]
    assert "\x1b[" in graph(tmp_path, "--color", "always")[1]
    graph(tmp_path, "--color", "always", "-o", "tree.txt")
    assert "\x1b[" not in (tmp_path / "tree.txt").read_text()


def test_old_files_show_loggers_and_handlers():
    """A dictConfig file has no routes; loggers point at their handlers."""
    out = draw(
        """\
version: 1
handlers:
  file: {class: logging.handlers.RotatingFileHandler, filename: logs/a.log, level: INFO}
  later: {class: logging.handlers.MemoryHandler, capacity: 9, target: file}
  mail: {class: logging.handlers.SMTPHandler, mailhost: [mx.example.org, 25], fromaddr: a@b.org,
         toaddrs: [c@d.org], subject: x, credentials: [me, hunter2]}
  own: {(): some.where.Handler, password: hunter2, host: h.example.org, port: 9}
root: {handlers: [later, mail]}
loggers: {app: {level: DEBUG, handlers: [own]}}
"""
    )
    assert "  root    WARNING (stdlib's default)  -> later, mail" in out
    assert "  └─ app  DEBUG  -> own" in out
    assert "routes" not in out and "hunter2" not in out
    assert "── file   RotatingFileHandler  logs/a.log" in out
    assert re.search(r"── later  MemoryHandler +then -> file\n", out)
    assert "── mail   SMTPHandler          mx.example.org:25" in out
    assert "── own    Handler              h.example.org:9" in out


# -- the model


def test_reached_means_that_a_record_gets_there():
    """Handlers behind levels that no logger makes, or dead routes only, are not reached."""
    found = build(load(CONFIG, advise=True), "c")
    assert [h.name for h in found.handlers if not h.is_reached] == ["spare"]
    dead = CONFIG.replace("  - {match: {level: ERROR, message", "  - {match: {level: =15, message")
    found = build(load(dead, advise=True), "c")
    assert [h.name for h in found.handlers if not h.is_reached] == ["mail", "spare"]
    assert [h.is_used for h in found.handlers] == [True, True, False, True]


def test_every_sample_has_its_edges():
    """Each node has a unique id, and edges join nodes that are there."""
    for path in SAMPLES:
        found = build(load(str(path), read_secrets=False, advise=True), path.name)
        nodes = (*found.loggers, *found.routes, found.exit, *found.handlers, *found.destinations)
        ids = [node.id for node in nodes]
        assert len(set(ids)) == len(ids)
        assert {end for edge in found.edges for end in (edge.source, edge.target)} <= set(ids)
        assert all(handler.is_reached for handler in found.handlers), path.name


def test_handlers_of_one_place_share_a_destination():
    """Two handlers that write one file point at one destination."""
    text = "version: 1\nhandlers:\n  a: {type: file, path: x.log}\n"
    text += "  b: {type: file, path: x.log}\nroutes: [{to: [a, b]}]\n"
    found = build(load(text, advise=True), "c")
    assert [item.text for item in found.destinations] == ["x.log"]
    assert sum(edge.kind == "delivers" for edge in found.edges) == 2


def test_json_holds_to_its_schema(tmp_path):
    """The JSON document of every sample and of an old file validates."""
    schema = json.loads((ROOT / "schemas" / "graph.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    for path in SAMPLES:
        found = build(load(str(path), read_secrets=False, advise=True), path.name)
        jsonschema.validate(json.loads(graph_json.render(found)), schema)
    document = json.loads(graph(tmp_path, "--format", "json")[1])
    jsonschema.validate(document, schema)
    assert [route["unreachable"] for route in document["routes"]] == [False, True, False, False]
    assert document["unmatched"]["levels"] == "above INFO"
    assert document["routes"][2]["levels"] == [{"from": 20, "to": 20}]


# -- secrets and odd text


@pytest.mark.parametrize("format", [*FORMATS, "json"])
def test_secrets_stay_out(format):
    """No secret option, secret variable or user of a URL gets into any format."""
    text = """\
version: 1
handlers:
  mail: {type: email, host: mx.example.org, from: a@example.org, to: b@example.org,
         username: me, password: hunter2}
  web: {type: http, url: "https://logs.example.org/in?key=hunter2", auth: {bearer: hunter2}}
  old: {class: some.Handler, url: "https://me:hunter2@example.org/x"}
  file: {type: file, path: "${LOG_TOKEN}"}
context: {token: hunter2}
routes:
  - {name: "${LOG_TOKEN}", match: {message: "${LOG_TOKEN}"}, to: [mail, web]}
  - {match: {any: [{fields: {password: hunter2}}, {logger: "${LOG_TOKEN}"}]}, to: [old, file]}
  - {match: {not: {message: "${LOG_TOKEN}"}}, to: file}
root: INFO
"""
    loaded = load(text, environ={"LOG_TOKEN": "hunter2"}, read_secrets=False, advise=True)
    module = graph_json if format == "json" else FORMATS[format]
    out = module.render(build(loaded, "logging.yaml"))
    assert "hunter2" not in out
    assert "********" in out or "#42;" in out


def odd_config():
    name = json.dumps(ODD)
    return f"""\
version: 1
handlers:
  {name}: {{type: file, path: {name}}}
loggers:
  {name}: DEBUG
  "line\\nbreak\\u202e\\u0007": INFO
routes:
  - {{name: {name}, match: {{message: {json.dumps("[a-z]+")}, fields: {{x: {name}}}}}, to: {name}}}
"""


@pytest.mark.parametrize("format", ["svg", "html"])
def test_odd_names_are_escaped_in_markup(format):
    """Whatever names say, the picture is well-formed and shows them as they are."""
    out = draw(odd_config(), format)
    picture = out[out.index("<svg") : out.index("</svg>") + 6]
    texts = [node.text for node in ET.fromstring(picture).iter() if node.text]
    assert any(text.startswith('"quotes" [brackets]') for text in texts)
    assert "<b>" not in out and "\x07" not in out and "\u202e" not in out


def test_odd_names_are_escaped_in_dot():
    """Labels of nodes end where they should; rows of routes are markup."""
    out = draw(odd_config(), "dot")
    label = re.search(r'"handler/1" \[label="((?:[^"\\]|\\.)*)", fillcolor', out)
    told = label[1].replace("\\n", " ").replace('\\"', '"').replace("\\\\", "\\")
    assert told.startswith('"quotes" [brackets] {braces} <b>&amp; `ticks`')
    table = ET.fromstring(re.search(r"label=<(<table.*</table>)>\]", out)[1])
    assert "".join(table.itertext()).count("[brackets]") >= 2


def test_odd_names_are_coded_in_mermaid():
    """Labels hold entity codes for what Mermaid would read; decoded they say the same."""
    out = draw(odd_config(), "mermaid")
    for line in out.splitlines():
        for label in re.findall(r'"([^"]*)"', line):
            inner = label.replace("<br/>", " ")
            assert not set(inner) & set('"`<>[]{}|*_%\\&'), line
            assert all(re.match(r"#\d+;", inner[m.start() :]) for m in re.finditer("#", inner))
    (line,) = [line for line in out.splitlines() if line.startswith("    handler1")]
    decoded = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), line)
    assert 'handler1["' + json.loads(json.dumps(ODD)) + "<br/>file, as text" in decoded


def test_mermaid_lists_every_route_in_order():
    """The source reads as a flowchart with groups; dead parts have their class."""
    out = draw(CONFIG, "mermaid").splitlines()
    assert out[0] == "flowchart LR"
    assert '    route1["route 1<br/>logger: app<br/>final"]:::route' in out
    assert (
        '    route2["2: lost<br/>level: ERROR and above<br/>logger: app.x<br/>unreachable"]:::dead'
        in out
    )
    assert {"  route1 --> route2", "  route2 -.-> handler2", "  logger0 ==> route1"} <= set(out)
    assert sum(line.startswith("  subgraph") for line in out) == sum(
        line == "  end" for line in out
    )


# -- the picture


def test_picture_is_self_contained(tmp_path):
    """The SVG and the page name nothing outside themselves and run no script."""
    for format in ("svg", "html"):
        out = draw(CONFIG, format)
        addresses = set(re.findall(r"""https?://[^\s"'<]+""", out))
        assert addresses <= {"http://www.w3.org/2000/svg"}
        assert not re.search(r"<script|<link|<image|@import|url\(", out)
        assert "prefers-color-scheme:dark" in out
    assert draw(CONFIG, "svg").startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg ')


def test_picture_marks_what_matters():
    """Dead cards are marked in words; final, silence and the way out are drawn."""
    out = draw(CONFIG.replace("to: console, final", "to: [], final"), "svg")
    root = ET.fromstring(out.partition("\n")[2])
    cards = [
        (node.get("class"), " ".join(text for text in node.itertext() if text))
        for node in root.iter("{http://www.w3.org/2000/svg}g")
        if node.get("class", "").startswith("n ")
    ]
    dead = [text for style, text in cards if style.endswith(" dead")]
    assert any("unreachable" in text and "lost" in text for text in dead)
    assert any("unused" in text and "spare" in text for text in dead)
    texts = [text for _, text in cards]
    assert any("final" in text and "to nobody" in text for text in texts)
    assert any("no route wants it" in text and "above INFO" in text for text in texts)


@pytest.mark.parametrize("count", [1, 7, 60])
def test_cards_never_overlap(count):
    """Cards of a column stand apart, all within the picture, edges between columns."""
    picture = arrange(build(load(routes_of(count), advise=True), "many.yaml"))
    for column in picture.columns:
        cards = sorted(column.cards, key=lambda card: card.y)
        for upper, lower in pairwise(cards):
            assert upper.y + upper.height < lower.y
        for card in cards:
            assert column.x <= card.x and card.x + card.width <= column.x + column.width + 0.01
            assert card.y > 0 and card.y + card.height <= picture.height
    for left, right in pairwise(picture.columns):
        assert left.x + left.width + 50 < right.x
    for curve in picture.curves:
        assert curve.x1 < curve.x2 or curve.returns


@pytest.mark.parametrize("count", [1, 60])
def test_text_stays_on_its_card(count):
    """Measured with the widest of usual fonts, no text leaves its card."""
    out = draw(routes_of(count).replace("app.part", f"app.{'very.' * 9}part"), "svg")
    space = "{http://www.w3.org/2000/svg}"
    for group in ET.fromstring(out.partition("\n")[2]).iter(f"{space}g"):
        if not group.get("class", "").startswith("n "):
            continue
        width = float(next(group.iter(f"{space}rect")).get("width"))
        for text in group.iter(f"{space}text"):
            style, size = text.get("class").split(), float(text.get("font-size"))
            wide = text_width(text.text, size, is_bold="b" in style, is_mono="mono" in style)
            start = float(text.get("x")) - (wide / 2 if "mid" in style else 0)
            assert start >= 0 and start + wide <= width, text.text


def test_long_text_is_wrapped_then_cut():
    """Lines break behind spaces and signs; what is longer than allowed ends with dots."""
    assert wrap("one two three", 60, 11) == ["one two", "three"]
    assert wrap("/var/log/application/today.log", 110, 11, is_mono=True) == [
        "/var/log/",
        "application/",
        "today.log",
    ]
    lines = wrap("word " * 100, 80, 11, most=2)
    assert len(lines) == 2 and lines[1].endswith("…")
    assert wrap("", 80, 11) == [""]


# -- the command


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.svg", "<?xml"),
        ("a.html", "<!doctype html>"),
        ("a.mmd", "flowchart LR"),
        ("a.gv", "digraph logroute {"),
        ("a.json", "{"),
        ("a.txt", "c.yaml"),
    ],
)
def test_suffix_says_the_format(tmp_path, name, start):
    """Without --format the name of the output file decides."""
    code, out, err = graph(tmp_path, "-o", name)
    assert (code, out, err) == (0, "", "")
    assert (tmp_path / name).read_text().startswith(start)


def test_output_is_stable(tmp_path):
    """Three hash seeds give the same bytes in every format."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    script = (
        "from logroute.cli import main\nfor format in 'tree mermaid dot svg html json'.split():"
    )
    script += "\n    assert main(['graph', 'c.yaml', '--format', format]) == 0"
    runs = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(runs) == 1


def test_config_is_not_overwritten(tmp_path):
    """Neither the config nor an unknown format is written to."""
    code, _, err = graph(tmp_path, "-o", "c.yaml", "--format", "svg")
    assert (code, "c.yaml is the config itself" in err) == (2, True)
    assert (tmp_path / "c.yaml").read_text() == CONFIG
    code, _, err = graph(tmp_path, "-o", "picture.png")
    assert (code, "which format is picture.png?" in err) == (2, True)
    assert not (tmp_path / "picture.png").exists()


def test_bad_file_ends_with_its_report(tmp_path):
    """A config that cannot be used is told of, with exit 2."""
    code, out, _ = graph(tmp_path, text=CONFIG.replace("to: mail}", "to: male}"))
    assert (code, "error[LR201]: handler `male` is not defined" in out) == (2, True)
    assert logroute("graph", "none.yaml", cwd=tmp_path)[0] == 2


def test_profile_and_standard_input_count(tmp_path):
    """A profile is laid over the file, and named; - reads standard input."""
    text = CONFIG + "profiles: {loud: {root: {level: DEBUG}}}\n"
    code, out, _ = logroute("graph", "-", "--profile", "loud", stdin=text.encode())
    assert code == 0
    assert out.startswith("<stdin>  (profile loud)\n") and "  root           DEBUG" in out


def test_levels_are_said_as_people_do():
    """Stretches of levels end with the named level before; odd ones keep their numbers."""
    scale = Scale({"TRACE": 5})
    said = {
        (0, HIGHEST): "every level",
        (40, HIGHEST): "ERROR and above",
        (41, HIGHEST): "above ERROR",
        (35, HIGHEST): "level 35 and above",
        (20, 39): "INFO..WARNING",
        (20, 30): "INFO..WARNING",
        (20, 35): "INFO..level 35",
        (40, 40): "ERROR",
        (0, 29): "INFO and below",
        (0, 4): "below TRACE",
        (31, 38): "levels 31..38",
    }
    assert {pair: scale.say(*pair) for pair in said} == said


def test_picture_in_the_docs_is_drawn_today():
    """The picture in docs/ is what the command draws of its sample."""
    sample = ROOT / "sample-configs" / "fan-out.yaml"
    loaded = load(str(sample), environ={}, read_secrets=False, advise=True)
    drawn = svg.render(build(loaded, "sample-configs/fan-out.yaml"))
    assert (
        re.sub(r"/\S*/sample-configs", "sample-configs", drawn)
        == (ROOT / "docs" / "fan-out.svg").read_text()
    )


def test_tree_in_the_docs_is_drawn_today():
    """The tree in docs/pictures.md is what the command prints of the sample."""
    docs = (ROOT / "docs" / "pictures.md").read_text()
    code, out, _ = logroute("graph", "sample-configs/fan-out.yaml", cwd=ROOT)
    assert code == 0
    assert "".join(f"    {line}".rstrip() + "\n" for line in out.splitlines()) in docs
