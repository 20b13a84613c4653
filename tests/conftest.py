"""What every test may rely on: no network, and TensorFlow behind Keras."""

import ipaddress
import os
import signal
import socket
from pathlib import Path

import pytest

from ls_tf.stopping import waiting

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What nohup or a script's "&" has ignored is ignored by all that is started,
# and tests send these signals to themselves and to what they start.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# For the processes that tests start: a proxy that nobody is.
_NOWHERE = "http://127.0.0.1:9"
_NEAR = "localhost,127.0.0.1,::1"


@pytest.fixture(autouse=True)
def no_thread_is_abandoned(monkeypatch):
    """What a stop has left running in one test is not the next one's."""
    monkeypatch.setattr(waiting, "_under_way", set())


class NetworkBlockedError(OSError):
    """A test tried to reach another machine."""


def _is_near(host):
    if host in (None, "", b"", "localhost", socket.gethostname()):
        return True
    host = host.decode() if isinstance(host, bytes) else host
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse_far(host):
    if not _is_near(host):
        raise NetworkBlockedError(f"tests have no network, wanted {host!r}")


def _guard(method):
    def guarded(self, *args):
        address = args[-1]
        inet = self.family in (socket.AF_INET, socket.AF_INET6)
        if inet and isinstance(address, tuple):
            _refuse_far(address[0])
        elif not inet and self.family != socket.AF_UNIX:
            raise NetworkBlockedError(f"tests have no {self.family!r} sockets")
        return method(self, *args)

    return guarded


def pytest_addoption(parser):
    parser.addoption(
        "--faults",
        choices=("short", "long"),
        default="short",
        help="tests/faults: some faults, or all, whose figures are written",
    )


def pytest_xdist_auto_num_workers(config):
    """A process for each core and at most each file; one needs no other."""
    places = {
        config.invocation_params.dir / argument.partition("::")[0]
        for argument in config.args
    }
    cores = os.cpu_count()
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    if not all(place.is_file() for place in places):
        return cores
    return min(cores, len(places)) if len(places) > 1 else 0


# The slow ones first, so that no process is left alone with them at the end.
_FIRST = ("integration", "launchers", "reports", "contracts", "training")


# First, since pytest-xdist reads the groups in a hook of this name.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """One file runs in one process, for its fixtures; ``--dist=loadgroup``."""
    tests = Path(__file__).parent

    def rank(item):
        folder = item.path.relative_to(tests).parts[0]
        return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)

    items.sort(key=rank)
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(item.path)))


@pytest.fixture(autouse=True, scope="session")
def _programs_are_compiled_once(tmp_path_factory):
    """The processes that tests start share what JAX has compiled."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(folder / "jax"))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_proxy():
    """For the whole session: fixtures of a module start processes too."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, _NOWHERE)
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, _NEAR)
        yield


@pytest.fixture(autouse=True)
def _blocked_network(request, monkeypatch):
    """Only UNIX sockets and loopback; ``@pytest.mark.network`` lifts it."""
    if request.node.get_closest_marker("network"):
        return
    for name in ("connect", "connect_ex", "sendto"):
        method = getattr(socket.socket, name)
        monkeypatch.setattr(socket.socket, name, _guard(method))
    look_up = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        _refuse_far(host)
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def two_losses_more(tmp_path):
    """Losses ``poly1`` and ``angle`` beside the package's own."""
    import made_losses

    folder = tmp_path / "losses"
    folder.mkdir()
    with made_losses.added(folder):
        yield
