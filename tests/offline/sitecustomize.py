"""In a folder that comes first on PYTHONPATH, this keeps every Python process of a command on this machine: what asks
for another through Python's sockets is refused, and noted in the file that REFUSED names. Libraries of C that open
sockets themselves, and other programs, are not seen."""

import os
import socket
import sys
from ipaddress import ip_address

HERE = {"localhost", socket.gethostname()}
# Where in the arguments of an event the host or the address stands.
PLACES = {f"socket.{name}": 0 for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo")}
PLACES |= {f"socket.{name}": 1 for name in ("connect", "sendto", "sendmsg")}


def is_here(host: str) -> bool:
    """Whether a name or a number means this machine."""
    try:
        number = ip_address(host)
    except ValueError:
        return host in HERE
    return number.is_loopback or number.is_unspecified


def refuse(event: str, arguments: tuple) -> None:
    """Raise OSError where a host is asked for that is not this one; sockets that are files have none."""
    if event not in PLACES:
        return
    host = arguments[PLACES[event]]
    host = host[0] if isinstance(host, tuple) else host if PLACES[event] == 0 else None
    host = host.decode() if isinstance(host, bytes) else host
    if isinstance(host, str) and host and not is_here(host):
        with open(os.environ["REFUSED"], "a") as refused:
            refused.write(f"{event} {host} in {sys.argv}\n")
        raise OSError(f"{host}: only this machine may be asked")


sys.addaudithook(refuse)
