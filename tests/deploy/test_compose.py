"""The compose file is one that docker-compose takes, publishes nothing to the network and holds no secret."""

from __future__ import annotations

import json
import re

import pytest
from ruamel.yaml import YAML

from simulators.ward import showcase
from streamproc.config import load
from tests.conftest import require_program

from .provisioned import COMPOSE, SERVICES, options
from .system import ROOT, output


def test_docker_compose_accepts_it() -> None:
    """Debian's docker-compose reads the file, and knows the services it was written for."""
    told = output([require_program("docker-compose", "docker-compose"), "config", "--services"], cwd=ROOT)
    assert sorted(told.split()) == ["grafana", "mosquitto", "processor", "prometheus", "simulators"]


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_published_on_this_machine_alone(service: str) -> None:
    for port in SERVICES[service].get("ports", []):
        assert port.startswith("127.0.0.1:"), f"{port} is open to the network"


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned_to_a_version(service: str) -> None:
    """A ward that was tried on Monday is the same on Friday."""
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", SERVICES[service]["image"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_whether_it_is_well(service: str) -> None:
    """Every server has a healthcheck; the simulators, which serve nothing, say so."""
    check = SERVICES[service]["healthcheck"]
    assert check == {"disable": True} if service == "simulators" else check["test"][0] == "CMD"


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_exists_and_what_is_kept_is_named(service: str) -> None:
    """Docker makes an empty folder of a missing file, and the service starts without its configuration."""
    for volume in SERVICES[service].get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), f"{source} is mounted and does not exist"
            assert volume.endswith(":ro"), f"{source} may be written by the container"
        else:
            assert source in COMPOSE["volumes"], f"{source} is no named volume"


def test_there_is_no_secret_inside() -> None:
    """Not even a default one: whoever adds accounts has to bring the secrets from elsewhere."""
    settings = json.dumps({name: service.get("environment", {}) for name, service in SERVICES.items()})
    assert not re.search(r"passw|secret|token|api_?key", settings, re.IGNORECASE)


def test_the_processor_takes_what_the_compose_file_tells_it() -> None:
    """With its settings and the mounted configuration, the processor would start."""
    settings = load(ROOT / "config", options("processor", "--set"))
    assert (settings.mqtt.host, settings.mqtt.port) == ("mosquitto", 1883)
    assert f"127.0.0.1:{settings.http.port}:{settings.http.port}" in SERVICES["processor"]["ports"]
    assert settings.clock.source == "wall"
    assert f"processor-state:{settings.state.dir}" in SERVICES["processor"]["volumes"]


def test_the_processor_expects_the_beds_that_are_simulated() -> None:
    """A bed on the roster that nobody simulates would be silent for ever, and say so."""
    settings = load(ROOT / "config", options("processor", "--set"))
    ward = showcase(len(settings.roster), "icu-a", seed=1, start_ms=0, duration_s=60)
    heard = {"/".join(message.topic.split("/")[2:4]) for message in ward.play()}
    assert heard == set(settings.roster)
    assert options("simulators", "--beds") == [str(len(settings.roster))]


def test_the_processor_is_where_prometheus_looks() -> None:
    settings = load(ROOT / "config", options("processor", "--set"))
    targets = YAML(typ="safe").load(ROOT / "config" / "prometheus" / "targets" / "processor.yml")
    assert targets == [{"targets": [f"processor:{settings.http.port}"]}]


def test_the_image_installs_only_what_is_locked() -> None:
    """Everything from outside comes with a hash; the project itself comes without dependencies."""
    installs = re.findall(r"pip install .*", (ROOT / "Dockerfile").read_text())
    assert len(installs) == 2
    assert "--require-hashes --only-binary :all: -r requirements/runtime.txt" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]


def test_what_the_image_copies_exists_and_is_sent_to_the_builder() -> None:
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    copies = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for source in " ".join(copies).split():
        assert (ROOT / source).exists()
        assert f"!{source}" in sent, f"{source} is kept from the builder"
