"""What a board takes, before it runs."""

import json
import subprocess
import sys

import pytest

import codecfx
from codecfx.costing import costs
from codecfx.effects.processor import StreamSpec

RATE = 48_000
SPEC = StreamSpec(RATE, 2)


def test_generations_cost_what_one_costs_as_often():
    one, many = codecfx.GSM(), codecfx.GSM(generations=20)
    board = codecfx.Pedalboard([one, many])
    first, last = costs(board, SPEC)
    assert (first.passes, last.passes) == (1, 20)
    assert last.core_share > 5 * first.core_share > 0  # 20 times on a quiet machine
    assert many.generations == 20
    assert last.latency_samples == many.prepared(SPEC).latency_samples
    assert last.latency_ms == pytest.approx(1000 * last.latency_samples / RATE)


def test_together_they_are_as_late_as_the_board():
    """Which is less than each by itself: pedalboard's effects one after another wait once."""
    run = subprocess.run(
        [sys.executable, "-m", "codecfx", "cost", "-p", "hotel-wifi"],
        capture_output=True,
        text=True,
        check=True,
    )
    board = codecfx.load_preset("hotel-wifi").board()
    alone = sum(one.latency_samples for one in costs(board, SPEC))
    together = board.prepared(SPEC).latency_samples
    assert together < alone
    assert f"together {1000 * together / RATE:.1f} ms late" in run.stdout


def test_the_command_says_it():
    run = subprocess.run(
        [sys.executable, "-m", "codecfx", "cost", "-e", "opus:generations=3,label=thrice", "-e", "gsm"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "thrice" in run.stdout
    assert "ms late; a second of sound takes" in run.stdout
    as_json = subprocess.run(
        [sys.executable, "-m", "codecfx", "cost", "-e", "gsm", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    (gsm,) = json.loads(as_json.stdout)
    assert gsm["latency_samples"] == codecfx.GSM().prepared(SPEC).latency_samples
    wrong = subprocess.run(
        [sys.executable, "-m", "codecfx", "cost", "-e", "gsm", "--channels", "9"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 2
    assert wrong.stderr == "codecfx: error: the audio has 9 channels; codecfx takes 1 to 8\n"
