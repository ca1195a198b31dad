"""The cluster launcher's file against Ray's own schema, and the graph that is to run on it."""

import json
from importlib.resources import files

import jsonschema
import pytest
import yaml

from tests.conftest import ROOT

CLUSTER = yaml.safe_load((ROOT / "cluster.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVE = yaml.safe_load((ROOT / "config" / "serve.yaml").read_text())["applications"][0]


def test_it_fits_rays_schema():
    schema = json.loads(files("ray.autoscaler").joinpath("ray-schema.json").read_text())
    jsonschema.validate(CLUSTER, schema)


def test_the_head_takes_no_replicas_and_there_are_workers_of_both_kinds():
    kinds = CLUSTER["available_node_types"]
    assert kinds[CLUSTER["head_node_type"]]["resources"]["CPU"] == 0
    workers = [k["resources"] for name, k in kinds.items() if name != CLUSTER["head_node_type"]]
    assert sorted(w.get("GPU", 0) for w in workers) == [0, 1]


@pytest.mark.parametrize("replicas", ["min_replicas", "max_replicas"])
def test_the_production_graph_fits_the_workers(replicas):
    workers = "min_workers" if replicas == "min_replicas" else "max_workers"
    nodes = [
        kind["resources"]
        for kind in CLUSTER["available_node_types"].values()
        for _ in range(kind[workers])
    ]
    needed = {
        resource: sum(
            d["ray_actor_options"][f"num_{resource.lower()}s"] * d["autoscaling_config"][replicas]
            for d in SERVE["deployments"]
        )
        for resource in ("CPU", "GPU")
    }
    for resource, amount in needed.items():
        assert amount <= sum(node.get(resource, 0) for node in nodes), resource


def test_nodes_outlive_the_longest_wait_before_scaling_down():
    delays = [d["autoscaling_config"].get("downscale_delay_s", 0) for d in SERVE["deployments"]]
    assert CLUSTER["idle_timeout_minutes"] * 60 > max(delays)


def test_ray_answers_to_nobody_without_a_token():
    for commands in ("head_start_ray_commands", "worker_start_ray_commands"):
        start = " ".join(CLUSTER[commands])
        assert "RAY_AUTH_MODE=token" in start
    assert "RAY_AUTH_MODE=token" in DOCKERFILE
    assert "--dashboard-host=127.0.0.1" in " ".join(CLUSTER["head_start_ray_commands"])


def test_every_node_has_the_token_where_the_image_looks_for_it_and_for_its_user_alone():
    (mount,) = [o for o in CLUSTER["docker"]["run_options"] if "token" in o]
    host, target, mode = mount.removeprefix("-v ").split(":")
    assert mode == "ro"
    assert f"RAY_AUTH_TOKEN_PATH={target} " in DOCKERFILE
    (made,) = [c for c in CLUSTER["initialization_commands"] if c.endswith(f"/dev/stdin {host}")]
    assert "-m 600 -o 10001" in made
    assert "--uid 10001 pose" in DOCKERFILE
