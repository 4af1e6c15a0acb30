"""One run of the bench: its peers, its primaries, and the order of measuring."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.results import Better, Result, Sample
from bench.stage import Stage, furnish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from bench.client import Answer
    from bench.peers.peer import FilePeer, IndexPeer, Node
    from bench.settings import Settings


@dataclass(slots=True)
class Run:
    """Everything that the questions share. Nodes started here end with the run."""

    settings: Settings
    work: Path
    indexes: list[IndexPeer]
    files: list[FilePeer]
    started_at: float = field(default_factory=time.monotonic)
    _stages: dict[str, Stage] = field(default_factory=dict)
    _nodes: list[Node] = field(default_factory=list)

    def stages(self) -> list[Stage]:
        """Return the long-lived primary of each index peer, started when first asked for.

        They carry all questions but catch-up, so that their memory at the end means something.

        Raises:
            NodeFailed: One did not come up.

        """
        for peer in self.indexes:
            if peer.name not in self._stages:
                self._stages[peer.name] = self.new_stage(peer, f"{peer.name}-main")
        return [self._stages[peer.name] for peer in self.indexes]

    def new_stage(self, peer: IndexPeer, name: str) -> Stage:
        """Start a furnished primary of its own.

        Raises:
            NodeFailed: It did not come up.

        """
        self.say(f"starting {name}")
        return furnish(peer, self.keep(peer.start_primary(self.work / name)))

    def keep(self, node: Node) -> Node:
        """End this node with the run, if nobody does before."""
        self._nodes.append(node)
        return node

    @contextmanager
    def static(self, name: str, answers: dict[str, Answer]) -> Iterator[dict[str, Node]]:
        """Serve bodies by every server of static files while the block runs.

        Raises:
            NodeFailed: One did not come up.

        """
        nodes: dict[str, Node] = {}
        try:
            for peer in self.files:
                data = self.work / f"{peer.name}-{name}"
                data.mkdir()
                nodes[peer.name] = self.keep(peer.start(data, answers))
            yield nodes
        finally:
            for node in nodes.values():
                node.stop()

    def close(self) -> None:
        """End every node, replicas before their primaries."""
        for node in reversed(self._nodes):
            node.stop()

    def interleave(
        self,
        question: str,
        case: str,
        measures: Mapping[str, Callable[[int], Sample]],
        *,
        unit: str,
        better: Better = "higher",
        parameters: Mapping[str, str | float],
    ) -> list[Result]:
        """Measure every peer once per repeat, so that what else the machine does hits all alike."""
        samples: dict[str, list[Sample]] = {peer: [] for peer in measures}
        for repeat in range(self.settings.repeats):
            for peer, measure in measures.items():
                sample = measure(repeat)
                samples[peer].append(sample)
                self.say(f"{question} {case} {peer} #{repeat + 1}: {sample.value:,.4g} {unit}")
        return [
            Result(question, case, peer, unit, better, taken, {"seed": self.settings.seed, **parameters})
            for peer, taken in samples.items()
        ]

    def say(self, what: str) -> None:
        """Tell the person who waits."""
        print(f"[{time.monotonic() - self.started_at:6.1f} s] {what}", file=sys.stderr, flush=True)
