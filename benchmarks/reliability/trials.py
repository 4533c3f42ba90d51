"""The trials: what is done to workers and broker while events flow, and what came of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from benchmarks.reliability.audit import Gone, without_gaps
from benchmarks.reliability.case import Case
from benchmarks.reliability.scene import Result, Scene, Size
from sandbox.adapters.event_log import Place
from sandbox.adapters.kafka_log import KafkaLog
from sandbox.batch import Batch
from sandbox.live.frames import read_frame
from sandbox.pipeline.decide import ALLOW

__all__ = ["TRIALS"]

THREE = ("worker-1", "worker-2", "worker-3")
SESSION = 6.0


def kills(scene: Scene, *, separately: bool = False) -> Result:
    """Kill workers in turn, start each again."""
    case, recoveries = scene.case(), list[float]()
    name = "killed, offsets apart from outputs" if separately else "workers killed"
    with (
        scene.flow(case, scene.size.events) as flow,
        scene.crew(case, separately=separately) as crew,
    ):
        crew.start(*THREE)
        flow.begin()
        for number in range(scene.size.kills):
            victim = THREE[number % len(THREE)]
            moment = time.monotonic()
            crew.kill(victim)
            crew.start(victim, wait=False)
            recoveries.append(flow.recovered(moment))
            crew.wait_for(victim)
        if not separately:
            flow.wait()
        else:
            flow.settle()
        return scene.close(name, case, flow, crew, recoveries, states=not separately)


def pages(scene: Scene) -> Result:
    """Kill workers of a ranking while candidates wait for the rest of their page."""
    case, recoveries = scene.case(scenario="recommendations"), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        for victim in THREE[: scene.size.kills // 3]:
            flow.recovered(time.monotonic())
            moment = time.monotonic()
            crew.kill(victim)
            crew.start(victim, wait=False)
            recoveries.append(flow.recovered(moment))
            crew.wait_for(victim)
        flow.wait()
        result = scene.close("killed with half a page", case, flow, crew, recoveries)
        with scene.log() as log:
            return replace(result, facts=_pages(case, log))


def _pages(case: Case, log: KafkaLog) -> dict[str, float]:
    """Return how many pages were decided, and how many of them show as many as they should."""
    reader, schema = log.reader([case.topics.decisions]), case.prepared.scenario.event
    frames = list[Batch]()
    while reader.lag():
        frames += [read_frame(value) for chunk in reader.poll(1.0) for value in chunk.values]
    reader.close()
    rows = Batch.concat(frames)
    assert schema.slate is not None
    shown = (rows["decision"] == ALLOW) & ~rows["explored"]
    of_page, size = np.unique(rows[schema.slate.request], return_counts=True)
    at = np.searchsorted(of_page, rows[schema.slate.request][shown])
    places = np.bincount(at, minlength=len(of_page))
    wanted = np.minimum(size, case.prepared.design.decision.show)
    return {"pages": float(len(of_page)), "whole": float((places == wanted).sum())}


def separate(scene: Scene) -> Result:
    """The same with the mistake that transactions prevent: it must show."""
    fewer = Size(min(scene.size.kills, 8), scene.size.events // 2, scene.size.rate)
    return kills(Scene(scene.broker, scene.folder, fewer), separately=True)


def outlived(scene: Scene) -> Result:
    """Pause a worker past its session; others take its partitions; let it go on."""
    case, recoveries = scene.case(), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.recovered(time.monotonic())
        moment = time.monotonic()
        crew.pause(THREE[0])
        time.sleep(SESSION + 2.0)
        recoveries.append(flow.recovered(moment))
        crew.resume(THREE[0])
        flow.wait()
        return scene.close("paused past its session", case, flow, crew, recoveries)


def replaced(scene: Scene) -> Result:
    """Pause a worker past its session, start another of its name, let the first go on."""
    case, recoveries = scene.case(), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.recovered(time.monotonic())
        moment = time.monotonic()
        crew.pause(THREE[0])
        crew.rename(THREE[0], "paused")
        time.sleep(SESSION + 2.0)
        crew.start(THREE[0])
        recoveries.append(flow.recovered(moment))
        crew.resume("paused")
        refused = crew.ended("paused", "another process is worker-1 now")
        flow.wait()
        result = scene.close("paused, replaced, resumed", case, flow, crew, recoveries)
        return Result(result.name, result.audit, result.recoveries, {"refused": float(refused)})


def broker_killed(scene: Scene) -> Result:
    """Kill the broker while batches are under way, and start it again on its data."""
    case, recoveries = scene.case(), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.recovered(time.monotonic())
        moment = time.monotonic()
        scene.broker.kill()
        time.sleep(2.0)
        scene.broker.start()
        recoveries.append(flow.recovered(moment))
        flow.wait()
        return scene.close("broker killed and restarted", case, flow, crew, recoveries)


def broker_absent(scene: Scene) -> Result:
    """Start workers before there is a broker."""
    case = scene.case()
    with scene.log() as log:
        case.open(log)
    scene.broker.kill()
    with scene.crew(case) as crew:
        crew.start(*THREE, wait=False)
        time.sleep(8.0)
        moment = time.monotonic()
        scene.broker.start()
        with scene.flow(case, scene.size.few) as flow:
            flow.begin()
            recoveries = [flow.recovered(moment)]
            flow.wait()
            return scene.close("no broker at start", case, flow, crew, recoveries)


def scaled(scene: Scene) -> Result:
    """Add two workers under load, then take two away."""
    case, recoveries = scene.case(), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(THREE[0])
        flow.begin()
        for name in THREE[1:]:
            moment = time.monotonic()
            crew.start(name)
            recoveries.append(flow.recovered(moment))
        for name in THREE[:2]:
            moment = time.monotonic()
            crew.end(name)
            recoveries.append(flow.recovered(moment))
        flow.wait()
        return scene.close("workers added and removed", case, flow, crew, recoveries)


def state_lost(scene: Scene) -> Result:
    """End all workers, delete what they kept on disk, go on with fewer of them."""
    case, recoveries = scene.case(), list[float]()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.recovered(time.monotonic())
        time.sleep(2.0)
        crew.end(*THREE)
        shutil.rmtree(case.state)
        moment = time.monotonic()
        crew.start(*THREE[:2])
        recoveries.append(flow.recovered(moment))
        flow.wait()
        return scene.close("state deleted, fewer workers", case, flow, crew, recoveries)


def messy(scene: Scene) -> Result:
    """Send events out of order, late, twice, and messages that are no events."""
    case = replace(scene.case(), messy=True)
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.wait()
        return scene.close("out of order, late, doubled, poison", case, flow, crew, [])


def retention(scene: Scene) -> Result:
    """Have retention take messages that nobody read."""
    case = scene.case()
    with scene.flow(case, scene.size.few) as flow, scene.crew(case) as crew:
        crew.start(*THREE)
        flow.begin()
        flow.recovered(time.monotonic())
        crew.end(*THREE)
        time.sleep(3.0)
        gone, taken = _forget_half(scene.broker.address, case)
        moment = time.monotonic()
        crew.start(*THREE)
        recoveries = [flow.recovered(moment)]
        flow.settle()
        name = "retention took unread messages"
        crew.end(*crew.names)
        with scene.log() as log:
            gone = without_gaps(case, log, gone)
        result = scene.close(name, case, flow, crew, recoveries, gone=gone)
        facts = {"taken": float(taken), "reported": crew.counts.get("lost_messages_total", 0.0)}
        return Result(result.name, result.audit, result.recoveries, facts)


def _forget_half(address: str, case: Case) -> tuple[Gone, int]:
    """Delete what the first stage has read and half of what it has not.

    Returns what it has read, and how many messages it will never read.
    """
    topic, group = case.topics.events, case.topics.group(case.topics.stages[0])
    admin = KafkaAdminClient(bootstrap_servers=address)
    log = KafkaLog(address)
    try:
        found = admin.list_group_offsets(group)[group]
        committed = {Place(at.topic, at.partition): one.offset for at, one in found.items()}
        places = case.topics.places(topic)
        read = {p: list(log.between(p, 0, committed.get(p, 0))) for p in places}
        ends = log.ends(places)
        until = {p: (committed.get(p, 0) + end + 1) // 2 for p, end in ends.items()}
        admin.delete_records({TopicPartition(*place): at for place, at in until.items()})
        return read, sum(at - committed.get(place, 0) for place, at in until.items())
    finally:
        log.close()
        admin.close()


TRIALS: Mapping[str, Callable[[Scene], Result]] = {
    "kills": kills,
    "separate": separate,
    "pages": pages,
    "outlived": outlived,
    "replaced": replaced,
    "broker-killed": broker_killed,
    "broker-absent": broker_absent,
    "scaled": scaled,
    "state-lost": state_lost,
    "messy": messy,
    "retention": retention,
}
