"""Apache Kafka's jars for the tests: fetched with Maven once, kept in the user's cache folder."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["NoBroker", "java", "kafka_jars", "kafka_version"]

POM = Path(__file__).with_name("pom.xml")
MARKER = "complete"
FETCH_SECONDS = 540  # below the 600 s that pytest allows a test, its fixtures included


class NoBroker(RuntimeError):
    """No Kafka can be had here. Install Docker, or Java 17 with Maven, or set TOCSIN_KAFKA."""


def kafka_version() -> str:
    """Return the version that `pom.xml` pins."""
    found = re.search(r"<kafka\.version>([^<]+)<", POM.read_text())
    assert found, "pom.xml names kafka.version"
    return found.group(1)


def kafka_jars() -> Path:
    """Return the folder with Kafka's jars, fetched with Maven the first time.

    The folder appears by one rename, under a lock, so that two runs cannot spoil each other's;
    its marker holds the digest of the `pom.xml` it was made from.
    """
    maven = shutil.which("mvn")
    if not java_is_recent():
        msg = "no Docker engine answers and no Java 17 or newer is installed"
        raise NoBroker(msg)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tocsin"
    cache.mkdir(parents=True, exist_ok=True)
    jars = cache / f"kafka-{kafka_version()}"
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()
    with (cache / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if (jars / MARKER).read_text() == digest:
                return jars
        if maven is None:
            msg = "no Docker engine answers and Maven (mvn) is not installed"
            raise NoBroker(msg)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            fresh = Path(scratch) / jars.name
            fetch(maven, fresh)
            (fresh / MARKER).write_text(digest)
            shutil.rmtree(jars, ignore_errors=True)
            fresh.rename(jars)
    return jars


def fetch(maven: str, folder: Path) -> None:
    """Copy the jars of `pom.xml` into `folder`; a checksum that does not match is an error."""
    command = [maven, "-q", "-B", "-C", "-f", str(POM), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as slow:
        msg = f"Maven did not fetch Kafka within {FETCH_SECONDS} s"
        raise NoBroker(msg) from slow
    if done.returncode:
        msg = f"Maven could not fetch Kafka {kafka_version()}: {done.stdout[-2000:].strip()}"
        raise NoBroker(msg)


def java() -> str:
    """Return the Java to run: that of JAVA_HOME, else the one on the path."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"


def java_is_recent() -> bool:
    """Tell whether Java 17 or newer can be run: Kafka 4 needs it."""
    try:
        done = subprocess.run(
            [java(), "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    return bool(found) and int(found.group(1)) >= 17
