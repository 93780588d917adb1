"""POST to a URL that somebody typed into the settings, and to no address behind it that was not meant.

The host is resolved once, every address is judged, and the connection goes to a judged address, so that a name which
changes its mind in between (DNS rebinding) changes nothing. No redirect is followed, no proxy of the environment asked,
no answer read but its status, and all of it ends in time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx

from numbering.dicom.tls import TLSFileError, client_context

SECONDS = 10.0
"""For everything: name, connection, TLS, request, status."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddress(Exception):
    """The URL leads to an address that is not public, and nobody has allowed it."""


class NoAnswer(Exception):
    """The peer could not be reached, or did not answer in time; the message says how, without quoting the peer."""


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private_hosts: Sequence[str] = (),
    ca_file: str = "",
    seconds: float = SECONDS,
) -> int:
    """The status that was answered. `ForbiddenAddress`, `NoAnswer`; ``private_hosts`` as in `judged`."""
    return asyncio.run(_in_time(url, body, headers, private_hosts, ca_file, seconds))


def judged(host: str, addresses: Sequence[str], private_hosts: Sequence[str]) -> str:
    """The address to connect to, or `ForbiddenAddress` when one of them is not to be reached.

    ``private_hosts`` are host names, addresses and networks. A name allows private addresses, but neither link-local
    ones (where clouds keep their secrets) nor such as belong to no host; these only a network allows.
    """
    named = host.rstrip(".").casefold() in {one.rstrip(".").casefold() for one in private_hosts}
    networks = [network for network in map(_network, private_hosts) if network is not None]
    for text in addresses:
        address = _inner(ipaddress.ip_address(text.partition("%")[0]))
        if any(address in network for network in networks):
            continue
        stray = address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
        if stray or not (address.is_global or named):
            raise ForbiddenAddress(f"{host} leads to an address that is not public; allow it by name or network")
    return addresses[0]


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


async def _in_time(
    url: str, body: bytes, headers: Mapping[str, str], private_hosts: Sequence[str], ca_file: str, seconds: float
) -> int:
    try:
        return await asyncio.wait_for(_post(url, body, headers, private_hosts, ca_file, seconds), seconds)
    except (TimeoutError, httpx.TimeoutException):
        raise NoAnswer(f"no answer within {seconds:g} s") from None
    except (socket.gaierror, UnicodeError):  # the latter for a label that is empty or too long
        raise NoAnswer("the host name cannot be resolved") from None
    except TLSFileError as error:
        raise NoAnswer(str(error)) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NoAnswer(f"no connection, or no HTTP ({type(error).__name__})") from None


async def _addresses(host: str, port: int) -> list[str]:
    """Asked in a thread of its own: the event loop's would be waited for at the end, as long as a name server likes."""
    pool = ThreadPoolExecutor(1)
    asked = pool.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    pool.shutdown(wait=False)
    return [str(each[4][0]) for each in await asyncio.wrap_future(asked)]


async def _post(
    url: str, body: bytes, headers: Mapping[str, str], private_hosts: Sequence[str], ca_file: str, seconds: float
) -> int:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = judged(host, await _addresses(host, port), private_hosts)
    target = httpx.URL(url).copy_with(host=address)
    async with (
        httpx.AsyncClient(
            verify=client_context(ca_file) if secure else False, trust_env=False, timeout=seconds
        ) as client,
        client.stream(
            "POST",
            target,
            content=body,
            headers={**headers, "Host": parts.netloc},
            extensions={"sni_hostname": host},
            follow_redirects=False,
        ) as response,
    ):
        return response.status_code
