"""What the owner of an installation decides about commands, and how what they start is told from all else."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

#: The variable that every process of an attempt carries: how strays are told from all other processes.
MARKER = "PENSTOCK_ATTEMPT"

#: Of the engine's own environment, what every command may see: how to find programs, home, language and the network.
_ALWAYS = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "TEMP", "TMP",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
)  # fmt: skip


class ProcessPolicy(Struct, frozen=True, kw_only=True):
    """`docker` says what becomes of tasks that want a container; `pass_env` are globs of further variables."""

    docker: Literal["process", "fail"] = "process"
    pass_env: tuple[str, ...] = ()

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What a command sees of the engine's environment. Always true: no `PENSTOCK_*` and `SECRET_*` by default."""
        globs = (*_ALWAYS, *self.pass_env)
        return {name: value for name, value in environ.items() if any(fnmatchcase(name, glob) for glob in globs)}
