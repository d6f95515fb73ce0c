"""Docker commands to run a broker for tests."""

import subprocess

__all__ = ["docker", "docker_works", "remove_container"]


def remove_container(container: str) -> None:
    """Remove a container and its data."""
    docker("rm", "--force", "--volumes", container)


def docker_works() -> bool:
    """Tell whether a Docker engine answers."""
    try:
        return docker("info", seconds=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def docker(*arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run one Docker command."""
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False
    )
