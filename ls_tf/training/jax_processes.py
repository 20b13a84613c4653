"""Several processes that JAX takes for one, begun together.

That they are there, do the same and stay is known without JAX, see
``running.peers``; here its own runtime is begun among them. That runtime ends a
process in the midst of its work, with an abort and a page of text, as soon as
the coordinator's connection closes. So the others reach the coordinator through
a relay of their own process, which keeps their end of it open: whoever is lost
is told, and what there is is ended, by who watches the peers.
"""

import contextlib
import socket
import threading
import time
from typing import Any

# Longer than any run: JAX is not to judge who is alive.
_NO_HEARTBEAT_SECONDS = 30 * 24 * 3600
_START_SECONDS = 60
_POLL_SECONDS = 0.1
_PIECE = 1 << 16  # bytes


def start(index: int, count: int, address: str, *, by_cluster: bool) -> None:
    """Begins JAX's runtime in one of several processes; once in each.

    Args:
        index: of this process.
        count: how many there are; all of them are there and call this.
        address: ``host:port`` on which process 0 serves the others.
        by_cluster: a cluster was asked, and says too which devices are this
            process's.

    Source: ours.
    """
    import jax

    # A request to stop is ours to hear.
    update: Any = jax.config.update
    update("jax_enable_preemption_service", False)
    port = address.rpartition(":")[2]
    jax.distributed.initialize(
        coordinator_address=address if index == 0 else _relayed(address),
        coordinator_bind_address=f"[::]:{port}",
        num_processes=count,
        process_id=index,
        cluster_detection_method=None if by_cluster else "deactivate",
        initialization_timeout=_START_SECONDS,
        heartbeat_timeout_seconds=_NO_HEARTBEAT_SECONDS,
    )


def together() -> list[Any]:
    """The devices of all processes, in their order; connects them too.

    Source: ours.
    """
    import jax

    from ls_tf.training.jax_placement import Placement

    devices = sorted(jax.devices(), key=lambda d: (d.process_index, d.id))
    # Who meets the others first would say so in the midst of a run.
    Placement(devices).largest([0])
    return devices


def _relayed(address: str) -> str:
    """An address of this process that leads to another one's."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            near, _ = server.accept()
            threading.Thread(
                target=_relay, args=(near, address), daemon=True
            ).start()

    threading.Thread(target=serve, daemon=True).start()
    return f"127.0.0.1:{server.getsockname()[1]}"


def _relay(near: socket.socket, address: str) -> None:
    """Passes on what one connection says; never closes this end of it."""
    far = _connected(address)
    if far is None:
        near.close()
        return

    def forth() -> None:
        _pass(near, far)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_WR)

    threading.Thread(target=forth, daemon=True).start()
    _pass(far, near)
    # Whoever is at the near end may go; the far end's loss it does not hear.
    threading.Event().wait()


def _connected(address: str) -> socket.socket | None:
    """Connects to process 0, which may need a moment to serve."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            far = socket.create_connection((host.strip("[]"), int(port)), 5.0)
            far.settimeout(None)
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return far
        time.sleep(_POLL_SECONDS)
    return None


def _pass(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_PIECE):
            sink.sendall(data)
