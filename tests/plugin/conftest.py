"""The tests of the plugin run pytest within pytest."""

from __future__ import annotations

pytest_plugins = ["pytester"]
