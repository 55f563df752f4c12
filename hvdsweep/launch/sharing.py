"""Shares out hosts, GPUs and cores among the gangs of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hvdsweep.launch.horovodrun import share_devices, threads_per_rank
from hvdsweep.launch.hosts import Host, allot, as_started, crowding, is_here, places, trimmed
from hvdsweep.launch.machine import cores, gpus
from hvdsweep.launch.settings import Settings
from hvdsweep.launch.slots import Slot
from hvdsweep.layout import Shape, shapes_for
from hvdsweep.plan import Plan
from hvdsweep.plan_layout import steps_are_small

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shares:
    """The share of every gang."""

    shapes: tuple[Shape, ...]
    """Sizes of gangs that may be started."""
    slots: tuple[Slot, ...]
    """A place for every gang of every size."""
    threads: int
    """Per rank."""


def share_out(
    settings: Settings, plan: Plan, environment: Mapping[str, str], warn: Callable[[str], None]
) -> Shares:
    """A slot for every gang of every possible size; calls `warn` if something is crowded."""
    count, devices = cores(), gpus(environment)
    hosts = settings.hosts
    shapes: tuple[Shape, ...] = (Shape(settings.np, settings.gangs),)
    if settings.slots is not None:
        hosts = trimmed(hosts or (Host("localhost", settings.slots),), settings.slots)
        shapes = shapes_for(settings.slots, hosts[0].slots)
    # The last shape is one gang of all ranks: no other has more.
    for warning in crowding(hosts, shapes[-1].np, shapes[-1].gangs, count, len(devices)):
        warn(warning)
    started = as_started(hosts or (Host("localhost", settings.np * settings.gangs),))
    most, slots = 1, []
    for shape in shapes:
        alloted = allot(started, shape.np, shape.gangs)
        here = [sum(host.slots for host in gang if is_here(host.name)) for gang in alloted]
        # A single gang sees every GPU: its ranks choose by their local rank.
        shared = [gpu.index for gpu in devices] if shape.gangs > 1 else []
        shares = share_devices(shared, here)
        slots += [
            Slot(gang, shape.np, taken, share)
            for gang, taken, share in zip(alloted, places(alloted), shares, strict=True)
        ]
        most = max(most, sum(here))
    threads = settings.threads or (1 if steps_are_small(plan) else threads_per_rank(count, most))
    log.info("%d cores, GPUs %s, %d threads per rank", count, [gpu.index for gpu in devices], threads)
    for slot in slots:
        log.debug("slot for %d ranks on %s, GPUs %s", slot.np, slot.hosts, slot.devices)
    return Shares(shapes, tuple(slots), threads)
