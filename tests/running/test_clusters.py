"""A cluster's job is the one that JAX would find by itself."""

import http.server
import threading

import pytest
from jax._src.clusters.cloud_tpu_cluster import GceTpuCluster, GkeTpuCluster
from jax._src.clusters.slurm_cluster import SlurmCluster

from ls_tf.running import clusters

NAMES = (
    *("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID"),
    *("SLURM_LOCALID", "TPU_PROCESS_ADDRESSES", "TPU_WORKER_HOSTNAMES"),
    *("TPU_WORKER_ID", "MEGASCALE_NUM_SLICES", "MEGASCALE_SLICE_ID"),
    *("MEGASCALE_COORDINATOR_ADDRESS", "GCE_METADATA_IP"),
)


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def by_jax(kind, monkeypatch):
    monkeypatch.setattr(
        "socket.gethostbyname", lambda name: "127.0.0.1", raising=True
    )
    return clusters.Job(
        kind.get_process_id(),
        kind.get_process_count(),
        kind.get_coordinator_address(
            timeout_secs=5, override_coordinator_port=None
        ),
        "Slurm" if kind is SlurmCluster else "Cloud TPU",
    )


def test_no_cluster():
    assert clusters.job() is None


@pytest.mark.parametrize("number", ["1", "4096", "987654"])
@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node001", "node001"),
        ("node001,host2", "node001"),
        ("node[001-015],host2", "node001"),
        ("node[001,007-015],host2", "node001"),
        ("gpu-a[7]", "gpu-a7"),
    ],
)
def test_a_step_of_slurm(monkeypatch, nodes, first, number):
    for name, value in {
        "SLURM_JOB_ID": number,
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_NTASKS": "64",
        "SLURM_PROCID": "63",
        "SLURM_LOCALID": "7",
    }.items():
        monkeypatch.setenv(name, value)
    job = clusters.job()
    assert job.address.startswith(f"{first}:")
    if nodes != "gpu-a[7]":  # JAX takes the bracket for a part of the name
        assert job == by_jax(SlurmCluster, monkeypatch)


def test_a_shell_within_a_job_of_slurm_is_no_step(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_NTASKS", "64")
    assert clusters.job() is None


@pytest.mark.parametrize("slices", [1, 2])
def test_hosts_of_a_tpu_on_kubernetes(monkeypatch, slices):
    monkeypatch.setenv("TPU_WORKER_ID", "1")
    monkeypatch.setenv("TPU_WORKER_HOSTNAMES", "t-0.svc,t-1.svc,t-2.svc,t-3")
    if slices == 2:
        monkeypatch.setenv("MEGASCALE_NUM_SLICES", "2")
        monkeypatch.setenv("MEGASCALE_SLICE_ID", "1")
        monkeypatch.setenv("MEGASCALE_COORDINATOR_ADDRESS", "s-0.svc:8080")
    else:  # JAX would ask the metadata server for what is not said
        monkeypatch.setattr(
            "jax._src.clusters.cloud_tpu_cluster.get_tpu_env_value",
            lambda key: None,
        )
    job = clusters.job()
    assert job == by_jax(GkeTpuCluster, monkeypatch)
    assert (job.index, job.count) == ((1, 4), (5, 8))[slices - 1]


@pytest.mark.parametrize(
    "hosts", ["10.0.0.2,10.0.0.3", "u:0:10.0.0.2,u:1:10.0.0.3"]
)
def test_hosts_of_a_tpu_by_their_metadata(monkeypatch, tmp_path, hosts):
    told = {"worker-network-endpoints": hosts, "agent-worker-number": "1"}

    class Metadata(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            folder, _, name = self.path.rpartition("/")
            assert folder == "/computeMetadata/v1/instance/attributes"
            assert self.headers["Metadata-Flavor"] == "Google"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(told[name].encode())

        def log_message(self, *words):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Metadata) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        monkeypatch.setenv("GCE_METADATA_IP", address)
        monkeypatch.setattr(clusters, "_TPUS", (str(tmp_path),))
        job = clusters.job()
        monkeypatch.setattr(
            "jax._src.clusters.cloud_tpu_cluster.get_tpu_env_value",
            lambda key: None,
        )
        assert job == by_jax(GceTpuCluster, monkeypatch)
        server.shutdown()
    assert job == clusters.Job(1, 2, "10.0.0.2:8482", "Cloud TPU")
