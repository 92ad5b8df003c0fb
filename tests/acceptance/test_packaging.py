"""The wheel works by itself: schema, samples and command included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command, cwd):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A virtual environment with nothing but the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    code, output = run(
        sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", ROOT, cwd=folder
    )
    assert code == 0, output
    (wheel,) = (folder / "dist").glob("logroute-*.whl")
    code, output = run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    assert code == 0, output
    python = folder / "venv" / "bin" / "python"
    code, output = run(
        python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=folder
    )
    assert code == 0, output
    return python


@pytest.mark.timeout(400)
def test_wheel_finds_its_schema(installed, tmp_path):
    """A bad file gets its shape diagnosed by the schema in the wheel."""
    (tmp_path / "bad.yaml").write_text("version: 1\nhandlers: {a: {type: file, pth: x}}\n")
    code, output = run(installed, "-m", "logroute", "check", "bad.yaml", cwd=tmp_path)
    assert code == 1
    assert "bad.yaml:2:28: error[LR101]" in output
    assert "did you mean `path`?" in output
    code, output = run(installed, "-m", "logroute", "schema", "--path", cwd=tmp_path)
    assert (code, str(ROOT) in output) == (0, False)


@pytest.mark.timeout(400)
def test_wheel_carries_samples_and_types(installed, tmp_path):
    """The demo's sample is found, and py.typed is there."""
    code = (
        "import logroute, os; from logroute.cli.demo import sample_path; "
        "print(sample_path('demo.yaml')); "
        "assert os.path.exists(os.path.join(os.path.dirname(logroute.__file__), 'py.typed'))"
    )
    status, output = run(installed, "-c", code, cwd=tmp_path)
    assert status == 0, output
    assert str(ROOT) not in output


def test_checkout_finds_its_schema(tmp_path):
    """A bare checkout, neither installed nor on the path but by its folder, works."""
    (tmp_path / "bad.yaml").write_text("version: 1\nhandlers: {a: {type: fiel}}\n")
    link = tmp_path / "checkout"
    link.symlink_to(ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "logroute", "check", str(tmp_path / "bad.yaml")],
        cwd=link,
        env={**os.environ, "PYTHONPATH": str(link)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "did you mean `file`?" in done.stdout


def test_top_level_is_as_agreed():
    """The top level holds what the design lists, and nothing else."""
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    agreed = {"pyproject.toml", "README.md", "logroute", "schemas", "tests", "sample-configs"}
    agreed |= {
        "benchmarks",
        "docs",
        "Makefile",
        ".pre-commit-hooks.yaml",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
    }
    assert set(listed) - agreed <= {".ci", ".gitignore"}
    assert agreed <= set(listed)
