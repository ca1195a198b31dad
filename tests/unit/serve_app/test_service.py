"""A request as the service sees it: admission, working files, deadlines, live settings."""

import asyncio
import os
import threading
import time
from dataclasses import replace

import pytest

from deployments.errors import (
    ConfigurationError,
    DeadlineExceededError,
    NotReadyError,
    OverloadedError,
)
from deployments.messages import ModelStatus
from serve_app import health
from serve_app.model_plan import plan_models, pose_order
from serve_app.results.response_schema import PoseOptions
from serve_app.service import PoseService
from serve_app.settings import load_settings
from tests.support.loopback_server import Server, forever

GOOD = {
    role: ModelStatus(role=role, loaded=True, name=role, input_size=(8, 8), device="cpu")
    for role in ("rtmpose", "hrnet", "detector")
}


def service_of(marker_config, tmp_path, statuses=GOOD, stages=None, **arguments):
    settings = load_settings(
        {"config": marker_config, "spool_dir": tmp_path / "spool", "output": "x", **arguments}
    )
    return PoseService(settings, plan_models(settings), stages, lambda: statuses)


def lost(role, reason="gone"):
    return {**GOOD, role: ModelStatus(role=role, loaded=False, reason=reason)}


def stand_in(role):
    return {**GOOD, role: replace(GOOD[role], notice="a stand-in")}


@pytest.mark.parametrize(
    ("statuses", "wanted", "order"),
    [
        (GOOD, "auto", ("rtmpose", "hrnet")),
        (GOOD, "hrnet", ("hrnet",)),
        (lost("rtmpose"), "auto", ("hrnet",)),
        (lost("hrnet"), "auto", ("rtmpose",)),
        (stand_in("rtmpose"), "auto", ("hrnet", "rtmpose")),
    ],
)
def test_the_models_to_ask(statuses, wanted, order):
    assert pose_order(statuses, wanted) == order


@pytest.mark.parametrize(
    ("statuses", "wanted", "says"),
    [
        ({}, "auto", "rtmpose: no answer yet"),
        (lost("detector"), "auto", "detector: gone"),
        (lost("hrnet", "no weights"), "hrnet", "hrnet: no weights"),
        ({"detector": GOOD["detector"]}, "auto", "hrnet: no answer yet"),
    ],
)
def test_without_a_model_it_is_not_ready_and_says_why(statuses, wanted, says):
    with pytest.raises(NotReadyError, match=says):
        pose_order(statuses, wanted)


@pytest.mark.parametrize(
    ("statuses", "status", "reasons"),
    [
        (GOOD, "healthy", []),
        (lost("hrnet"), "healthy", ["hrnet: gone"]),
        (lost("rtmpose"), "degraded", ["rtmpose: gone"]),
        (stand_in("rtmpose"), "degraded", ["rtmpose: rtmpose is a stand-in"]),
        (lost("detector"), "not_ready", ["detector: gone"]),
        ({}, "not_ready", None),
    ],
)
def test_health_by_what_is_loaded(marker_config, tmp_path, statuses, status, reasons):
    report = health.report(service_of(marker_config, tmp_path).plan, statuses)
    assert report.status == status
    if reasons is not None:
        assert report.reasons == reasons


def test_health_is_of_the_fallback_where_the_primary_is_switched_off(marker_config, tmp_path):
    service = service_of(marker_config, tmp_path, rtmpose_enabled=False)
    report = health.report(service.plan, lost("rtmpose", "disabled"))
    assert (report.status, report.reasons) == ("healthy", [])
    assert not report.models.rtmpose_loaded


def test_the_gpu_is_that_of_the_models_wherever_they_run(marker_config, tmp_path):
    statuses = {**GOOD, "rtmpose": replace(GOOD["rtmpose"], device="cuda:0", gpu="Tesla T4")}
    report = health.report(service_of(marker_config, tmp_path).plan, statuses)
    assert (report.system.cuda_available, report.system.gpu_device) == (True, "Tesla T4")
    assert not report.models.mmcv_cuda
    compiled = {**statuses, "detector": replace(statuses["rtmpose"], nms="compiled")}
    assert health.report(service_of(marker_config, tmp_path).plan, compiled).models.mmcv_cuda


def test_a_stand_in_is_not_called_rtmpose(marker_config, tmp_path):
    report = health.report(service_of(marker_config, tmp_path).plan, stand_in("rtmpose"))
    assert not report.models.rtmpose_loaded
    assert report.models.stages["rtmpose"]["loaded"]


def test_no_more_are_admitted_than_configured_and_places_are_given_back(marker_config, tmp_path):
    service = service_of(marker_config, tmp_path, max_concurrent_requests=2)
    for _ in range(2):
        with service.admitted(), service.admitted():
            with pytest.raises(OverloadedError) as refused, service.admitted():
                pass
            assert refused.value.retry_after_s > 0
            assert refused.value.facts == {"limit": 2}


def test_nobody_is_admitted_before_a_model_is_loaded(marker_config, tmp_path):
    service = service_of(marker_config, tmp_path, statuses={})
    with pytest.raises(NotReadyError), service.admitted():
        pass


def test_user_config_changes_what_it_names_and_the_rest_goes_back(marker_config, tmp_path):
    service = service_of(marker_config, tmp_path, confidence_threshold=0.4)
    service.reconfigure({"detector_stride": 2})
    assert (service.live.detector_stride, service.live.confidence_threshold) == (2, 0.4)
    service.reconfigure({"confidence_threshold": 0.5})
    assert (service.live.detector_stride, service.live.confidence_threshold) == (4, 0.5)


@pytest.mark.parametrize(
    "user_config", [{"confidence": 0.5}, {"detector_stride": 0}, {"confidence_threshold": "high"}]
)
def test_a_wrong_user_config_is_refused_and_the_old_one_stays(marker_config, tmp_path, user_config):
    service = service_of(marker_config, tmp_path)
    service.reconfigure({"max_people": 3})
    with pytest.raises(ConfigurationError, match="user_config of the Ingress"):
        service.reconfigure(user_config)
    assert service.live.max_people == 3


def test_a_wrong_allowed_host_is_refused_at_start(marker_config, tmp_path):
    with pytest.raises(ConfigurationError, match="not a host/99"):
        service_of(marker_config, tmp_path, allowed_hosts=["not a host/99"])


def test_working_files_go_whatever_happens(marker_config, tmp_path):
    service = service_of(marker_config, tmp_path)
    with service.workspace() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError), service.workspace() as folder:  # noqa: PT012
        (folder / "sub").mkdir()
        (folder / "sub").mkdir()
    assert list(service.settings.spool_dir.iterdir()) == []


def test_a_start_removes_what_killed_replicas_left_but_not_what_others_use(marker_config, tmp_path):
    spool = tmp_path / "spool"
    for name, age_s in (("old", 4000), ("young", 100)):
        (spool / name).mkdir(parents=True)
        (spool / name / "file").write_bytes(b"x")
        os.utime(spool / name, (time.time() - age_s,) * 2)
    service_of(marker_config, tmp_path, deadline_s=3600)
    assert [entry.name for entry in spool.iterdir()] == ["young"]


def test_a_folder_of_working_files_that_is_no_folder_is_refused(marker_config, tmp_path):
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(ConfigurationError, match="spool"):
        service_of(marker_config, tmp_path)


class Slow:
    """Stages that take longer than anybody waits."""

    async def probe(self, _path, _options):
        await asyncio.sleep(60)


def test_a_request_out_of_time_is_told_so(marker_config, tmp_path):
    service = service_of(marker_config, tmp_path, stages=Slow(), deadline_s=0.05)

    async def ask():
        with service.workspace() as folder:
            await service.analyze_file(tmp_path / "x.mp4", folder, PoseOptions(), "id")

    with pytest.raises(DeadlineExceededError, match=r"0\.05 s"):
        asyncio.run(ask())


def test_a_drained_service_admits_nothing_more_and_ends_what_is_not_done_in_time(
    marker_config, tmp_path
):
    service = service_of(marker_config, tmp_path, stages=Slow())

    async def ask():
        with service.workspace() as folder, service.admitted():
            await service.analyze_file(tmp_path / "x.mp4", folder, PoseOptions(), "id")

    async def drained():
        asked = asyncio.create_task(ask())
        await asyncio.sleep(0.01)
        ending = asyncio.create_task(service.drain(0.2))
        await asyncio.sleep(0.01)
        assert service.health().status == "not_ready"
        with pytest.raises(NotReadyError, match="ending"):
            await ask()
        with pytest.raises(NotReadyError, match="ending"):
            await service.analyze_url("http://127.0.0.1/x", PoseOptions(), "id")
        assert not asked.done()
        with pytest.raises(NotReadyError, match="ending"):
            await asked
        await ending

    asyncio.run(asyncio.wait_for(drained(), 20))
    assert list(service.settings.spool_dir.iterdir()) == []


def test_a_drained_service_lets_what_is_nearly_done_end(marker_config, tmp_path):
    service = service_of(marker_config, tmp_path)

    async def drained():
        async def nearly_done():
            async with service.deadline():
                await asyncio.sleep(0.1)
                return "done"

        asked = asyncio.create_task(nearly_done())
        await asyncio.sleep(0.01)
        await service.drain(60)
        return await asked

    assert asyncio.run(asyncio.wait_for(drained(), 20)) == "done"


def test_a_drained_service_waits_until_answers_are_sent(marker_config, tmp_path):
    """(S7) One that is made has still to reach its caller."""
    service, sent = service_of(marker_config, tmp_path), []

    async def drained():
        async def nearly_sent():
            with service.answering():
                await asyncio.sleep(0.1)
                sent.append("answer")

        answer = asyncio.create_task(nearly_sent())
        await asyncio.sleep(0.01)
        await service.drain(0.0)
        assert sent == ["answer"]
        await answer

    asyncio.run(asyncio.wait_for(drained(), 20))


def test_a_drained_service_waits_for_threads_that_keep_a_place(marker_config, tmp_path):
    """(S7) Their folder is there until they end."""
    service = service_of(marker_config, tmp_path)

    async def drained():
        async def answered_already():
            with service.request_slot(), service.workspace():
                await asyncio.sleep(0.1)

        work = asyncio.create_task(answered_already())
        await asyncio.sleep(0.01)
        await service.drain(0.0)
        assert work.done()
        await work

    asyncio.run(asyncio.wait_for(drained(), 20))
    assert list(service.settings.spool_dir.iterdir()) == []


def test_a_download_nobody_waits_for_ends(marker_config, tmp_path):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    over = threading.Event()
    service = service_of(
        marker_config, tmp_path, stages=Slow(), deadline_s=0.5, allowed_hosts=["127.0.0.1"]
    )
    with Server(forever(head, b"x", over, 0.02)) as server:
        with pytest.raises(DeadlineExceededError):
            asyncio.run(service.analyze_url(server.url(), PoseOptions(), "id"))
        # asyncio.run waited for the thread, which the other side had kept going for ever
        assert not over.is_set()
        over.set()
    assert list(service.settings.spool_dir.iterdir()) == []


def test_a_model_that_is_not_loaded_cannot_be_asked_for(service, squat_video):
    async def ask(statuses):
        lone = PoseService(service.settings, service.plan, service.stages, lambda: statuses)
        with lone.workspace() as folder:
            await lone.analyze_file(squat_video, folder, PoseOptions(model="hrnet"), "id")

    with pytest.raises(NotReadyError, match="hrnet: gone"):
        asyncio.run(ask(lost("hrnet")))


@pytest.mark.parametrize("role", ["rtmpose", "detector"])
def test_in_one_process_a_model_has_as_many_calls_at_once_as_it_can(service, role):
    at_once = service.stages.engine(role).calls_at_once
    gate = threading.Barrier(at_once, timeout=30)
    under_way, most = set(), []

    def call():
        gate.wait()
        under_way.add(threading.get_ident())
        most.append(len(under_way))

    async def twice_as_many():
        await asyncio.gather(*(service.stages._in(role, call) for _ in range(2 * at_once)))

    asyncio.run(twice_as_many())
    assert max(most) == at_once > 1
