"""Room responses by pyroomacoustics: image sources for early reflections, ray tracing for the rest.

The rooms and their reverberation times are those of `room_responses` with the same arguments; only how their
responses come about differs. Simulated times miss their targets by up to a fifth, most are too short; so each decay
is corrected as that of made-up rooms is.
"""

import math
from importlib import metadata
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float64

from cohear import keys
from cohear.dsp.response_bank import ResponseBank
from cohear.dsp.rooms import Shoeboxes, check_rooms, corrected, room_targets, shoebox_keys, shoeboxes
from cohear.errors import UserError

_MAX_ORDER = 3  # of the image sources; rays do the rest
_SCATTERING = 0.1  # share of the reflected energy that a wall scatters, about that of plain walls


def simulated_bank(
    n: int, rt60_range: tuple[float, float] = (0.2, 1.0), sample_rate: int = 44100, seed: int = 0
) -> ResponseBank:
    """Simulate the impulse responses of `n` random rooms, which takes about 0.2 s each.

    The same arguments give the same bytes on one machine with one version of pyroomacoustics, whatever the number of
    threads. Its own random generators are seeded for each room and, in the end, anew from the system; those of numpy
    and torch are neither read nor touched.

    Args:
        n: number of rooms, >= 1.
        rt60_range: shortest and longest reverberation time, seconds; targets are uniform between, see `room_targets`.
        sample_rate: Hz, at least 8000.
        seed: the same seed gives the same rooms.

    Returns:
        Responses of ceil(longest time * sample rate) taps, the direct sound first and largest, each of energy one,
        named by their numbers. The measured reverberation time is within 5 % of the target.

    Raises:
        ValueError: if `check_rooms` refuses the arguments.
        UserError: if pyroomacoustics is not installed.
    """
    check_rooms(n, rt60_range, sample_rate)
    simulator_version()
    import pyroomacoustics as simulator  # after the question whether it is there

    room_keys = shoebox_keys(n, seed)
    rooms, targets_s = shoeboxes(room_keys), torch.from_numpy(room_targets(n, rt60_range, seed)).float()
    absorptions = rooms.absorptions(targets_s)
    n_taps = math.ceil(rt60_range[1] * sample_rate)
    responses = np.zeros((n, n_taps), np.float32)
    # On one thread, since rounding depends on their number; and nothing seeded is left behind.
    n_threads = simulator.constants.get("num_threads")
    simulator.constants.set("num_threads", 1)
    try:
        for room in range(n):
            seeds = keys.random_bits(keys.fold_in(room_keys[room], keys.hash_text("simulation")), 2)
            simulator.random.seed(numpy=int(seeds[0]), libroom=int(seeds[1]))
            reverberation = _reverberation(simulator, rooms, room, float(absorptions[room]), sample_rate)[:n_taps]
            responses[room, : len(reverberation)] = reverberation
    finally:
        simulator.constants.set("num_threads", n_threads)
        simulator.random.seed()
    # Room by room, so that a response does not depend on how many others there are.
    exact = [
        corrected(torch.from_numpy(response)[None], target_s[None], sample_rate)[0].numpy()
        for response, target_s in zip(responses, targets_s, strict=True)
    ]
    return ResponseBank(np.stack(exact), sample_rate, tuple(map(str, range(n))))


def simulator_version() -> str:
    """Return the version of pyroomacoustics; another one may simulate otherwise.

    Raises:
        UserError: if it is not installed.
    """
    try:
        return metadata.version("pyroomacoustics")
    except metadata.PackageNotFoundError:
        remedy = "install it with pip install 'cohear[rooms]', or use made-up rooms"
        raise UserError(f"simulated rooms need pyroomacoustics, which is not installed: {remedy}") from None


def _reverberation(
    simulator: ModuleType, rooms: Shoeboxes, room: int, absorption: float, sample_rate: int
) -> Float64[np.ndarray, " tap"]:
    """Simulate what follows the direct sound, relative to it in time and amplitude."""

    def response(max_order: int, ray_tracing: bool) -> Float64[np.ndarray, " tap"]:
        box = simulator.ShoeBox(
            rooms.sizes[room].double().numpy(),
            fs=sample_rate,
            materials=simulator.Material(absorption, _SCATTERING),
            max_order=max_order,
            ray_tracing=ray_tracing,
            air_absorption=True,  # in octave bands, so that high frequencies decay faster
        )
        box.add_source(rooms.sources[room].double().numpy())
        box.add_microphone(rooms.microphones[room].double().numpy())
        box.compute_rir()
        return box.rir[0][0]

    everything, direct = response(_MAX_ORDER, True), response(0, False)
    # Between two samples the direct sound is spread over many of them, by interpolation; it is taken out whole, and
    # the correction puts a unit impulse in its place.
    everything[: len(direct)] -= direct[: len(everything)]
    return everything[np.abs(direct).argmax() :] / np.linalg.norm(direct)
