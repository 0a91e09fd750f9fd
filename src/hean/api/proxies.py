# SPDX-License-Identifier: Apache-2.0
"""`proxies.py`: who is behind a proxy. Limits and lockouts count by network address; behind a proxy
everybody has the same, so one who guesses tokens would lock all others out. A proxy that is named
in the settings is believed when it says whom it speaks for; anybody else may say what they like.
It decides how often somebody may ask, never whether they may.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from hean.errors import ParameterInvalid

HEADER = b"x-forwarded-for"
ADDRESS_LENGTH_MAX = 45  # the longest form of an IPv6 address
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """*trusted*: addresses, or networks such as `172.20.0.0/16`. *Raises*: `ParameterInvalid` for
    what is none.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._networks: list[Network] = []
        for each in trusted:
            try:
                network = ipaddress.ip_network(each)
            except ValueError as error:
                raise ParameterInvalid(f"trusted proxy {each[:80]!r}: {error}.") from None
            if not network.prefixlen:
                raise ParameterInvalid(f"trusted proxy {each!r}: everybody is no proxy of ours.")
            self._networks.append(network)

    def asker(self, peer: str, forwarded: bytes | None) -> str:
        """Whose address counts. *peer*: who is at the other end of the connection; *forwarded*: its
        header, where each proxy has put its own peer at the end. Read from there, the first address
        that is no proxy of ours; if all are, the first of them.
        """
        if forwarded is None or not self._networks or not self._trusts(_address(peer)):
            return peer
        found = peer
        for word in reversed(forwarded.decode("latin-1").split(",")):
            address = _address(word.strip())
            if address is None:
                break  # what stands before it nobody vouches for
            found = str(address)
            if not self._trusts(address):
                break
        return found

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> Address | None:
    """An address, also one of IPv4 that is written as one of IPv6."""
    if len(text) > ADDRESS_LENGTH_MAX:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    inner = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return inner or found
