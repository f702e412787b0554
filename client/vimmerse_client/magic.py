"""Magic markers are for a mock: the real service is never sent one."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from vimmerse_client.errors import ConfigurationError
from vimmerse_contracts.markers import find_markers
from vimmerse_contracts.network import is_production_url


def refuse_magic(base_url: str, **texts: Iterable[str]) -> None:
    """Refuse to send texts, by the argument that they are of, with a marker to the real service.

    There, a test that was pointed at the wrong address would spend real credit.

    Raises:
        ConfigurationError: one of them has a marker, and the address is the real service's.
    """
    if not is_production_url(base_url):
        return
    for name, values in texts.items():
        for marker in (marker for value in values for marker in find_markers(value)):
            raise ConfigurationError(
                f"{name}: {marker.text!r} is a magic marker for the mock, and "
                f"{urlsplit(base_url).hostname} is the real service; take it out, or set base_url "
                "(VIMMERSE_BASE_URL) to a mock's address"
            )
