"""The tests themselves reach no other machine."""

import socket
import threading
import urllib.error
import urllib.request

import pytest

FAR = ("192.0.2.1", 80)  # RFC 5737: for documentation, nobody's address


def test_another_machine_is_refused():
    for act in (
        lambda s: s.connect(FAR),
        lambda s: s.connect_ex(FAR),
        lambda s: s.sendto(b"x", FAR),
    ):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s,
            pytest.raises(OSError, match="tests have no network"),
        ):
            act(s)


def test_no_name_is_looked_up():
    with pytest.raises(OSError, match="tests have no network"):
        socket.getaddrinfo("example.org", 80)
    with pytest.raises(OSError, match="tests have no network"):
        socket.create_connection(("example.org", 80))
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen("http://example.org")


def test_loopback_and_unix_sockets_work():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        with socket.create_connection(("localhost", port)) as client:
            assert client.recv(1) == b""
        thread.join()
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"x")
        assert other.recv(1) == b"x"
