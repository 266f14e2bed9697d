"""A live run without a sound card: blocks of random sizes, knobs turned between them, a take."""

import numpy as np

from codecfx.control.parameters import Change
from codecfx.effects.paths import every_path
from codecfx.effects.player import Move, Player
from codecfx.effects.processor import StreamSpec
from codecfx.takes import TakeWriter


def random_moves(board, count, seed):
    """As many moves of random parameters, every kind of them, to values all over their ranges."""
    random = np.random.default_rng(seed)
    targets = [
        (path, target.parameter)
        for path, target in every_path(board).items()
        if target.parameter.change is not Change.PREPARE
        and (target.parameter.steps or target.parameter.minimum is not None)
    ]
    moves = []
    for _ in range(count):
        path, parameter = targets[random.integers(len(targets))]
        moves.append(Move(path, parameter.value_at(random.uniform())))
    return moves


def play_live(folder, board, audio, events, rate, *, sizes, seed=0, controls=None, wet=False):
    """Play `audio` through `board` in blocks of random `sizes`, with `events` spread over it, each
    posted between two blocks; returns what was heard and the player. The take is in `folder`.
    """
    random = np.random.default_rng(seed)
    channels, samples = audio.shape
    spec = StreamSpec(rate, channels, max(sizes))
    writer = TakeWriter(folder, board, spec, controls, seed=seed, wet=wet)
    player = Player(board, controls, in_file_time=False, seed=seed)
    player.prepare(spec)
    player.on_event = writer.event
    when = np.sort(random.integers(0, samples, len(events)))
    heard, at, posted = [], 0, 0
    with writer:
        while at < samples:
            size = min(int(random.choice(sizes)), samples - at)
            while posted < len(events) and when[posted] <= at:
                player.post(events[posted])
                posted += 1
            block = audio[:, at : at + size]
            out = player.process_block(block).copy()
            writer.write(block, out)
            heard.append(out)
            at += size
    player.restore()
    return np.concatenate(heard, axis=1), player, posted
