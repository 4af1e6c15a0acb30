"""What an operator copies works: the sample configuration, the metrics of the alerts, the proxy, the units."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path
from urllib.request import urlopen

import pytest
from click import Group

from node.cli.commands import cli
from node.config import Config, load_config
from tests.helpers.nodes import running_cluster

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
SAMPLE = DEPLOY / "wheelyard.toml"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
METRIC = re.compile(r"\bwheelyard_[a-z_]+")


def uncommented() -> str:
    """Return the sample with every option that it shows in a comment."""
    return re.sub(r"^# ([a-z_]+ = )", r"\1", SAMPLE.read_text(), flags=re.MULTILINE)


class TestSample:
    def test_sample_is_a_configuration_with_the_defaults(self) -> None:
        config = load_config({}, environment={}, file=SAMPLE)

        assert config == load_config({"data": "/var/lib/wheelyard"}, environment={})

    @pytest.mark.parametrize("name", [known.name for known in fields(Config)])
    def test_sample_shows_every_option(self, name: str) -> None:
        assert name in tomllib.loads(uncommented())

    def test_values_in_comments_can_be_read(self) -> None:
        shown = tomllib.loads(uncommented())

        for known in fields(Config):
            known.metadata["parse"](str(shown[known.name]))


def metrics_of(folder: Path) -> str:
    with running_cluster(folder, replicas=1, options=("--offline",)) as cluster:
        cluster.wait_until_equal()
        texts = []
        for node in cluster.nodes:
            with urlopen(node.url + "/+metrics") as answer:
                texts.append(answer.read().decode())
        return "\n".join(texts)


def test_every_metric_of_the_alerts_exists_on_a_live_node(tmp_path: Path) -> None:
    named = set(METRIC.findall((DEPLOY / "prometheus" / "alerts.yaml").read_text()))
    families = set(re.findall(r"^# TYPE (\S+)", metrics_of(tmp_path), flags=re.MULTILINE))

    assert named
    assert named <= families


@pytest.mark.skipif(NGINX is None, reason="nginx is missing: apt-get install nginx")
def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    """The file is what Debian includes inside ``http``; the names in it are made ones that resolve here."""
    text = (DEPLOY / "nginx.conf").read_text()
    hosts = re.sub(r"server (primary|replica-\d)\.example\.com:", "server 127.0.0.1:", text)
    without_tls = re.sub(r"^\s*(ssl_certificate(_key)?|http2) .*$", "", hosts, flags=re.MULTILINE)
    plain = without_tls.replace("listen 443 ssl", "listen 8443").replace(
        "listen [::]:443 ssl", "listen [::]:8443"
    )
    (tmp_path / "site.conf").write_text(plain)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/proxy;\n"
        f"include {tmp_path}/site.conf; }}\n"
    )

    done = subprocess.run(
        [str(NGINX), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["wheelyard-primary.service", "wheelyard-replica@.service"])
def test_unit_runs_a_command_that_exists_with_options_that_exist(name: str) -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / name)

    program, command, *words = unit["Service"]["ExecStart"].split()
    options = {word for word in words if word.startswith("--")}

    assert Path(program).name == "wheelyard"
    assert isinstance(cli, Group)
    assert options <= {name for option in cli.commands[command].params for name in option.opts}
    assert unit["Unit"]["PartOf"] == "wheelyard.target"
    assert unit["Service"]["Restart"] == "always"
