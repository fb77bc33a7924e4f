"""The proxy of a URL, from the usual variables: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case."""

PROXY_SETTINGS = tuple(
    spelled for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for spelled in (name, name.upper())
)


def proxy_for(url: str) -> str:
    """The URL of the proxy through which `url` is requested; "" where it is requested directly.

    Like everywhere in Python NO_PROXY may name hosts, domains, ports and networks (10.0.0.0/8).
    """
    from requests import utils  # python-gitlab imports it at the first request, so that the start need not

    proxy = utils.select_proxy(url, utils.get_environ_proxies(url))
    return str(utils.prepend_scheme_if_needed(proxy, "http")) if proxy else ""  # type: ignore[no-untyped-call]
