"""Networks and servers that fail, row by row of the fault catalogue; each in its own process."""

import pytest
from network_kit import run_child

BREAKS = """
def drop(receiver):
    receiver.drop_connections()

def stop_and_start(receiver):
    receiver.stop()
    receiver._wanted_port = port
    receiver.start()
"""


def test_server_that_is_down_at_the_start():
    """Fault 38: what is logged before the server is there arrives once, in order."""
    told = run_child(
        """
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        configure(f"127.0.0.1:{port}")
        for n in range(1000):
            log.info("%d", n)
        assert not logroute.flush(0.2)
        with TcpReceiver(port=port) as receiver:
            done = logroute.flush(20)
            receiver.wait_for(1000)
            tell(done=done, got=[int(item) for item in receiver.received], counts=counts())
        """
    )
    assert told["done"] and told["got"] == list(range(1000))
    assert told["counts"]["delivered"] == 1000 and told["counts"]["dropped"] == {}


@pytest.mark.parametrize("how", ["drop", "stop_and_start"])
def test_restarts_under_load(how):
    """Fault 39: restarts at 500 records a second lose nothing, and repeat one batch at most."""
    told = run_child(
        f"""
        {BREAKS.strip().replace(chr(10), chr(10) + " " * 8)}

        with TcpReceiver() as receiver:
            port = receiver.port
            configure(receiver.address, batch={{"max_wait": 0.01}})
            pause = threading.Event()
            for n in range(1500):
                log.info("%d", n)
                pause.wait(0.002)
                if n % 400 == 399:
                    {how}(receiver)
            done = logroute.flush(20)
            logroute.shutdown(10)
            receiver.wait_until(lambda: len(set(receiver.received)) >= 1500, 5)
            tell(done=done, got=[int(item) for item in receiver.received],
                 connections=receiver.connections)
        """
    )
    got = told["got"]
    assert set(got) == set(range(1500))
    assert len(got) - 1500 <= 30
    assert told["connections"] >= 4


def test_idle_connection_is_closed_by_a_load_balancer():
    """Fault 40: the first records after a silent close are not lost, nor is any repeated."""
    told = run_child(
        """
        with TcpReceiver() as receiver:
            configure(receiver.address)
            for n in range(9):
                log.error("%d", n)
                logroute.flush(5)
                receiver.wait_for(n + 1)
                if n % 3 == 2:
                    receiver.drop_connections()
                    receiver.wait_until(lambda: not receiver._open)
            tell(got=[int(item) for item in receiver.received])
        """
    )
    assert told["got"] == list(range(9))


@pytest.mark.parametrize("heals", [True, False])
def test_half_open_connection(heals):
    """Fault 41: packets that vanish, for a while or for ever, cost no record."""
    told = run_child(
        f"""
        from network_kit import deaf

        with TcpReceiver() as receiver:
            configure(receiver.address, timeout={{"send": 0.4}}, batch={{"max_wait": 0.01}})
            log.error("first")
            receiver.wait_for(1)
            (peer,) = receiver._open
            with contextlib.ExitStack() as stack:
                stack.enter_context(deaf(peer))
                pause = threading.Event()
                for n in range(200):
                    log.error("%d", n)
                    pause.wait(0.001 if {heals} else 0.005)
                if {heals}:
                    stack.close()
                logroute.flush(10)
                logroute.shutdown(10)
                receiver.wait_until(lambda: len(set(receiver.received)) >= 201)
            tell(got=[item.decode() for item in receiver.received],
                 connections=receiver.connections)
        """
    )
    got = told["got"]
    assert set(got) == {"first", *map(str, range(200))}
    assert len(got) == 201 if heals else len(got) <= 401
    assert heals or told["connections"] >= 2


@pytest.mark.parametrize("end", ["pass", "logroute.shutdown(0.2)"])
def test_end_beside_a_half_open_connection(end):
    """Fault 41: what nobody has acknowledged as the process ends is no delivery."""
    told = run_child(
        f"""
        import atexit
        from network_kit import deaf

        def tell_late():  # after the hook that closes the handlers
            counts = runtime.stats()["handlers"]["out"]
            tell(counts={{key: counts[key] for key in ("delivered", "dropped", "in_flight")}})

        atexit.unregister(logging.shutdown)
        atexit.register(tell_late)
        atexit.register(logging.shutdown)
        server = socket.create_server(("127.0.0.1", 0))
        configure(f"127.0.0.1:{{server.getsockname()[1]}}", timeout={{"send": 20}})
        runtime.shutdown_timeout_s = 0.3
        log.error("first")
        peer, _ = server.accept()
        assert peer.recv(100) == b"first\\n"
        held = deaf(peer)
        held.__enter__()
        for n in range(5):
            log.error("%d", n)
        while counts()["delivered"] < 6:
            time.sleep(0.01)
        {end}
        """,
        timeout_s=20,
    )
    assert told["counts"] == {"delivered": 1, "dropped": {"unacknowledged": 5}, "in_flight": 0}
    assert "5 unacknowledged" in told["stderr"]


def test_peer_that_never_reads():
    """Fault 42: one connection, no stalled caller, every loss counted, and the end in time."""
    told = run_child(
        """
        with TcpReceiver(stall=True) as receiver:
            configure(receiver.address, timeout={"send": 0.2}, queue={"max_records": 2000})
            slowest = 0.0
            for n in range(30_000):
                begun = time.perf_counter()
                log.error("%d %s", n, "x" * 5000)  # what waits is more than sockets hold
                slowest = max(slowest, time.perf_counter() - begun)
            logroute.flush(1.5)
            told = counts()
            connections = receiver.connections
            logroute.shutdown(0.5)
            tell(counts=told, connections=connections, slowest=slowest, after=counts())
        """
    )
    counts = told["counts"]
    assert told["connections"] == 1
    assert told["slowest"] < 1  # a send that the caller waited for would take 0.2 s and more, often
    assert counts["enqueued"] == (
        counts["delivered"] + sum(counts["dropped"].values())
        + counts["queued"] + counts["in_flight"]
    )  # fmt: skip
    assert counts["dropped"]["queue_full"] > 1000
    assert told["stderr"].count("reads nothing or too slowly") == 1
    assert len(told["stderr"]) < 2000


def test_stopped_server_goes_on():
    """Fault 42: a server that is stopped and continued gets all, once, on one connection."""
    told = run_child(
        """
        SERVER = (
            "import socket, sys\\n"
            "server = socket.create_server(('127.0.0.1', 0))\\n"
            "print(server.getsockname()[1], flush=True)\\n"
            "for n in range(1):\\n"
            "    sys.stdout.buffer.write(server.accept()[0].makefile('rb').read())\\n"
        )
        with running(SERVER) as child:
            port = int(child.stdout.readline())
            queue = {"max_records": 30_000, "max_bytes": "100MB", "overflow": "drop_newest"}
            configure(f"127.0.0.1:{port}", timeout={"send": 0.2}, queue=queue)
            log.error("first")
            logroute.flush(5)
            os.kill(child.pid, signal.SIGSTOP)
            for n in range(10_000):
                log.error("%d %s", n, "x" * 1000)
            stalled = not logroute.flush(1.5)
            os.kill(child.pid, signal.SIGCONT)
            reader = []
            thread = threading.Thread(target=lambda: reader.append(child.stdout.read()))
            thread.start()
            logroute.shutdown(20)
            thread.join()
            got = [line.split()[0].decode() for line in reader[0].splitlines()]
            tell(stalled=stalled, right=got == ["first", *map(str, range(10_000))], many=len(got))
        """
    )
    assert told["stalled"] and told["right"], told


def test_killed_server_loses_what_its_kernel_had_taken_only():
    """Fault 42: a server killed while it does not read loses its receive buffer, no more."""
    told = run_child(
        """
        SERVER = (
            "import socket, sys\\n"
            "server = socket.socket()\\n"
            "server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\\n"
            "server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)\\n"
            "server.bind(('127.0.0.1', 0))\\n"
            "server.listen()\\n"
            "print(server.getsockname()[1], flush=True)\\n"
            "peer = server.accept()[0]\\n"
            "print(peer.recv(6), flush=True)\\n"
            "sys.stdin.read()\\n"
        )
        with running(SERVER) as child:
            port = int(child.stdout.readline())
            queue = {"max_records": 30_000, "max_bytes": "100MB", "overflow": "drop_newest"}
            configure(f"127.0.0.1:{port}", timeout={"send": 0.2}, queue=queue)
            log.error("first")
            child.stdout.readline()
            for n in range(10_000):
                log.error("%d %s", n, "x" * 1000)
            logroute.flush(1)
            child.kill()
        with TcpReceiver(port=port) as receiver:
            done = logroute.flush(30)
            logroute.shutdown(10)
            receiver.wait_until(lambda: receiver.received[-1:] and
                                receiver.received[-1].startswith(b"9999 "))
            tell(done=done, got=[int(line.split()[0]) for line in receiver.received])
        """
    )
    got = told["got"]
    assert told["done"]
    assert got == list(range(got[0], 10_000))  # a head is missing, in one piece
    assert got[0] * 1000 < 400_000


def test_blackhole_holds_nobody():
    """Fault 43: a host that swallows packets costs neither `configure` nor a call nor the exit."""
    told = run_child(
        """
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            waiting = []
            for _ in range(3):  # what the backlog has no room for gets no answer
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(full.getsockname())
                waiting.append(sock)
            begun = time.monotonic()
            configure(f"127.0.0.1:{full.getsockname()[1]}", timeout={"connect": 0.2})
            log.error("x")
            took = time.monotonic() - begun
            logroute.flush(1)
            logroute.shutdown(1)
            for sock in waiting:
                sock.close()
            tell(took=took, counts=counts())
        """
    )
    assert told["took"] < 3
    assert sum(told["counts"]["dropped"].values()) == 1
    assert "cannot reach 127.0.0.1" in told["stderr"]


@pytest.mark.parametrize("kind", ["http", "email"])
def test_server_that_never_answers(kind):
    """Fault 44: accepting and saying nothing ends by the deadline, and is counted at the exit."""
    options = {
        "http": 'type="http", url=f"http://{receiver.address}/"',
        "email": 'type="email", host="127.0.0.1", port=receiver.port, security="none", '
        'to="a@b.c", batch={"max_wait": 0.01}, **{"from": "d@e.f"}',
    }[kind]
    told = run_child(
        f"""
        with TcpReceiver(stall=True) as receiver:
            timeout = {{"connect": 0.1, "send": 0.1}}
            configure({options}, timeout=timeout)
            log.error("x")
            logroute.flush(1)
            error = counts()["last_error"]
            logroute.shutdown(1)
            tell(counts=counts(), error=error)
        """
    )
    assert sum(told["counts"]["dropped"].values()) == told["counts"]["enqueued"] == 1
    assert "no answer within" in told["error"] or "timed out" in told["error"]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_busy_web_service_is_tried_again(status):
    """Fault 45: the batch waits, as long as it is asked to, and arrives."""
    told = run_child(
        f"""
        with HttpReceiver() as web:
            web.answer({status}, {{"Retry-After": "0"}}, times=2)
            configure(type="http", url=web.url)
            log.error("x")
            done = logroute.flush(10)
            tell(done=done, hits=len(web.received), counts=counts())
        """
    )
    assert (told["done"], told["hits"]) == (True, 3)
    assert told["counts"]["delivered"] == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 501])
def test_refusing_web_service_is_not_asked_again(status):
    """Fault 45: refused is refused, counted and said; a redirect leads nowhere."""
    told = run_child(
        f"""
        with HttpReceiver() as web, HttpReceiver() as other:
            web.answer({status}, {{"Location": other.url}})
            configure(type="http", url=web.url, auth={{"bearer": "hunter2"}})
            log.error("x")
            done = logroute.flush(10)
            tell(done=done, hits=[len(web.received), len(other.received)], counts=counts())
        """
    )
    assert (told["done"], told["hits"]) == (True, [1, 0])
    assert told["counts"]["dropped"] == {"rejected": 1}
    assert f"answered {status}" in told["stderr"]


def test_batch_that_is_too_large_is_halved():
    """Fault 45: 413 for a batch sends its halves; the one record that is too big is counted."""
    told = run_child(
        """
        class Small(HttpReceiver):
            def _take(self, request):
                if len(request.body) > 300:
                    return super()._take(request)._replace(status=413)
                return super()._take(request)

        with Small() as web:
            configure(type="http", url=web.url, batch={"max_wait": 0.2})
            log.error("first")
            logroute.flush(5)
            for n in range(64):
                log.info("%d %s", n, "x" * (1000 if n == 40 else 20))
            done = logroute.flush(20)
            taken = [line for request in web.received if len(request.body) <= 300
                     for line in request.body.splitlines()]
            tell(done=done, taken=[json.loads(line).split()[0] for line in taken], counts=counts())
        """
    )
    assert told["taken"] == ["first", *[str(n) for n in range(64) if n != 40]]
    assert told["counts"]["dropped"] == {"rejected": 1} and told["counts"]["delivered"] == 64


def test_failed_items_of_a_batch():
    """Fault 45: of a batch taken in part the refused are counted and the postponed come again."""
    told = run_child(
        """
        def answer(web, *statuses):
            items = [{"create": {"status": status}} for status in statuses]
            web.answer(200, body=json.dumps({"errors": True, "items": items}).encode())

        with HttpReceiver() as web:
            configure(type="http", url=web.url, batch={"max_wait": 0.2})
            log.error("first")
            logroute.flush(5)
            answer(web, 201, 400, 429, 201)
            for n in range(4):
                log.info("%d", n)
            done = logroute.flush(10)
            tell(done=done, bodies=[request.body.decode() for request in web.received],
                 counts=counts())
        """
    )
    assert told["bodies"][1:] == ['"0"\n"1"\n"2"\n"3"\n', '"2"\n']
    assert told["counts"]["delivered"] == 4 and told["counts"]["dropped"] == {"rejected": 1}


MAIL = """type="email", host="127.0.0.1", port=mail.port, security="none",
                  to=["gone@b.c", "ops@b.c"], batch={"max_wait": 0.01}, **{"from": "d@e.f"}"""


@pytest.mark.parametrize(
    ("reply", "outcome"), [("451 later", "delivered"), ("550 never", "dropped")]
)
@pytest.mark.parametrize("command", ["MAIL", "DATA"])
def test_mail_server_says_no(command, reply, outcome):
    """Fault 46: 451 is tried again, 550 is counted."""
    told = run_child(
        f"""
        with SmtpReceiver() as mail:
            mail.answer({command!r}, {reply!r})
            configure({MAIL})
            log.error("x\\r\\nBcc: victim@example.org")
            done = logroute.flush(10)
            tell(done=done, counts=counts(), mails=[(item.recipients, item.message["Subject"])
                                                    for item in mail.received])
        """
    )
    counts = told["counts"]
    if outcome == "dropped":
        assert (counts["dropped"], told["mails"]) == ({"rejected": 1}, [])
        return
    ((recipients, subject),) = told["mails"]
    assert (counts["delivered"], recipients) == (1, ["gone@b.c", "ops@b.c"])
    assert subject.endswith("x  Bcc: victim@example.org")


@pytest.mark.parametrize("reply", ["450 later", "550 unknown"])
def test_mail_for_some_recipients(reply):
    """Fault 46: nobody gets it twice; who is refused is named, who is postponed gets it later."""
    told = run_child(
        f"""
        with SmtpReceiver() as mail:
            mail.answer("RCPT", {reply!r})
            configure({MAIL})
            log.error("x")
            done = logroute.flush(10)
            tell(done=done, counts=counts(), got=[item.recipients for item in mail.received])
        """
    )
    later = [["gone@b.c"]] if reply[0] == "4" else []
    assert told["got"] == [["ops@b.c"], *later]
    assert told["counts"]["delivered"] == 1 and told["counts"]["dropped"] == {}
    assert f"for gone@b.c ({reply})" in told["stderr"]


def test_connection_lost_behind_the_mail():
    """Fault 46: at least once, and both mails can be told for the same."""
    told = run_child(
        f"""
        with SmtpReceiver() as mail:
            mail.hang_up()
            configure({MAIL})
            log.error("x")
            done = logroute.flush(10)
            tell(done=done, ids=[item.message["Message-ID"] for item in mail.received])
        """
    )
    assert len(told["ids"]) == 2 and len(set(told["ids"])) == 1


def test_nobody_listens_to_datagrams():
    """Fault 47: what the kernel says was refused is counted; stderr stays short."""
    told = run_child(
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        configure(f"127.0.0.1:{port}", type="datagram")
        for n in range(100):
            log.error("%d %s", n, "x" * 70_000)
        logroute.flush(10)
        tell(counts=counts())
        """
    )
    assert told["counts"]["dropped"] == {"rejected": 100}
    assert len(told["stderr"]) < 2000


def test_datagrams_are_cut_not_refused():
    """Fault 47: 70 kB and 10 MB go out marked; what a stalled reader loses nobody can count."""
    told = run_child(
        """
        with UdpReceiver() as receiver:
            configure(receiver.address, type="datagram")
            for size in (70_000, 10_000_000):
                log.error("y" * size)
            logroute.flush(10)
            receiver.wait_for(2)
            tell(counts=counts(), sizes=[len(item) for item in receiver.received],
                 ends=[item[-3:].decode() for item in receiver.received])
        """
    )
    assert told["sizes"] == [8192, 8192] and told["ends"] == ["...", "..."]
    assert told["counts"]["delivered"] == 2


def test_clock_that_goes_back_delays_nothing():
    """Fault 48: waits and deadlines know no wall clock."""
    told = run_child(
        """
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        configure(f"127.0.0.1:{port}")
        log.error("x")
        logroute.flush(0.2)
        real = time.time
        time.time = lambda: real() - 3600
        with TcpReceiver(port=port) as receiver:
            done = logroute.flush(20)
            tell(done=done, got=receiver.wait_for(1))
        """
    )
    assert told["done"] and told["got"]
