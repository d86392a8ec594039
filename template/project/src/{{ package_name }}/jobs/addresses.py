"""Addresses that jobs may download from: which text is an address of the web, and which IP address is public."""

import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from yarl import URL

from ..errors import InvalidInputError

MAX_ADDRESS_LENGTH = 2000
"""Maximum length of an address, in characters."""

SPECIAL_IPV4 = tuple(
    IPv4Network(each)
    for each in (
        # IANA's IPv4 Special-Purpose Address Registry, as of 2024-10-22, whether or not routers forward them
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        # IANA's IPv4 Multicast Address Space Registry
        "224.0.0.0/4",
        # Azure's platform for virtual machines; the metadata services of other clouds are in the networks above
        "168.63.129.16/32",
    )
)

GLOBAL_IPV6 = IPv6Network("2000::/3")
"""The only global unicast addresses that IANA allocates. Outside are those of a host, a link, a site and a group."""

SPECIAL_IPV6 = tuple(
    IPv6Network(each)
    for each in (
        # IANA's IPv6 Special-Purpose Address Registry, as of 2024-10-22, within 2000::/3
        "2001::/23",  # Teredo, which embeds IPv4 addresses, and protocol assignments
        "2001:db8::/32",
        "2002::/16",  # 6to4, which embeds IPv4 addresses
        "2620:4f:8000::/48",
        "3fff::/20",
        # The returned 6bone
        "3ffe::/16",
    )
)

NAT64 = IPv6Network("64:ff9b::/96")
"""IPv6 addresses that stand for the IPv4 address in their last 32 bits."""

ISATAP = re.compile(r"(?i)0[02]005efe")
"""Bits 64 to 95 of an IPv6 address whose last 32 are an IPv4 address."""

NON_WEB_PORTS = frozenset(
    # The bad ports of the Fetch standard (https://fetch.spec.whatwg.org/#port-blocking) from 1024, as of 2025
    [1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679, 6697, 10080]
)

_AUTHORITY = re.compile(r"(?i)https?://(\[[0-9a-f:.]+\]|[^/?#@:%\[\]]+)(:[0-9]{1,5})?(?=[/?#]|$)")
_SCHEME = re.compile(r"[^/?#]*:")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def parse_address(address: str, base: URL | None = None) -> URL:
    """Return an address of the web without its fragment.

    Only one way to write a host is taken: two programs that read another one may connect to two hosts.

    Args:
        address: What a client or a redirect names.
        base: The address that redirects, if it does; `address` may be relative to it.

    Raises:
        InvalidInputError: The address is not one of http or https, has a password, or writes its host in another way.
    """
    with suppress(ValueError):
        if len(address) <= MAX_ADDRESS_LENGTH and address.isprintable() and "\\" not in address:
            url = base.join(URL(address)) if base else URL(address)
            is_plain = url.user is None and url.password is None and url.port
            if is_plain and _is_written_plainly(address, base) and _is_host(url.raw_host or ""):
                return url.with_fragment(None)
    raise InvalidInputError(f"{address[:100]!r}: not an http or https address, or it contains a password")


def is_public(address: str) -> bool:
    """Return whether an IP address, and the IPv4 address embedded in it, if any, belongs to the public internet."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip in NAT64:
            return is_public(str(_last_32_bits(ip)))
        if ISATAP.match(f"{int(ip) >> 32 & 0xFFFFFFFF:08x}") and not is_public(str(_last_32_bits(ip))):
            return False
        return not ip.scope_id and ip in GLOBAL_IPV6 and not any(ip in each for each in SPECIAL_IPV6)
    return not any(ip in each for each in SPECIAL_IPV4)


def is_web_port(port: int) -> bool:
    """Return whether a web server may listen on a port. A request to another one may be a command to its server."""
    return port in (80, 443) or (1024 <= port <= 65535 and port not in NON_WEB_PORTS)


def _is_written_plainly(address: str, base: URL | None) -> bool:
    """Return whether every program finds the same host in an address; a relative one has none."""
    if base and address.startswith("//"):
        address = f"{base.scheme}:{address}"
    return bool(_AUTHORITY.match(address) or (base and not _SCHEME.match(address)))


def _is_host(host: str) -> bool:
    """Return whether a host is an IP address in its usual form, or a name of the DNS."""
    with suppress(ValueError):
        return bool(ip_address(host))
    labels = host.split(".")
    is_number = labels[-1].isdigit() or labels[-1].startswith("0x")  # 127.1, 0x7f.1 and 2130706433 are 127.0.0.1
    return len(host) <= 253 and not is_number and all(map(_LABEL.fullmatch, labels))


def _last_32_bits(ip: IPv6Address) -> IPv4Address:
    return IPv4Address(int(ip) & 0xFFFFFFFF)
