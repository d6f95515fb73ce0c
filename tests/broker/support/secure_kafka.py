"""A real Kafka with SASL_SSL, its own certificate authority, and the documented ACLs."""

import base64
import re
import subprocess
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)

from tests.broker.support.kafka_jars import java, kafka_jars
from tests.broker.support.kafka_server import KafkaServer, PortTaken, free_ports

__all__ = ["LISTENERS", "Grant", "SecureKafka", "documented_grants", "secure_kafka"]

LISTENERS = {
    "VALID": ("-ext", "san=ip:127.0.0.1"),
    "ELSEWHERE": ("-ext", "san=dns:broker.example.org"),
    "EXPIRED": ("-ext", "san=ip:127.0.0.1", "-startdate", "-10d", "-validity", "5"),
}
"""SASL_SSL listeners of the one broker, and what keytool makes the certificate of each with."""

MECHANISM = "SCRAM-SHA-512"
STORE_PASSWORD = "of-the-key-stores"
KEYTOOL_SECONDS = 60
DOCUMENT = Path(__file__).parents[3] / "docs" / "operate" / "security.md"


class Grant(NamedTuple):
    """One row of the table in `docs/operate/security.md`."""

    role: str
    resource: ResourceType
    name: str  # ends in * for a prefix
    operations: frozenset[ACLOperation]

    def acls(self, user: str) -> Iterator[ACL]:
        prefixed = self.name.endswith("*")
        pattern = ResourcePattern(
            self.resource,
            self.name.removesuffix("*"),
            ACLResourcePatternType.PREFIXED if prefixed else ACLResourcePatternType.LITERAL,
        )
        for operation in self.operations:
            yield ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, pattern)


def documented_grants() -> list[Grant]:
    """Read the table: what is documented is what is tested."""
    row = re.compile(r"^\| (\w+) \|[^|]*\| ([\w-]+) \| `([^`]+)` \| ([\w, ]+) \|$", re.MULTILINE)
    return [
        Grant(
            role,
            ResourceType[resource.upper().replace("-", "_")],
            name,
            frozenset(ACLOperation[_snake(word)] for word in operations.split(", ")),
        )
        for role, resource, name, operations in row.findall(DOCUMENT.read_text())
    ]


def _snake(word: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).upper()


class SecureKafka(KafkaServer):
    """A `KafkaServer` with the `LISTENERS`; its plain one is for the broker itself and the set-up.

    Parameters
    ----------
    jars
        Folder of jars, as `kafka_jars` returns it.
    folder
        Where `certificates` has put the key stores and `ca.pem`.
    passwords
        Of every user, by name.
    """

    def __init__(self, jars: Path, folder: Path, passwords: Mapping[str, str]) -> None:
        super().__init__(jars, brief=True)
        self.ca = folder / "ca.pem"
        self._folder = folder
        self._passwords = passwords
        self._ports = dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))

    def address(self, listener: str) -> str:
        """Return the address of a listener."""
        return f"127.0.0.1:{self._ports[listener]}"

    def properties(self) -> dict[str, str]:
        base = super().properties()
        found = {
            **base,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",  # who comes by the plain listener
        }
        for name in LISTENERS:
            own = f"listener.name.{name.lower()}"
            found["listeners"] += f",{name}://{self.address(name)}"
            found["advertised.listeners"] += f",{name}://{self.address(name)}"
            found["listener.security.protocol.map"] += f",{name}:SASL_SSL"
            found |= {
                f"{own}.ssl.keystore.location": str(self._folder / f"{name}.p12"),
                f"{own}.ssl.keystore.type": "PKCS12",
                f"{own}.ssl.keystore.password": STORE_PASSWORD,
                f"{own}.sasl.enabled.mechanisms": MECHANISM,
                f"{own}.{MECHANISM.lower()}.sasl.jaas.config": (
                    "org.apache.kafka.common.security.scram.ScramLoginModule required;"
                ),
            }
        return found

    def allow(self, acls: Iterable[ACL]) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            answer = admin.create_acls(list(acls))
        assert not answer["failed"], answer["failed"]

    def _format(self, config: Path) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        users = [
            f"--add-scram={MECHANISM}=[name={name},password={password}]"
            for name, password in self._passwords.items()
        ]
        format_ = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}")
        _run(*self._java(*format_, f"--config={config}", *users, heap="128m"))
        self._formatted = True


@contextmanager
def secure_kafka(folder: Path, passwords: Mapping[str, str]) -> Iterator[SecureKafka]:
    """Run a broker with these users, who may do nothing yet.

    Raises
    ------
    NoBroker
        There is no Java, or no Maven to fetch Kafka with.
    """
    jars = kafka_jars()
    certificates(folder)
    for last in (False, False, True):
        server = SecureKafka(jars, folder, passwords)
        try:
            server.start()
            break
        except PortTaken:
            server.stop()
            if last:
                raise
        except BaseException:
            server.stop()
            raise
    try:
        yield server
    finally:
        server.stop()


def certificates(folder: Path) -> None:
    """Make an authority, and for each listener a key store with a certificate signed by it.

    With keytool, which comes with every Java: OpenSSL cannot date a certificate back before 3.4.
    """
    authority = ("-dname", "CN=Authority of a test", "-ext", "bc:c", "-ext", "ku:c=keyCertSign")
    _keytool(folder / "ca.p12", "-genkeypair", "-alias", "ca", *_EC, *authority)

    def sign(name: str) -> None:
        store = folder / f"{name}.p12"
        store.write_bytes((folder / "ca.p12").read_bytes())
        made = ("-genkeypair", "-alias", "broker", "-dname", "CN=broker", "-signer", "ca")
        _keytool(store, *made, *_EC, *LISTENERS[name])
        _keytool(store, "-delete", "-alias", "ca")

    with ThreadPoolExecutor() as pool:
        exported = ("-exportcert", "-rfc", "-alias", "ca", "-file", str(folder / "ca.pem"))
        pem = pool.submit(_keytool, folder / "ca.p12", *exported)
        list(pool.map(sign, LISTENERS))
        pem.result()


_EC = ("-keyalg", "EC", "-groupname", "secp256r1")


def _keytool(store: Path, *arguments: str) -> None:
    keytool = Path(java()).with_name("keytool")
    of_store = ("-keystore", str(store), "-storetype", "PKCS12", "-storepass", STORE_PASSWORD)
    _run(str(keytool), *arguments, *of_store)


def _run(*command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=KEYTOOL_SECONDS, check=False
    )
    if done.returncode:
        msg = f"{command[0]}: {done.stdout}{done.stderr}"
        raise RuntimeError(msg)
