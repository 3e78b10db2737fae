"""Run a module or a script that may speak to this machine only: ``python -P loopback_only.py MODULE|FILE.py ARGS…``.

Stands alone, because both interpreters run it. The hook holds for threads and forked children, not for other programs
that a flow starts; where that matters, run the whole comparison in a network namespace of its own.
"""

import runpy
import socket
import sys

LOCAL = {"", "localhost", "0.0.0.0", "::", "::1", None}


def host_of(event, args):
    """The host that an audited call is about; None when the call is none of our business."""
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        return args[0]
    if event in ("socket.connect", "socket.sendto") and args[0].family in (socket.AF_INET, socket.AF_INET6):
        return args[1][0]
    return None


def refuse_others(event, args):
    """Audit hook: an OSError for each host that is not this machine."""
    if not event.startswith("socket."):
        return
    host = host_of(event, args)
    host = host.decode("idna") if isinstance(host, bytes) else host
    if host not in LOCAL and not str(host).startswith("127."):
        raise OSError(f"no network while flows are compared: {host}")


def main():
    sys.addaudithook(refuse_others)
    del sys.argv[0]
    if sys.argv[0].endswith(".py"):
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
