"""A Ray cluster of several nodes on this machine, as a program: ``python ray_nodes.py FOLDER NODES``.

Its nodes listen on the loopback address only; RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 has to be set for that, here and for
whoever uses it. It prints the cluster's address when all nodes are there. A line ``kill`` on standard input kills the last node, which
is answered by a line; a line ``add`` adds one. The end of standard input ends the cluster. Logs go into FOLDER.
"""

import os
import sys

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

from ray.cluster_utils import Cluster

NODE = {
    "num_cpus": 1,
    "num_gpus": 0,
    "object_store_memory": 80 * 1024 * 1024,
    "include_dashboard": False,
    "node_ip_address": "127.0.0.1",
}


def main() -> None:
    folder, nodes = sys.argv[1], int(sys.argv[2])
    quick = {"health_check_period_ms": 500, "health_check_failure_threshold": 20}
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "temp_dir": folder, "_system_config": quick})
    try:
        others = [cluster.add_node(wait=False, **NODE) for _ in range(nodes - 1)]
        cluster.wait_for_nodes(120)
        print(cluster.address, flush=True)
        for line in sys.stdin:
            if line.strip() == "kill":
                cluster.remove_node(others.pop(), allow_graceful=False)
            else:
                others.append(cluster.add_node(**NODE))
            print("done", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
