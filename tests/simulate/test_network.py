from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import simpy
from numpy.typing import NDArray

from sandbox.simulate import network_stage
from sandbox.simulate.histogram import EDGES, empty_histogram, quantiles, share_below
from sandbox.simulate.network import Network, Source
from sandbox.simulate.network_kernels import TABLE, Rules, birth_key, chance, record
from sandbox.simulate.network_stage import Events, Overflow, Stage, StageState

Floats = NDArray[np.float64]
RULES = Rules(0.002, 1e-4, 40, 0.003, np.inf, 0.0, np.inf, 1)
HOP = 0.001


def make_stage(name: str = "one", workers: int = 3, partitions: int = 7, **rules: float) -> Stage:
    share = np.arange(1.0, partitions + 1)
    return Stage(name, share / share.sum(), workers, RULES._replace(**rules), HOP)  # type: ignore[arg-type]


def two_stages() -> list[Stage]:
    return [make_stage(), make_stage("two", workers=4, partitions=9, seed=2, call=0.001)]


def make_network(
    stages: Sequence[Stage], rate: float = 6000.0, end: float = 10.0, **more: float
) -> Network:
    rng = np.random.Generator(np.random.SFC64(3))
    ours, theirs = rng.spawn(2)
    return Network(
        stages, Source(lambda _: rate, ours), theirs, start=0.0, end=end, buckets=4,
        last_hop=HOP, **more,
    )  # type: ignore[arg-type]  # fmt: skip


def in_simpy(stages: Sequence[Stage], born: Floats) -> Floats:
    """Carry the same events by the same rules, in a plain SimPy model; return when each is done."""
    env = simpy.Environment()
    done = np.full(len(born), np.nan)
    queues = [[list[tuple[float, int]]() for _ in range(s.workers)] for s in stages]
    arrived = [[env.event() for _ in range(s.workers)] for s in stages]
    tables = [stage.table for stage in stages]

    def reach(level: int, number: int) -> None:
        if level == len(stages):
            done[number] = env.now
            return
        stage = stages[level]
        bits = chance(birth_key(born[number]), stage.rules.seed)
        worker = int(tables[level][bits]) % stage.workers
        queues[level][worker].append((env.now, number))
        event, arrived[level][worker] = arrived[level][worker], env.event()
        event.succeed()

    def travel(level: int, numbers: list[int], hop: float) -> Generator[simpy.Event, None, None]:
        yield env.timeout(hop)
        for number in sorted(numbers):
            reach(level, number)

    def source() -> Generator[simpy.Event, None, None]:
        for number, time in enumerate(born):
            yield env.timeout(time - env.now)
            env.process(travel(0, [number], stages[0].hop))

    def work(level: int, worker: int) -> Generator[simpy.Event, None, None]:
        rules, queue = stages[level].rules, queues[level][worker]
        while True:
            while not queue:
                yield arrived[level][worker]
            deadline = queue[0][0] + rules.linger
            while len(queue) < rules.max_batch and env.now < deadline:
                yield env.timeout(deadline - env.now) | arrived[level][worker]
            batch = [number for _, number in queue[: rules.max_batch]]
            del queue[: rules.max_batch]
            yield env.timeout(rules.call + rules.event * len(batch))
            env.process(travel(level + 1, batch, HOP))

    env.process(source())
    for level, stage in enumerate(stages):
        for worker in range(stage.workers):
            env.process(work(level, worker))
    env.run()
    return done


def carry_all(stages: Sequence[Stage], born: Floats, step: float) -> Floats:
    """Carry the events through our stages; return when each is done."""
    rng = np.random.default_rng(0)
    states = [StageState(stage, rng, HOP) for stage in stages]
    found: list[Events] = []
    for end in np.arange(step, born[-1] + 60.0, step):
        here = born[(born > end - step) & (born <= end)]
        events = Events(here + stages[0].hop, here)
        for state in states:
            events, _ = state.step(float(end), events)
            events = Events(events.time.copy(), events.born.copy())
        found.append(events)
    events = Events.join(found)
    return events.time[np.argsort(events.born)]


@pytest.mark.slow
@pytest.mark.parametrize("rate", [500.0, 9000.0])
def test_equals_a_plain_simpy_model(rate: float) -> None:
    born = np.cumsum(np.random.default_rng(4).exponential(1.0 / rate, 100_000))
    expected = in_simpy(two_stages(), born)
    np.testing.assert_allclose(carry_all(two_stages(), born, 1.0), expected, rtol=0, atol=1e-7)


def test_the_comparison_notices_other_rules() -> None:
    born = np.cumsum(np.random.default_rng(4).exponential(1.0 / 5000, 2_000))
    stages = two_stages()
    stages[1] = make_stage("two", workers=4, partitions=9, seed=2, call=0.00101)
    expected = in_simpy(two_stages(), born)
    assert not np.allclose(carry_all(stages, born, 1.0), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("step", [0.01, 0.3, 5.0])
def test_steps_do_not_matter(step: float) -> None:
    rules = {"pause_every": 0.5, "pause": 0.02}
    stages = [make_stage(**rules), make_stage("two", seed=2, **rules)]
    born = np.cumsum(np.random.default_rng(5).exponential(1.0 / 6000, 12_000))
    np.testing.assert_array_equal(carry_all(stages, born, step), carry_all(stages, born, 0.1))


def test_threads_do_not_matter() -> None:
    found = []
    with ThreadPoolExecutor(2) as pool:
        for used in (None, pool):
            network = make_network(two_stages())
            network.advance(list(np.arange(1, 41) * 0.25), used)
            found.append(network.histogram)
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].sum() == pytest.approx(60_000, rel=0.02)


def test_nothing_is_lost_when_partitions_move() -> None:
    network = make_network(two_stages(), rate=4000.0, end=6.0)
    state = network.states[0]
    network.advance([1.0])
    state.halt([0], np.inf)
    network.advance([2.0])
    waiting = state.lag
    assert waiting > 1000
    state.deal(np.arange(7) % 2 + 1, 3, resumes=2.5)
    network.advance([2.25])
    assert state.lag > waiting
    network.advance([4.0, 5.0])
    state.revive([0], 5.0)
    state.deal(np.arange(7) % 3, 3, resumes=5.0)
    network.advance([6.0])
    carried = int(network.histogram.sum()) + sum(s.lag for s in network.states)
    assert carried == pytest.approx(24_000, rel=0.03)
    assert network.states[0].served == pytest.approx(carried, abs=300)


def test_clients_that_ask_again_make_more_work() -> None:
    calm = make_network(two_stages(), rate=3000.0)
    storm = make_network(two_stages(), rate=3000.0, timeout=0.5, retries=3)
    for network in (calm, storm):
        network.advance([2.0])
        network.states[0].halt(slice(None), 5.0)
        network.advance(list(np.arange(2.25, 10.01, 0.25)))
    assert calm.repeated == 0
    assert storm.repeated > 10_000
    assert storm.states[0].lag > 2 * calm.states[0].lag
    # An answer counts once, however often it was asked for.
    assert storm.histogram.sum() < calm.histogram.sum()


def test_shedding_keeps_the_rest_in_time() -> None:
    patient = make_network([make_stage()], rate=40_000.0)
    strict = make_network([make_stage(shed_after=0.1)], rate=40_000.0)
    for network in (patient, strict):
        network.advance(list(np.arange(0.5, 10.01, 0.5)))
    assert strict.shed.sum() > 10_000
    assert quantiles(strict.histogram.sum(axis=0), (0.99,))[0] < 0.15
    assert quantiles(patient.histogram.sum(axis=0), (0.5,))[0] > 0.5
    assert strict.histogram.sum() + strict.shed.sum() + strict.states[0].lag == pytest.approx(
        400_000, rel=0.01
    )


def test_pauses_and_spread_have_the_stated_size() -> None:
    stage = Stage("one", np.ones(1), 1, RULES._replace(pause_every=1.0, pause=0.05), 0.0, 0.5)
    network = make_network([stage], rate=2000.0, end=400.0)
    network.advance(list(np.arange(1.0, 401.0)))
    workers = network.states[0].workers
    assert workers.pauses[0] == pytest.approx(400 / 1.05, rel=0.15)
    work = workers.batches[0] * RULES.call + network.states[0].served * RULES.event
    inside = workers.busy[0] - work  # pauses that fall into a batch count as busy
    assert 0 < inside < workers.pauses[0] * 0.05 + 0.02 * work


def test_a_hopeless_queue_ends_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_stage, "MOST_QUEUED", 5_000)
    network = make_network([make_stage()], rate=50_000.0)
    with pytest.raises(Overflow, match="stage one: more events wait"):
        network.advance(list(np.arange(0.5, 10.0, 0.5)))


@pytest.mark.parametrize(
    "change", [{"workers": 0}, {"partitions": 0}, {"event": 0.0}, {"linger": -1.0}]
)
def test_impossible_stages_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="one"), np.errstate(invalid="ignore"):
        make_stage(**change)  # type: ignore[arg-type]


def test_partitions_get_their_shares() -> None:
    table = make_stage().table
    assert len(table) == TABLE
    np.testing.assert_allclose(np.bincount(table) / TABLE, np.arange(1, 8) / 28, atol=2e-5)


def test_histogram_is_as_exact_as_its_bins() -> None:
    latency = np.random.default_rng(6).lognormal(-3.0, 1.0, 200_000)
    histogram = empty_histogram()
    record(latency + 1.0, np.ones_like(latency), 0.0, 10.0, histogram)
    shares = (0.5, 0.99, 0.999)
    np.testing.assert_allclose(
        quantiles(histogram[0], shares), np.quantile(latency, shares), rtol=0.003
    )
    assert share_below(histogram[0], 0.05) == pytest.approx((latency < 0.05).mean(), abs=1e-3)
    assert np.isnan(quantiles(empty_histogram()[0], (0.5,))).all()
    assert (np.diff(EDGES) > 0).all()
