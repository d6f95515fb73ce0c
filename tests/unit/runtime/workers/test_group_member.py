"""Group membership of a worker: what a poll returns, releases and pauses, and when it rejoins."""

from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import ConsumerGroupMetadata, TopicPartition
from kafka.structs import MemberState

from schemas.errors import BrokerError
from streams.runtime.broker.membership import Ownership
from streams.runtime.workers.group_member import GroupMember, PollResult, PollStatus

P0, P1, P2 = (TopicPartition("pv.reports", number) for number in range(3))


class World:
    """A clock, every consumer that joined, and what was asked of worker and consumers, in order."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.consumers: list[Consumer] = []
        self.log: list[str] = []
        self.reading: Collection[TopicPartition] = ()
        self.refuses_to_join = False

    def monotonic(self) -> float:
        return self.now

    def join(self, listener: Ownership) -> "Consumer":
        if self.refuses_to_join:
            msg = "join the group: no broker"
            raise BrokerError(msg)
        self.consumers.append(Consumer(self, len(self.consumers), listener))
        self.log.append(f"join {len(self.consumers) - 1}")
        return self.consumers[-1]

    def revoke(self, partitions: Collection[TopicPartition]) -> None:
        self.log.append(f"revoke {sorted(each.partition for each in partitions)}")

    def release(self) -> None:
        self.log.append("release")

    def member(self, required: TopicPartition | None = None) -> GroupMember:
        return GroupMember(
            self.join,
            revoke=self.revoke,
            release=self.release,
            reading=lambda: self.reading,
            required=required,
        )


class Consumer:
    """A consumer that follows a script: each poll takes one step of it, then polls nothing."""

    def __init__(self, world: World, number: int, listener: Ownership) -> None:
        self._world, self._number, self._listener = world, number, listener
        self.script: list[Callable[[], Any]] = []
        self.timeouts: list[int] = []
        self.generation, self.state, self.name = -1, MemberState.UNJOINED, None
        self.assigned: set[TopicPartition] = set()
        self.on_pause: set[TopicPartition] = set()
        self.positions: dict[TopicPartition, int] = {}
        self.ends: dict[TopicPartition, int] = {}
        self.requests = 0

    def assigns(self, *partitions: TopicPartition) -> dict[TopicPartition, list[str]]:
        """Complete a rebalance: as `poll` does, with only the new partitions to the listener."""
        self.generation, self.state = self.generation + 1, MemberState.STABLE
        if revoked := self.assigned - set(partitions):
            self._listener.on_partitions_revoked(revoked)
        added, self.assigned = set(partitions) - self.assigned, set(partitions)
        if added:
            self._listener.on_partitions_assigned(added)
        return {}

    def rebalances(self, **records: list[str]) -> dict[TopicPartition, list[str]]:
        self.state = MemberState.REBALANCING
        return {P0: records["p0"]} if records else {}

    def loses(self) -> dict[TopicPartition, list[str]]:
        """Be dropped by the group, as after a session that timed out."""
        self.generation, self.state = -1, MemberState.UNJOINED
        lost, self.assigned = self.assigned, set()
        self._listener.on_partitions_lost(lost)
        return {}

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[str]]:
        self.timeouts.append(timeout_ms)
        self._world.now += timeout_ms / 1000
        return self.script.pop(0)() if self.script else {}

    def group_metadata(self) -> ConsumerGroupMetadata:
        return ConsumerGroupMetadata("pv.cases", self.generation, "m", self.name, self.state)

    def assignment(self) -> set[TopicPartition]:
        return set(self.assigned)

    def paused(self) -> set[TopicPartition]:
        return set(self.on_pause)

    def pause(self, partition: TopicPartition) -> None:
        self.on_pause.add(partition)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition in self.assigned or offset == 0
        self.positions[partition] = offset
        self._world.log.append(f"seek {partition.partition} to {offset}")

    def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    def end_offsets(
        self, partitions: Collection[TopicPartition], timeout_ms: int
    ) -> dict[TopicPartition, int]:
        self.requests += 1
        return {each: self.ends[each] for each in partitions}

    def close(self) -> None:
        self._world.log.append(f"close {self._number}")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    clock = SimpleNamespace(monotonic=world.monotonic)
    monkeypatch.setattr("streams.runtime.broker.membership.time", clock)
    monkeypatch.setattr("streams.runtime.workers.stall_watchdog.time", clock)
    return world


def joined(world: World, *partitions: TopicPartition) -> tuple[GroupMember, Consumer]:
    """Return a member after the poll that assigned these partitions, and its consumer."""
    member = world.member()
    (consumer,) = world.consumers
    consumer.script = [lambda: consumer.assigns(*partitions)]
    assert member.poll(100).status is PollStatus.ASSIGNED
    world.log.clear()
    return member, consumer


def test_nothing_is_the_members_own_before_the_group_has_answered(world: World) -> None:
    member = world.member()
    assert not member.joined, "it has not polled"
    assert member.poll(100) == PollResult(PollStatus.UNASSIGNED)
    assert not member.joined
    (consumer,) = world.consumers
    consumer.script = [consumer.rebalances]
    assert member.poll(70) == PollResult(PollStatus.UNASSIGNED)
    assert consumer.timeouts == [100, 70]
    assert world.log == ["join 0", "release", "release"]


def test_assigned_partitions_are_paused_and_their_records_returned(world: World) -> None:
    member = world.member()
    (consumer,) = world.consumers
    consumer.script = [lambda: consumer.assigns(P0, P1), lambda: {P0: ["a", "b"]}]
    assert member.poll(100) == PollResult(PollStatus.ASSIGNED, {})
    assert consumer.on_pause == {P0, P1}
    assert sorted(world.log[1:]) == ["seek 0 to 0", "seek 1 to 0"]
    assert member.joined
    assert member.poll(100) == PollResult(PollStatus.ASSIGNED, {P0: ["a", "b"]})


def test_a_rebalance_revokes_what_moves_and_touches_nothing_else(world: World) -> None:
    member, consumer = joined(world, P0, P1)
    consumer.on_pause.clear()
    consumer.script = [lambda: consumer.assigns(P0, P2)]
    assert member.poll(100).status is PollStatus.ASSIGNED
    assert world.log == ["revoke [1]", "seek 2 to 0"]
    assert consumer.on_pause == {P2}


def test_a_member_that_is_joining_waits_but_processes_what_it_polled(world: World) -> None:
    member, consumer = joined(world, P0)
    consumer.script = [consumer.rebalances, lambda: consumer.rebalances(p0=["a"])]
    assert member.poll(100) == PollResult(PollStatus.JOINING)
    assert not member.joined
    assert member.poll(100) == PollResult(PollStatus.ASSIGNED, {P0: ["a"]})
    assert world.log == [], "it still has its partitions"


def test_a_member_that_the_group_dropped_releases_everything(world: World) -> None:
    member, consumer = joined(world, P0, P1)
    consumer.script = [consumer.loses]
    assert member.poll(100) == PollResult(PollStatus.UNASSIGNED)
    assert world.log == ["revoke [0, 1]", "release"]
    assert not member.joined
    assert member.consumer is consumer, "it joins again by polling"


def test_a_member_without_the_required_partition_is_a_standby(world: World) -> None:
    member = world.member(required=P0)
    (consumer,) = world.consumers
    consumer.script = [lambda: consumer.assigns(P1), lambda: consumer.assigns(P0, P1)]
    assert member.poll(100) == PollResult(PollStatus.UNASSIGNED)
    assert member.joined
    assert not member.is_active
    assert world.log == ["join 0", "seek 1 to 0", "release"]
    assert member.poll(100).status is PollStatus.ASSIGNED
    assert member.is_active
    assert world.log.count("release") == 1


def test_a_join_that_the_client_forgot_ends_in_a_new_consumer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    member, consumer = joined(world, P0)
    consumer.script = [consumer.rebalances]
    polled = [member.poll(1_000).status for _ in range(31)]
    assert set(polled) == {PollStatus.JOINING}, "a group waits for its slowest member"
    assert member.poll(1_000) == PollResult(PollStatus.REJOINED)
    assert world.log == ["release", "close 0", "join 1"]
    assert caplog.messages == ["rejoining the group: it does not answer"]
    assert member.consumer is world.consumers[1]
    assert not member.joined
    world.consumers[1].script = [lambda: world.consumers[1].assigns(P0)]
    assert member.poll(1_000).status is PollStatus.ASSIGNED


def polls(member: GroupMember, seconds: int) -> list[PollStatus]:
    return [member.poll(1_000).status for _ in range(seconds)]


def test_a_partition_that_stalls_is_sought_then_left_with_the_group(world: World) -> None:
    member, consumer = joined(world, P0)
    consumer.on_pause.clear()
    consumer.positions[P0], consumer.ends[P0] = 7, 9
    world.reading = {P0}
    assert set(polls(member, 50)) == {PollStatus.ASSIGNED}
    assert world.log == ["seek 0 to 7"]
    statuses = []
    while not statuses or statuses[-1] is PollStatus.ASSIGNED:
        statuses += polls(member, 1)
    assert statuses[-1] is PollStatus.REJOINED
    assert world.log == ["seek 0 to 7", "seek 0 to 7", "release", "close 0", "join 1"]


def test_a_partition_that_makes_progress_has_not_stalled(world: World) -> None:
    member, consumer = joined(world, P0)
    consumer.on_pause.clear()
    consumer.positions[P0], consumer.ends[P0] = 7, 1_000
    world.reading = {P0}
    for _ in range(8):
        assert set(polls(member, 25)) == {PollStatus.ASSIGNED}
        consumer.positions[P0] += 1
    assert world.log == []
    assert consumer.requests == 200 / 5, "a check costs a request"


def test_only_partitions_that_should_make_progress_are_watched(world: World) -> None:
    member, consumer = joined(world, P0, P1, P2)
    consumer.positions |= {P0: 7, P1: 7, P2: 7}
    consumer.ends |= {P0: 9, P1: 7, P2: 9}  # the second has nothing more
    consumer.on_pause = {P2}
    world.reading = {P1, P2}
    assert set(polls(member, 120)) == {PollStatus.ASSIGNED}
    assert world.log == []


def test_a_new_consumer_is_watched_from_the_beginning(world: World) -> None:
    member, consumer = joined(world, P0)
    consumer.on_pause.clear()
    consumer.positions[P0], consumer.ends[P0] = 7, 9
    world.reading = {P0}
    polls(member, 28)
    member.rejoin()
    again = world.consumers[1]
    again.script = [lambda: again.assigns(P0)]
    polls(member, 1)
    again.on_pause.clear()
    again.positions[P0], again.ends[P0] = 7, 9
    world.log.clear()
    polls(member, 25)
    assert world.log == []


def test_rejoining_releases_before_it_leaves_and_leaves_before_it_joins(world: World) -> None:
    member, _ = joined(world, P0)
    member.rejoin()
    assert world.log == ["release", "close 0", "join 1"]
    assert member.membership.metadata is None


def test_a_fenced_member_with_a_name_asks_the_group_before_it_rejoins(world: World) -> None:
    member, consumer = joined(world, P0)
    consumer.name, consumer.state = "worker-1", MemberState.REBALANCING
    member.poll(100)
    before, polled = world.now, len(consumer.timeouts)
    member.rejoin_after_fencing()
    assert world.now - before == pytest.approx(3.0, abs=0.2), "six heartbeats"
    assert len(consumer.timeouts) > polled
    assert world.log == ["release", "release", "close 0", "join 1"]


def test_a_fenced_member_whose_name_is_taken_does_not_fence_back(world: World) -> None:
    member, consumer = joined(world, P0)
    consumer.name, consumer.state = "worker-1", MemberState.REBALANCING
    member.poll(100)

    def refused() -> None:
        msg = "group_instance_id must be of one worker at a time"
        raise BrokerError(msg)

    consumer.script = [refused]
    with pytest.raises(BrokerError, match="one worker at a time"):
        member.rejoin_after_fencing()
    assert world.log == ["release"], "before it asks: the other must not wait"


def test_a_fenced_member_without_a_name_rejoins_at_once(world: World) -> None:
    member, consumer = joined(world, P0)
    polled = len(consumer.timeouts)
    member.rejoin_after_fencing()
    assert len(consumer.timeouts) == polled
    assert len(world.consumers) == 2


def test_a_rejoin_that_fails_may_be_tried_again(world: World) -> None:
    member, _ = joined(world, P0)
    world.refuses_to_join = True
    with pytest.raises(BrokerError, match="no broker"):
        member.rejoin()
    assert not member.joined
    world.refuses_to_join = False
    member.rejoin()
    assert member.consumer is world.consumers[1]


def test_closing_releases_everything_and_leaves_the_group(world: World) -> None:
    member, _ = joined(world, P0)
    member.close()
    assert world.log == ["release", "close 0"]
