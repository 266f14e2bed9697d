"""Sound devices: which there are, which two are meant, and whether they open as is wanted.

::

    "scarlett", "3", nothing ─► choose ─► an input and an output of one host API ─► check ─► a rate
"""

from codecfx.live.devices.checking import check, parse_channels
from codecfx.live.devices.choosing import Wanted, choose, choose_one, no_device
from codecfx.live.devices.listing import (
    Device,
    HostApi,
    Listing,
    Way,
    devices,
    host_apis,
    listing,
    numbers_here,
)
from codecfx.live.devices.loudspeakers import would_feed_back
from codecfx.live.devices.portaudio import load, quiet
from codecfx.live.devices.refusals import opening_error

__all__ = [
    "Device",
    "HostApi",
    "Listing",
    "Wanted",
    "Way",
    "check",
    "choose",
    "choose_one",
    "devices",
    "host_apis",
    "listing",
    "load",
    "no_device",
    "numbers_here",
    "opening_error",
    "parse_channels",
    "quiet",
    "would_feed_back",
]
