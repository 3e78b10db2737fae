"""What every stand-in of a service has: a certificate, a server in a thread, and faults on demand."""

from stand_in.certificate import server_context, write_certificate
from stand_in.faults import Fault
from stand_in.thread import running_app, serving, start_site

__all__ = ["Fault", "running_app", "server_context", "serving", "start_site", "write_certificate"]
