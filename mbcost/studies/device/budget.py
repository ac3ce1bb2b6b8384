"""The limits that a device sets: its flash to the weights, its SRAM to the arena."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mbcost.errors import MbcostError
from mbcost.studies.device.profile import Device, load_device
from mbcost.studies.guard.budget import option_of
from mbcost.units import thousands

FILLED = {"max_weight_bytes": "flash", "max_arena_bytes": "SRAM"}
"""By limit, what of the device it is."""


def device_limits(name: str) -> dict[str, int]:
    """Return the limits that a device sets, by key of ``LIMITS``; raise where it sets none."""
    device = load_device(name)
    found = {"max_weight_bytes": device.flash_bytes, "max_arena_bytes": device.sram_bytes}
    limits = {key: size for key, size in found.items() if size is not None}
    if not limits:
        raise MbcostError(
            "says neither flash_bytes nor sram_bytes",
            place=device.place,
            way_out="a microcontroller, like --device nucleo-f446re",
        )
    return limits


def device_words(device: Device, limits: Mapping[str, int], given: Collection[str]) -> str:
    """Return what a device's limits are compared with; those in ``given`` were set otherwise."""
    parts = [
        f"{option_of(key)} {thousands(size)} is its {FILLED[key]}"
        for key, size in limits.items()
        if key not in given
    ]
    said = f"{device.name}: {', '.join(parts)}. " if parts else f"{device.name}: "
    return (
        f"{said}The figures are what is needed at least: code takes flash too, and the stack and "
        "what the interpreter keeps besides its arena take SRAM"
    )
