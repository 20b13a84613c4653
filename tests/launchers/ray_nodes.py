"""Two nodes of a Ray cluster on this machine, of which one can be killed.

    python ray_nodes.py

Writes the cluster's address, then kills the second node, with all that it has
started, at the first line of standard input; ends at the end of it. Runs on
the second node pause, see ``paused_program.py``.
"""

import os
import signal
import sys

import process_tree
from ray.cluster_utils import Cluster


def main():
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 1,
            "include_dashboard": False,
            # Else it takes a quarter of a minute to miss a node.
            "_system_config": {
                "health_check_period_ms": 1000,
                "health_check_failure_threshold": 3,
            },
        },
    )
    second = cluster.add_node(num_cpus=1, env_vars={"PAUSE_IN_RUN": "1"})
    cluster.wait_for_nodes()
    print(cluster.address, flush=True)
    if sys.stdin.readline():
        (raylet,) = second.all_processes["raylet"]
        pid = raylet.process.pid
        for victim in [pid, *process_tree.below(pid)]:
            os.kill(victim, signal.SIGKILL)
        cluster.remove_node(second, allow_graceful=False)
        print("killed", flush=True)
        sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
