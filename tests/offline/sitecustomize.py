"""In a folder that comes first on PYTHONPATH, this keeps every Python process of a command on this machine: what asks
for another is refused, and noted in the file that REFUSED names."""

import os
import sys

LOCAL = ("127.", "::1", "localhost", "0.0.0.0")


def host_of(event: str, arguments: tuple) -> str | None:
    """The host that a socket is about to ask for; None for what is no such event, and for sockets that are files."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return None
    return host.decode() if isinstance(host, bytes) else host


def refuse(event: str, arguments: tuple) -> None:
    """Raise OSError where a host is asked for that is not this one."""
    host = host_of(event, arguments)
    if host and not host.startswith(LOCAL):
        with open(os.environ["REFUSED"], "a") as refused:
            refused.write(f"{event} {host} in {sys.argv}\n")
        raise OSError(f"{host}: only this machine may be asked")


sys.addaudithook(refuse)
