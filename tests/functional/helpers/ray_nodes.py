"""A Ray cluster of several nodes on this machine, as a program: ``python ray_nodes.py FOLDER NODES``.

It prints the cluster's address when all nodes are there. A line ``kill`` on standard input kills the last node, which
is answered by a line; a line ``add`` adds one. The end of standard input ends the cluster. Logs go into FOLDER.

Each node has a loopback address of its own, as whoever drives a run attaches to a node of its address: that is the
first one, which is never killed. RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 has to be set for that, here and for the driver.
"""

import os
import sys
from itertools import count

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 1024 * 1024, "include_dashboard": False}


def main() -> None:
    folder, nodes = sys.argv[1], int(sys.argv[2])
    addresses = (f"127.0.0.{number}" for number in count(1))
    quick = {"health_check_period_ms": 500, "health_check_failure_threshold": 20}
    head = {**NODE, "temp_dir": folder, "_system_config": quick, "node_ip_address": next(addresses)}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        others = [cluster.add_node(wait=False, node_ip_address=next(addresses), **NODE) for _ in range(nodes - 1)]
        cluster.wait_for_nodes(120)
        print(cluster.address, flush=True)
        for line in sys.stdin:
            if line.strip() == "kill":
                cluster.remove_node(others.pop(), allow_graceful=False)
            else:
                others.append(cluster.add_node(node_ip_address=next(addresses), **NODE))
            print("done", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
