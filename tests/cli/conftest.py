"""Fixtures of the command's tests."""

import pytest
from check_kit import Checker, checker


@pytest.fixture
def check(tmp_path, monkeypatch, capsys) -> Checker:
    """Run `logroute check` in an empty directory that becomes the working one."""
    return checker(tmp_path, monkeypatch, capsys)
