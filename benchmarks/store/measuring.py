"""Measures what a plan says: the systems in turn, each in sessions of their own, only one alive at a time."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.store import operations
from benchmarks.store.peers import Peer
from benchmarks.store.plan import OURS, TIDEMILL, Plan
from benchmarks.store.sessions import Failed, Sample, Session, ours

WARM_UP = 100
"""The size of the run that comes before the measured ones, at most."""


@dataclass
class Measured:
    """Everything that was found out."""

    samples: list[Sample] = field(default_factory=list)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    """probe → its figures."""
    failures: list[str] = field(default_factory=list)
    """What did not go as it should, in sentences."""


class Measuring:
    """A run of the benchmark."""

    def __init__(self, plan: Plan, peers: Sequence[Peer]) -> None:
        self._plan = plan
        self._peers = {peer.name: peer for peer in peers}
        self._environment = {"BENCH_BURN_ITERS": str(burn_iterations())}
        self.found = Measured()

    def run(self) -> Measured:
        """Measure everything. The systems take turns, and every second round goes backwards."""
        for repeat in range(self._plan.repeats if self._plan.sizes else 0):
            names = [*OURS, *self._peers]
            for name in names if repeat % 2 == 0 else reversed(names):
                with self._reported(name):
                    self._workloads(name)
        if self._plan.growth:
            with self._reported("growth"), self._session(TIDEMILL) as session:
                session.start()
                for n in self._plan.growth:
                    self._note(session.measure("chains", n))
        if self._plan.probes:
            with self._reported("probes"), self._session(TIDEMILL) as session:
                session.start()
                self._probes(session)
        return self.found

    def _probes(self, session: Session) -> None:
        for name, size in self._plan.probes.items():
            with self._reported(name):
                found = self.found.figures[name] = session.ask(do="probe", name=name, n=size)["figures"]
                _say(f"{name}: " + ", ".join(f"{key} {value:g}" for key, value in found.items()))

    def _workloads(self, name: str) -> None:
        """Run all workloads of one system; where it says so, some of them in a session of their own."""
        left = [each for each in self._plan.sizes if name in OURS or each in self._peers[name].workloads]
        if name in OURS and name != TIDEMILL:
            left = [each for each in left if each in ("chains", "latency")]
        while left:
            with self._session(name) as session:
                profiles = {each: session.ask(do="profile", workload=each)["profile"] for each in left}
                profile = profiles[left[0]]
                session.start(profile=profile)
                for workload in [each for each in left if profiles[each] == profile]:
                    left.remove(workload)
                    n = self._plan.sizes[workload]
                    session.ask(do="run", workload=workload, n=min(max(2, n // 10), WARM_UP))
                    self._note(session.measure(workload, n))

    def _session(self, name: str) -> Session:
        command = ours(OURS[name]) if name in OURS else self._peers[name].command()
        return Session(name, command, self._environment)

    def _note(self, sample: Sample) -> None:
        self.found.samples.append(sample)
        if sample.problem:
            self._fail(f"{sample.system}, {sample.workload}: {sample.problem}")
            return
        rate = sample.operations / sample.bound
        _say(f"{sample.system}: {sample.workload} n={sample.n} {rate:,.0f} operations/s, others {sample.others:.0%}")

    @contextmanager
    def _reported(self, name: str) -> Iterator[None]:
        try:
            yield
        except Failed as error:
            self._fail(f"{name}: {error}")

    def _fail(self, sentence: str) -> None:
        self.found.failures.append(sentence)
        _say(sentence)


def burn_iterations() -> int:
    """How often the CPU workload has to go round for 5 ms on this machine when nobody disturbs it."""
    best = min(_burned() for _ in range(30))
    return int(operations.BURN * operations.BURN_SECONDS / best)


def _burned() -> float:
    began = time.thread_time()
    operations.burn_for(operations.BURN)
    return time.thread_time() - began


def _say(sentence: str) -> None:
    print(f"{sentence} (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)
