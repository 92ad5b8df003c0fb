"""The resend window as other threads ask it, amid changes by the one that owns it."""

import socket

import pytest

from logroute.sinks import window as window_module
from logroute.sinks.window import Window

FRAMES = [b"%d\n" % number for number in range(5)]


def taken(window):
    window.took([b"x" * 100] * 3)


def begun(window):
    window.took_part([b"x" * 1000], b"x" * 1000, 10, 0)


def lost(window):
    window.again = [*window.flying, *window.again]
    window.flying.clear()


@pytest.mark.parametrize("change", [taken, begun, lost])
def test_count_amid_a_change_is_no_smaller(monkeypatch, change):
    """What the peer has not confirmed is not taken for confirmed, whatever goes on meanwhile."""
    window = Window()
    window.took(FRAMES)

    def asked(_):
        change(window)
        return 10  # bytes of before

    monkeypatch.setattr(window_module, "_unacknowledged", asked)
    assert window.count(None) >= len(FRAMES)


def test_count_as_frames_go_out_again(monkeypatch):
    """Frames of a broken connection that are being sent anew are counted in one place at least."""
    window = Window()
    window.again = list(FRAMES)

    def asked(_):
        window.took(window.again)
        window.again = []
        return 0

    monkeypatch.setattr(window_module, "_unacknowledged", asked)
    assert window.count(None) >= len(FRAMES)


def test_closed_connection_has_confirmed_nothing():
    """Who asks with a socket that its thread has just closed hears of all that was in the air."""
    window = Window()
    window.took(FRAMES)
    sock = socket.socket()
    sock.close()
    assert window.count(sock) == len(FRAMES)
