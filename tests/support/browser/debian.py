"""Installation of Debian packages that tests of pages need: a browser, fonts, Pango."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["NotInstalled", "install"]

INSTALL_SECONDS = 540  # below the 600 s that pytest allows a test, its fixtures included
LOCK_SECONDS = 300  # for another apt-get on the same machine

LOCK = Path(tempfile.gettempdir()) / "tocsin-apt.lock"


class NotInstalled(RuntimeError):
    """A package is missing and cannot be installed here; the message says what to install."""


def install(*packages: str) -> None:
    """Install packages with apt-get, under a lock that parallel test processes share.

    A package that is installed already costs a second, so a process that waited for the lock may
    call this again.
    """
    apt_get = shutil.which("apt-get")
    if apt_get is None or os.geteuid() != 0:
        msg = f"only root can install {' '.join(packages)} with apt-get"
        raise NotInstalled(msg)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    wait = f"DPkg::Lock::Timeout={LOCK_SECONDS}"
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            command = [apt_get, "-q", "-o", wait, *arguments]
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=INSTALL_SECONDS,
                    env=environment,
                    check=False,
                )
            except subprocess.TimeoutExpired as slow:
                msg = f"{' '.join(command)}: not done within {INSTALL_SECONDS} s"
                raise NotInstalled(msg) from slow
            if done.returncode:
                msg = f"{' '.join(command)}: {(done.stderr or done.stdout)[-2000:].strip()}"
                raise NotInstalled(msg)
