"""The ground of the live tests: a server, its attackers and its customers, in namespaces that vanish. See README.md."""

from tests.lab.live import live

__all__ = ["live"]
