"""Client of conceptd, the daemon that trains concepts for Stable Diffusion on this machine.

It needs nothing but Python's standard library, so that it can be copied into hosts such as ComfyUI and A1111.
"""

from .daemon import Daemon
from .errors import ConceptdError, DaemonNotRunning, JobFailed
from .events import EventStream

__all__ = ["ConceptdError", "Daemon", "DaemonNotRunning", "EventStream", "JobFailed"]
