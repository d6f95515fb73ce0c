"""Settings: which source wins, what is refused, and what never shows."""

import ssl
from pathlib import Path

import pytest

from schemas.errors import BrokerError, InputError
from streams.runtime.settings import Settings

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TOCSIN_{name.upper()}", raising=False)


def test_defaults_need_no_file_and_stay_on_this_machine() -> None:
    settings = Settings.load()
    assert settings.bootstrap == "127.0.0.1:9092"
    assert (settings.topic_prefix, settings.partitions) == ("pv.", 4)
    assert settings.state_dir == Path("state")


def test_flags_beat_the_environment_which_beats_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("tocsin.toml").write_text('topic_prefix = "file."\npartitions = 2\nstate_dir = "a"\n')
    assert Settings.load().partitions == 2
    monkeypatch.setenv("TOCSIN_PARTITIONS", "3")
    monkeypatch.setenv("TOCSIN_STATE_DIR", "b")
    settings = Settings.load(partitions=5, state_dir=None)
    assert settings.topic_prefix == "file."
    assert settings.state_dir == Path("b")
    assert settings.partitions == 5


def test_a_file_given_by_name_replaces_the_default_one(tmp_path: Path) -> None:
    Path("tocsin.toml").write_text("partitions = 2\n")
    other = tmp_path / "other.toml"
    other.write_text("replication_factor = 3\n")
    settings = Settings.load(other)
    assert (settings.partitions, settings.replication_factor) == (4, 3)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            'bootstrp = "x:1"\n',
            r"^settings: bootstrp in tocsin.toml must be a known setting; got 'bootstrp'; "
            r"did you mean 'bootstrap'\?$",
        ),
        ("[kafka]\nhost = 1\n", r"got 'kafka'$"),
        ('partitions = "many"\n', r"^settings: partitions in tocsin.toml: should be a valid int"),
        ("partitions = 0\n", r"greater than or equal to 1$"),
        ("partitions = \n", r"^settings: tocsin.toml must be readable; got Invalid value"),
        ('bootstrap = "localhost"\n', r"each address must be host:port; got 'localhost'$"),
        ('bootstrap = "localhost:0"\n', r"each address must be host:port"),
        ('topic_prefix = "p v"\n', r"topic_prefix in tocsin.toml: .*pattern"),
        ('security_protocol = "TLS"\n', r"should be 'PLAINTEXT', 'SSL'"),
        ('security_protocol = "SASL_SSL"\n', r"SASL needs sasl_mechanism, sasl_username and"),
        ('sasl_username = "me"\n', r"sasl_\.\.\. would have no effect with .* PLAINTEXT$"),
        ('ssl_cafile = "no.pem"\n', r"ssl_cafile in tocsin.toml: Path does not point to a file$"),
        ('ssl_cafile = "tocsin.toml"\n', r"ssl_\.\.\. would have no effect"),
        (
            'security_protocol = "SSL"\nssl_keyfile = "tocsin.toml"\n',
            r"ssl_keyfile and ssl_key_password need ssl_certfile$",
        ),
        ('metrics_bind = "9464"\n', r"metrics_bind in tocsin.toml: must be host:port; got '9464'$"),
        ('metrics_bind = "127.0.0.1:99999"\n', r"must be host:port; got '127.0.0.1:99999'$"),
        ('log_format = "xml"\n', r"log_format in tocsin.toml: should be 'text' or 'json'$"),
        ('traces_endpoint = "localhost:4318"\n', r"traces_endpoint in tocsin.toml: .*pattern"),
        ('traces_endpoint = "http://me:pw@localhost"\n', r"traces_endpoint in tocsin.toml: .*patt"),
        ("ssl_check_hostname = false\n", r"ssl_check_hostname in tocsin.toml must be a known"),
    ],
)
def test_a_wrong_file_is_one_line(toml: str, message: str) -> None:
    Path("tocsin.toml").write_text(toml)
    with pytest.raises(InputError, match=message) as raised:
        Settings.load()
    assert "\n" not in str(raised.value)


def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_PARTITION", "3")
    with pytest.raises(InputError, match=r"TOCSIN_PARTITION must .*did you mean 'partitions'\?$"):
        Settings.load()


def test_the_tests_own_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_KAFKA", "broker.example:9092")
    monkeypatch.setenv("TOCSIN_DATA", "elsewhere")
    assert Settings.load().bootstrap == "127.0.0.1:9092"


def test_a_wrong_variable_or_flag_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^settings: the option partitions: "):
        Settings.load(partitions=0)
    with pytest.raises(InputError, match=r"^settings: the option colour must be a known setting"):
        Settings.load(colour="red")
    monkeypatch.setenv("TOCSIN_PARTITIONS", "few")
    with pytest.raises(InputError, match=r"^settings: the environment variable TOCSIN_PARTITIONS"):
        Settings.load()


def test_a_named_file_must_exist() -> None:
    with pytest.raises(InputError, match=r"^settings: the file must exist; got absent.toml$"):
        Settings.load(Path("absent.toml"))


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
@pytest.mark.parametrize("host", ["broker.example", "10.0.0.7", "localhost.example", "[2001::1]"])
def test_plaintext_to_another_machine_is_refused(host: str, protocol: str) -> None:
    sasl = {"sasl_mechanism": "PLAIN", "sasl_username": "me", "sasl_password": SECRET}
    more = sasl if protocol == "SASL_PLAINTEXT" else {}
    with pytest.raises(BrokerError, match=r"must be asked for by name; got .*allow_plaintext_to"):
        Settings.load(bootstrap=f"localhost:1,{host}:9092", security_protocol=protocol, **more)


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_plaintext_to_this_machine_is_allowed(host: str) -> None:
    assert Settings.load(bootstrap=f"{host}:9092").bootstrap == f"{host}:9092"


def test_plaintext_is_allowed_to_the_named_host_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_ALLOW_PLAINTEXT_TO", "Kafka, other")
    settings = Settings.load(bootstrap="kafka:9092")
    assert settings.allow_plaintext_to == ("Kafka", "other")
    with pytest.raises(BrokerError, match="kafka2"):
        Settings.load(bootstrap="kafka:9092,kafka2:9092")


@pytest.mark.parametrize(
    "setting",
    [
        {"metrics_bind": "0.0.0.0:9464"},
        {"metrics_bind": "[::]:9464"},
        {"metrics_bind": "10.0.0.7:0"},
        {"traces_endpoint": "http://collector.example:4318/v1/traces"},
    ],
)
def test_what_others_could_read_must_be_asked_for_by_name(setting: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"must be asked for by name; got '.*allow_plaintext_to$"):
        Settings.load(**setting)
    hosts = ["0.0.0.0", "::", "10.0.0.7", "collector.example"]
    for name, value in setting.items():
        assert getattr(Settings.load(allow_plaintext_to=hosts, **setting), name) == value


def test_what_stays_here_or_is_encrypted_needs_no_asking() -> None:
    assert Settings.load().metrics_address() is None
    settings = Settings.load(metrics_bind="[::1]:0", traces_endpoint="http://localhost:4318/x")
    assert settings.metrics_address() == ("::1", 0)
    assert Settings.load(metrics_bind="127.0.0.1:9464").metrics_address() == ("127.0.0.1", 9464)
    Settings.load(traces_endpoint="https://collector.example/v1/traces")


def test_secrets_never_show() -> None:
    settings = Settings.load(
        bootstrap="broker.example:9093",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="me",
        sasl_password=SECRET,
    )
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()
    client = settings.client_settings()
    assert client["sasl_plain_password"] == SECRET
    with pytest.raises(InputError) as raised:
        Settings.load(sasl_password=SECRET, sasl_mechanism="GSSAPI")
    assert SECRET not in str(raised.value)
    with pytest.raises(InputError) as raised:
        Settings.load(sasl_password=SECRET, partitions=0)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None
    with pytest.raises(InputError) as raised:
        Settings.load(sasl_password=[SECRET])
    assert SECRET not in str(raised.value)


def test_encryption_always_checks_the_host_name() -> None:
    settings = Settings.load(bootstrap="broker.example:9093", security_protocol="SSL")
    context = settings.client_settings()["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_unreadable_certificates_are_one_line() -> None:
    Path("bad.pem").write_text("not a certificate")
    settings = Settings.load(security_protocol="SSL", ssl_cafile="bad.pem")
    with pytest.raises(InputError, match=r"^settings: the ssl_\.\.\. files must be readable PEM"):
        settings.client_settings()
    settings = Settings.load(security_protocol="SSL", ssl_certfile="bad.pem")
    with pytest.raises(InputError, match="readable PEM"):
        settings.client_settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings.load().partitions = 8  # type: ignore[misc]
