from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

import pytest

from node.config import Config, ConfigError, is_loopback, load_config

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [known.name for known in fields(Config)]


@pytest.fixture
def examples(tmp_path: Path) -> dict[str, Any]:
    """A right value for every option, other than its default."""
    for name in ("secret", "old", "password", "cert", "key", "ca"):
        (tmp_path / name).write_text(name)
    return {
        "data": str(tmp_path / "data"),
        "host": "localhost",
        "port": 4000,
        "primary": "https://primary.example.com",
        "secret_file": str(tmp_path / "secret"),
        "old_secret_file": str(tmp_path / "old"),
        "region": "north",
        "public_url": "https://packages.example.com",
        "root_password_file": str(tmp_path / "password"),
        "no_root_pypi": True,
        "restrict_modify": "root",
        "require_login": True,
        "offline": True,
        "max_upload_bytes": 1000,
        "durability": "local",  # the only one yet
        "retention_entries": 2000,
        "snapshot_after_entries": 3000,
        "connections_max": 50,
        "tls_cert": str(tmp_path / "cert"),
        "tls_key": str(tmp_path / "key"),
        "cluster_ca": str(tmp_path / "ca"),
        "insecure_cluster": True,
        "map_bytes": 1 << 30,
    }


def companions(name: str, examples: dict[str, Any]) -> dict[str, Any]:
    """What else must be set for one option to make sense."""
    needed = {"primary": ["secret_file"], "tls_cert": ["tls_key"], "tls_key": ["tls_cert"]}
    return {other: examples[other] for other in ("data", *needed.get(name, ())) if other != name}


def problems_of(
    flags: dict[str, Any], *, environment: dict[str, str] | None = None, file: Path | None = None
) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load_config(flags, environment=environment or {}, file=file)
    return refused.value.problems


class TestSources:
    @pytest.mark.parametrize("name", NAMES)
    def test_every_option_is_read_from_flag_environment_and_file_alike(
        self, name: str, examples: dict[str, Any], tmp_path: Path
    ) -> None:
        value = examples[name]
        others = companions(name, examples)
        file = tmp_path / "wheelyard.toml"
        file.write_text(f"{name} = {str(value).lower() if isinstance(value, bool | int) else repr(value)}\n")

        by_flag = load_config({**others, name: value}, environment={})
        by_environment = load_config(others, environment={f"WHEELYARD_{name.upper()}": str(value)})
        by_file = load_config(others, environment={}, file=file)

        assert by_flag == by_environment == by_file
        known = next(known for known in fields(Config) if known.name == name)
        assert getattr(by_flag, name) == known.metadata["parse"](str(value))
        assert name == "durability" or getattr(by_flag, name) != known.default

    def test_flag_wins_over_environment_and_environment_over_file(self, tmp_path: Path) -> None:
        file = tmp_path / "wheelyard.toml"
        file.write_text('data = "file"\nhost = "localhost"\nport = 1\nregion = "file"\n')
        environment = {"WHEELYARD_PORT": "2", "WHEELYARD_REGION": "environment"}

        config = load_config({"region": "flag"}, environment=environment, file=file)

        assert (config.host, config.port, config.region) == ("localhost", 2, "flag")

    def test_empty_variable_counts_as_not_set(self) -> None:
        config = load_config({"data": "x"}, environment={"WHEELYARD_PRIMARY": "", "WHEELYARD_PORT": ""})

        assert (config.primary, config.port) == (None, 3141)

    @pytest.mark.parametrize("known", fields(Config), ids=lambda known: known.name)
    def test_every_option_has_help_and_only_data_is_required(self, known: Any) -> None:
        assert known.metadata["help"]
        assert (known.default is MISSING) == (known.name == "data")


class TestProblems:
    def test_all_are_reported_at_once(self, tmp_path: Path) -> None:
        file = tmp_path / "wheelyard.toml"
        file.write_text('colour = "red"\nmax_upload_bytes = -1\n')
        flags = {"port": "70000", "primary": "http://127.0.0.1:3141", "tls_cert": str(tmp_path / "cert")}

        problems = problems_of(flags, environment={"WHEELYARD_OFFLINE": "perhaps"}, file=file)

        assert problems == [
            f"{file}: unknown key 'colour'",
            "--data is needed",
            "--port=70000: must be between 0 and 65535",
            "WHEELYARD_OFFLINE=perhaps: must be true or false",
            f"{file}: max_upload_bytes=-1: must not be negative",
            "a replica needs --secret-file, a copy of the primary's DIR/secret",
            "--tls-cert and --tls-key go together",
            f"--tls-cert {tmp_path / 'cert'}: No such file or directory",
        ]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("port", "x"),
            ("primary", "primary.example.com"),
            ("durability", "quorum:2"),
            ("durability", "fast"),
            ("map_bytes", "64G"),
        ],
    )
    def test_value_that_does_not_fit_is_refused(self, name: str, value: str) -> None:
        problems = problems_of({"data": "x", name: value})

        assert len(problems) == 1
        assert problems[0].startswith(f"--{name.replace('_', '-')}={value}: ")

    def test_plain_primary_on_another_host_needs_consent(self, examples: dict[str, Any]) -> None:
        flags = {
            "data": "x",
            "primary": "http://10.0.0.1:3141",
            "secret_file": examples["secret_file"],
        }

        problems = problems_of(flags)
        config = load_config({**flags, "insecure_cluster": True}, environment={})

        assert len(problems) == 1
        assert "--insecure-cluster" in problems[0]
        assert config.is_replica

    def test_replica_takes_no_root_password(self, examples: dict[str, Any]) -> None:
        names = ("data", "primary", "secret_file", "root_password_file")

        problems = problems_of({name: examples[name] for name in names})

        assert problems == ["--root-password-file is for a new primary; a replica has its users from there"]

    @pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("port = ", "Invalid value")])
    def test_unusable_file_is_one_problem(self, tmp_path: Path, content: str | None, said: str) -> None:
        file = tmp_path / "wheelyard.toml"
        if content is not None:
            file.write_text(content)

        problems = problems_of({"data": "x"}, file=file)

        assert len(problems) == 1
        assert said in problems[0]


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("a", False),
    ],
)
def test_loopback_is_recognised(host: str, *, is_local: bool) -> None:
    assert is_loopback(host) == is_local
