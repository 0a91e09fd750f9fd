# SPDX-License-Identifier: Apache-2.0
"""`endpoints.py`: where a venue is reached. The addresses of both networks of Bybit and Binance,
replaced only by the venue's own hosts or by loopback: a secret never goes anywhere else. All
addresses of one venue belong to one network; a test network mixed with the real one is refused,
because half of such a setup trades with money. Nothing is read here: `config.py` hands in the
addresses that were given, by the name of their variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlsplit

from hean.errors import ParameterInvalid

Market = Literal["spot", "linear"]
BOTH: Final = "spot+linear"
Markets = Literal["spot", "linear", "spot+linear"]
Environment = Mapping[str, str]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_SLOTS = ("rest", "public", "private", "trade")

_Row = tuple[str, ...]
_BYBIT, _BYBIT_TESTNET = (
    (f"https://api{suffix}.bybit.com", *[f"wss://stream{suffix}.bybit.com"] * 3)
    for suffix in ("", "-testnet")
)
_URLS: dict[tuple[str, Markets], tuple[_Row, _Row]] = {  # real network, test network
    ("bybit", "spot"): (_BYBIT, _BYBIT_TESTNET),
    ("bybit", "linear"): (_BYBIT, _BYBIT_TESTNET),
    ("binance", "spot"): (
        (
            "https://api.binance.com",
            "wss://stream.binance.com:9443",
            *["wss://ws-api.binance.com:443"] * 2,
        ),
        (
            "https://testnet.binance.vision",
            "wss://stream.testnet.binance.vision",
            *["wss://ws-api.testnet.binance.vision"] * 2,
        ),
    ),
    ("binance", "linear"): (
        (
            "https://fapi.binance.com",
            *["wss://fstream.binance.com"] * 2,
            "wss://ws-fapi.binance.com",
        ),
        (
            "https://testnet.binancefuture.com",
            *["wss://stream.binancefuture.com"] * 2,
            "wss://testnet.binancefuture.com",
        ),
    ),
    ("bybit", BOTH): (_BYBIT, _BYBIT_TESTNET),
}
_PATHS: dict[tuple[str, Markets], _Row] = {
    ("bybit", "spot"): ("", "/v5/public/spot", "/v5/private", "/v5/trade"),
    ("bybit", "linear"): ("", "/v5/public/linear", "/v5/private", "/v5/trade"),
    ("bybit", BOTH): ("", "/v5/public", "/v5/private", "/v5/trade"),
    ("binance", "spot"): ("", "", "/ws-api/v3", "/ws-api/v3"),
    ("binance", "linear"): ("", "", "/private", "/ws-fapi/v1"),
}
_VARIABLES: dict[tuple[str, Markets], _Row] = {
    **dict.fromkeys(
        (("bybit", "spot"), ("bybit", "linear"), ("bybit", BOTH)),
        ("BYBIT_REST_URL", "BYBIT_WS_PUBLIC_URL", "BYBIT_WS_PRIVATE_URL", "BYBIT_WS_TRADE_URL"),
    ),
    ("binance", "spot"): (
        "BINANCE_REST_URL",
        "BINANCE_WS_URL",
        *["BINANCE_WS_API_URL"] * 2,
    ),
    ("binance", "linear"): (
        "BINANCE_FUTURES_REST_URL",
        *["BINANCE_FUTURES_WS_URL"] * 2,
        "BINANCE_FUTURES_WS_API_URL",
    ),
}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of one market of a venue, or of both where they are one account.

    *public*, *private*, *trade*: base URLs of sockets with their path, but for Binance's streams,
    whose path names what is wanted. *network*: `mainnet`, `testnet` or `local`.
    """

    venue: str
    market: Markets
    network: str
    rest: str
    public: str
    private: str
    trade: str

    @property
    def only(self) -> Market:
        """The market that they are of. *Raises*: `ParameterInvalid` where they are of both."""
        if self.market == BOTH:
            raise ParameterInvalid(f"{self.venue}: addresses of both markets where one is meant.")
        return self.market

    def alone(self, market: Market) -> Endpoints:
        """Those of one market."""
        if self.market != BOTH:
            return self
        return replace(self, market=market, public=f"{self.public}/{market}")


@dataclass(frozen=True, slots=True)
class Place:
    """A market with what is traded there. *names*: our name of each of its own symbols."""

    endpoints: Endpoints
    names: Mapping[str, str]

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"{self.endpoints.venue} {self.endpoints.market} {self.endpoints.network}"


def endpoints_for(
    venue: str, market: Markets, *, testnet: bool, environment: Environment
) -> Endpoints:
    """The addresses to use; those of *environment* come before the venue's own.

    An address that is not given there is that of its other sockets when they are local.
    *Raises*: `ParameterInvalid` for an unknown venue, a foreign host, an unencrypted connection
    that leaves the machine, and addresses of different networks.
    """
    if (venue, market) not in _URLS:
        known = ", ".join(f"{each} {kind}" for each, kind in _URLS)
        raise ParameterInvalid(f"no venue {venue!r} with market {market!r}; known: {known}.")
    wanted = "testnet" if testnet else "mainnet"
    names, paths = _VARIABLES[venue, market], _PATHS[venue, market]
    given = [environment.get(name, "").strip() for name in names]
    defaults = list(_URLS[venue, market][testnet])
    local = [url for url in given[1:] if url and _is_local(url)]
    if local:
        defaults[1:] = [_base(local[0])] * 3
    urls, networks = [], []
    for slot, name, override, default, path in zip(
        _SLOTS, names, given, defaults, paths, strict=True
    ):
        url = override or default
        networks.append(_network(venue, name, url, is_socket=slot != "rest"))
        base = url.rstrip("/")
        if market == BOTH and slot == "public":  # it may be given with a market of its own
            base = base.removesuffix("/linear").removesuffix("/spot")
        urls.append(base.removesuffix(path) + path)
    if len(set(networks)) > 1 or networks[0] not in (wanted, "local"):
        shown = ", ".join(f"{name} is {network}" for name, network in zip(names, networks))
        raise ParameterInvalid(
            f"{venue} {market} with testnet={testnet} wants addresses of {wanted}, or all of "
            f"them local; {shown}. Set or unset them together."
        )
    return Endpoints(venue, market, networks[0], *urls)


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK


def _base(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _network(venue: str, name: str, url: str, *, is_socket: bool) -> str:
    """Whose address this is: `mainnet`, `testnet` or `local`."""
    parts = urlsplit(url)
    schemes = ("wss", "ws") if is_socket else ("https", "http")
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.username:
        raise ParameterInvalid(
            f"{name} is not an address; allowed: {schemes[0]}:// and a host, without user name "
            f"and query."
        )
    if _is_local(url):
        return "local"
    if parts.scheme != schemes[0]:
        raise ParameterInvalid(f"{name} leaves the machine unencrypted; use {schemes[0]}://.")
    for (other, _), networks in _URLS.items():
        for network, row in zip(("mainnet", "testnet"), networks, strict=True):
            if other == venue and parts.hostname in {urlsplit(each).hostname for each in row}:
                return network
    raise ParameterInvalid(
        f"{name} names the host {parts.hostname}, which is not {venue}'s; secrets go to the "
        f"venue's own hosts and to loopback only."
    )
