"""Settings from `tocsin.toml`, the environment (``TOCSIN_...``) and flags, in rising precedence.

A misspelt setting is refused in each of them, and so is an unencrypted connection to another
machine unless `allow_plaintext_to` names that machine. The broker's host name is always checked
against its certificate; no setting turns that off.
"""

import ipaddress
import os
import ssl
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from schemas.errors import BrokerError, InputError
from streams.runtime.detector_settings import DEFAULT_FILE, TABLE, DetectorSettings

__all__ = ["Settings"]

PREFIX = "TOCSIN_"
NOT_SETTINGS = ("kafka", "data", "debug")  # TOCSIN_KAFKA and the like: for tests and defects

_toml_file: ContextVar[Path | None] = ContextVar("_toml_file", default=None)


def _split(value: object) -> object:
    """Split the value of an environment variable or flag at its commas."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


class Settings(BaseSettings):
    """Settings of the Kafka connection, the topics, the state directory and monitoring.

    Create them with `Settings.load`, which reads `tocsin.toml` and reports errors in one line.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    bootstrap: str = Field(
        default="127.0.0.1:9092",
        description="Bootstrap brokers: host:port, several separated by commas.",
    )
    topic_prefix: str = Field(
        default="pv.",
        pattern=r"^[A-Za-z0-9._-]{0,200}$",
        description="Prefix of every topic, consumer group and transactional id.",
    )
    partitions: int = Field(
        default=4,
        ge=1,
        le=10_000,
        description="Partitions of each topic but `deltas`, `priors` and `rules`, and so the most "
        "case workers that share the work. It cannot be changed once reports are counted.",
    )
    replication_factor: int = Field(
        default=1,
        ge=1,
        le=32_767,
        description="Copies of each partition; from 2 on, a write waits until two copies have it.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="Encryption and authentication of connections to the brokers.",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="SASL mechanism; required with SASL_PLAINTEXT and SASL_SSL."
    )
    sasl_username: str | None = Field(
        default=None, description="SASL user name; required likewise."
    )
    sasl_password: SecretStr | None = Field(
        default=None, description="SASL password; required likewise. Set it in the environment."
    )
    ssl_cafile: FilePath | None = Field(
        default=None, description="PEM file of trusted authorities; none: those of the system."
    )
    ssl_certfile: FilePath | None = Field(
        default=None, description="PEM file of the client certificate, for mutual TLS."
    )
    ssl_keyfile: FilePath | None = Field(
        default=None, description="PEM file of the private key, unless `ssl_certfile` holds it."
    )
    ssl_key_password: SecretStr | None = Field(
        default=None, description="Password of the private key."
    )
    allow_plaintext_to: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(),
        description="Other hosts to which unencrypted connections are allowed, and addresses of "
        "this machine on which metrics may be served unencrypted; separated by commas.",
    )
    connect_timeout_ms: int = Field(
        default=10_000,
        ge=100,
        description="Time after which a command gives up if no broker answers [ms].",
    )
    session_timeout_ms: int = Field(
        default=10_000,
        ge=1_000,
        description="Time without a heartbeat after which a worker loses its partitions [ms].",
    )
    group_instance_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="Unique name of this worker, for static membership: a restart within "
        "session_timeout_ms then moves no partition.",
    )
    key_required: bool = Field(
        default=True,
        description="Whether a report or link without a key is rejected. If not, it counts on the "
        "partition of its case id, to which it is re-routed.",
    )
    state_dir: Path = Field(
        default=Path("state"),
        description="Folder of the worker's state, on a local disk: a database for each partition, "
        "the snapshot of the detector, the index of the link stage.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="Form of the log on stderr: text, or JSON lines with the journal of batches.",
    )
    metrics_bind: str | None = Field(
        default=None,
        description="host:port at which /metrics and /health are served; port 0 takes a free one.",
    )
    traces_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s@]+$",
        description="URL of an OTLP collector of traces over HTTP; requires the extra `tracing`.",
    )

    detector: DetectorSettings = Field(
        default_factory=DetectorSettings,
        description="Rules, windows, policy, lists, priors and strata: the table `[detector]`.",
    )

    @classmethod
    def load(cls, path: Path | None = None, **overrides: object) -> Self:
        """Return the settings, or raise an error of one line that names the setting.

        Parameters
        ----------
        path
            The TOML file; by default `tocsin.toml` in the working directory, if there is one.
        overrides
            Flags; `None` for those not given.

        Raises
        ------
        InputError
            A setting is unknown, malformed, or contradicts another.
        BrokerError
            The connection would be unencrypted to a host that `allow_plaintext_to` does not name.
        """
        if path is not None and not path.is_file():
            msg = f"settings: the file must exist; got {path}"
            raise InputError(msg)
        file = path if path is not None else DEFAULT_FILE if DEFAULT_FILE.is_file() else None
        given = {name: value for name, value in overrides.items() if value is not None}
        cls._refuse_unknown_variables(os.environ)
        token = _toml_file.set(file)
        try:
            return cls(**given)  # type: ignore[arg-type]
        except ValidationError as error:
            # From None: pydantic's message might quote the input, such as a password.
            raise InputError(cls._one_line(error, given, file)) from None
        except (SettingsError, TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            msg = f"settings: {file or 'the environment'} must be readable; got {error}"
            raise InputError(msg) from None
        finally:
            _toml_file.reset(token)

    def client_settings(self) -> dict[str, Any]:
        """Return the arguments common to every kafka-python client.

        Raises
        ------
        InputError
            If the certificates cannot be read.
        """
        settings: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
            "bootstrap_timeout_ms": self.connect_timeout_ms,
            # The default of 30 s would delay reconnecting to a broker that is available again.
            "reconnect_backoff_max_ms": 2_000,
        }
        if self.security_protocol.endswith("SSL"):
            settings["ssl_context"] = self._ssl_context()
        if self.security_protocol.startswith("SASL") and self.sasl_password is not None:
            settings["sasl_mechanism"] = self.sasl_mechanism
            settings["sasl_plain_username"] = self.sasl_username
            settings["sasl_plain_password"] = _Unprinted(self.sasl_password.get_secret_value())
        return settings

    def allows_plaintext_to(self, host: str) -> bool:
        """Return whether an unencrypted connection to `host` is allowed."""
        return _is_this_machine(host) or host.lower() in map(str.lower, self.allow_plaintext_to)

    def hosts(self) -> Iterator[tuple[str, int]]:
        """Yield host and port of every bootstrap address."""
        for address in self.bootstrap.split(","):
            yield _host_and_port(address)

    def metrics_address(self) -> tuple[str, int] | None:
        """Return host and port at which to serve metrics and health; `None` if not served."""
        return None if self.metrics_bind is None else _host_and_port(self.metrics_bind)

    @field_validator("bootstrap", mode="after")
    @classmethod
    def _addresses(cls, value: str) -> str:
        addresses = [address.strip() for address in value.split(",")]
        for address in addresses:
            if not _is_address(address, first_port=1):
                msg = f"each address must be host:port; got {address!r}"
                raise ValueError(msg)
        return ",".join(addresses)

    @field_validator("metrics_bind", mode="after")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not _is_address(value, first_port=0):
            msg = f"must be host:port; got {value!r}"
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sasl = (self.sasl_mechanism, self.sasl_username, self.sasl_password)
        if self.security_protocol.startswith("SASL"):
            if not all(sasl):
                msg = "SASL needs sasl_mechanism, sasl_username and sasl_password"
                raise ValueError(msg)
        elif any(sasl):
            msg = f"sasl_... would have no effect with security_protocol {self.security_protocol}"
            raise ValueError(msg)
        files = (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile, self.ssl_key_password)
        if any(files) and not self.security_protocol.endswith("SSL"):
            msg = f"ssl_... would have no effect with security_protocol {self.security_protocol}"
            raise ValueError(msg)
        if (self.ssl_keyfile or self.ssl_key_password) and not self.ssl_certfile:
            msg = "ssl_keyfile and ssl_key_password need ssl_certfile"
            raise ValueError(msg)
        if self.security_protocol.endswith("PLAINTEXT"):
            for host, _ in self.hosts():
                self.refuse_plaintext(host)
        address, traces = self.metrics_address(), urlsplit(self.traces_endpoint or "")
        if address is not None:
            self._refuse_unencrypted("metrics_bind: to listen", address[0])
        if traces.scheme == "http":
            self._refuse_unencrypted("traces_endpoint: to send", traces.hostname or "")
        return self

    def _refuse_unencrypted(self, doing: str, host: str) -> None:
        if not self.allows_plaintext_to(host):
            msg = (
                f"settings: {doing} without encryption beyond this machine must be asked for by "
                f"name; got {host!r}: add it to allow_plaintext_to"
            )
            raise InputError(msg)

    def refuse_plaintext(self, host: str) -> None:
        """Raise `BrokerError` unless an unencrypted connection to `host` is allowed."""
        if not self.allows_plaintext_to(host):
            msg = (
                f"settings: {self.security_protocol} to another machine must be asked for by name; "
                f"got {host!r}: use SSL or SASL_SSL, or add the host to allow_plaintext_to"
            )
            raise BrokerError(msg)

    def _ssl_context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)  # checks host names
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if self.ssl_certfile is not None:
                password = self.ssl_key_password
                # Never None: OpenSSL would prompt for the password of the key.
                secret = "" if password is None else password.get_secret_value()
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, password=secret)
        except (OSError, ssl.SSLError) as error:
            msg = f"settings: the ssl_... files must be readable PEM; got {error}"
            raise InputError(msg) from None
        return context

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in order of precedence, highest first."""
        file = TomlConfigSettingsSource(settings_cls, toml_file=_toml_file.get())
        return init_settings, env_settings, file

    @classmethod
    def _refuse_unknown_variables(cls, environ: Mapping[str, str]) -> None:
        for variable in environ:
            if not variable.upper().startswith(PREFIX):
                continue
            name = variable[len(PREFIX) :].lower().partition("__")[0]
            if name not in cls.model_fields and name not in NOT_SETTINGS:
                raise InputError(cls._unknown(f"the environment variable {variable}", name))

    @classmethod
    def _unknown(cls, where: str, name: str) -> str:
        nested = (f"detector.{field}" for field in DetectorSettings.model_fields)
        close = get_close_matches(name, [*cls.model_fields, *nested], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"settings: {where} must be a known setting; got {name!r}{hint}"

    @classmethod
    def _one_line(
        cls, error: ValidationError, given: Mapping[str, object], file: Path | None
    ) -> str:
        first = error.errors(include_url=False)[0]
        parts = first["loc"][:2] if first["loc"][:1] == (TABLE,) else first["loc"][:1]
        name, variable = ".".join(map(str, parts)), PREFIX + "__".join(map(str, parts)).upper()
        if name in given:
            where = f"the option {name}"
        elif variable in map(str.upper, os.environ):
            where = f"the environment variable {variable}"
        else:
            where = f"{name} in {file}" if name else "the whole"
        if first["type"] == "extra_forbidden":
            return cls._unknown(where, name)
        rule = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
        return f"settings: {where}: {rule}"


class _Unprinted(str):
    """A password with a masked `repr`: the admin client logs its configuration at DEBUG level."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


def _is_address(text: str, *, first_port: int) -> bool:
    host, colon, port = text.rpartition(":")
    return bool(host and colon and port.isdecimal() and first_port <= int(port) < 65_536)


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _is_this_machine(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
