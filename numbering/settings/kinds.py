"""Kinds of values that settings share."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated

from pydantic import Field

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0)]


@dataclass(frozen=True)
class AllowedPeer:
    """Who may call: an application entity title (empty: any) from a network (None: any)."""

    ae_title: str
    network: IPv4Network | IPv6Network | None

    @classmethod
    def parse(cls, text: str) -> AllowedPeer:
        """``AET@CIDR``, ``AET`` or ``@CIDR``; ``ValueError`` when it is none of these."""
        title, at, network = (part.strip() for part in text.partition("@"))
        if len(title) > 16 or not (title or network) or (at and not network):
            raise ValueError(f"{text!r} is no peer: expected AET@CIDR, AET or @CIDR, such as CT1@10.1.2.0/24")
        return cls(title, ip_network(network, strict=False) if network else None)

    def allows(self, ae_title: str, address: str) -> bool:
        """Whether this is the one that calls."""
        return self.ae_title in ("", ae_title) and (self.network is None or _plain(address) in self.network)


def _plain(address: str) -> IPv4Address | IPv6Address:
    """The address; an IPv4 one that comes by an IPv6 socket (``::ffff:10.1.2.3``) as IPv4."""
    found = ip_address(address.partition("%")[0])
    return (found.version == 6 and found.ipv4_mapped) or found
