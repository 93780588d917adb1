"""What counts as one address, wherever something is counted for each of them."""

from __future__ import annotations

import ipaddress


def neighbourhood(address: str) -> str:
    """An IPv4 address, however it is written, or the /64 of an IPv6 one, all of which one machine may have."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
