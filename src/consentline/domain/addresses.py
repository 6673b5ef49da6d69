"""Which addresses a webhook may be sent to: those of the public internet, by the IANA special-purpose registries.

Listed here and not taken from `ipaddress`, whose answers differ between versions of Python.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_REFUSED_4 = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # shared by carriers (RFC 6598); metadata of some clouds
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # what Azure's machines are served by
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; metadata of some clouds
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
_REFUSED_6 = tuple(
    IPv6Network(each)
    for each in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
_MAPPED = IPv6Network("::ffff:0:0/96")


def is_public(address: str) -> bool:
    """Whether a numeric address lies in the public internet; forms of IPv6 that carry an IPv4 address count as that."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _REFUSED_4)
    embedded = _embedded(parsed)
    if embedded is not None:
        return is_public(str(embedded))
    return parsed in _GLOBAL_6 and not any(parsed in network for network in _REFUSED_6)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    number = int(address)
    if address in _NAT64 or address in _MAPPED:
        return IPv4Address(number & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address((number >> 80) & 0xFFFFFFFF)
    return None
