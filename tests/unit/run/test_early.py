"""When a value is computed anew before its time."""

from __future__ import annotations

from math import exp, sqrt
from random import seed

import pytest

from twat_cache._run.early import RefreshAhead, XFetch


def test_ahead_is_in_the_last_part_of_a_life():
    ahead = RefreshAhead(0.8)
    margin = ahead.margin(100.0, 5.0)
    assert margin == pytest.approx(20.0)
    assert not ahead.is_due(20.1, margin)
    assert ahead.is_due(19.9, margin)


@pytest.mark.thread_unsafe(reason="seeds the generator of random numbers")
@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("took", [0.01, 2.0])
@pytest.mark.parametrize("part", [0.05, 0.3, 1.0, 2.5])
def test_xfetch_draws_as_in_the_paper(beta, took, part):
    """time - took * beta * ln(random) >= expiry: the chance is exp(-left / (took * beta))."""
    seed(20151)
    xfetch = XFetch(beta)
    margin = xfetch.margin(1000.0, took)
    left = part * took * beta
    expected = exp(-left / (took * beta))
    draws = 20_000
    due = sum(xfetch.is_due(left, margin) for _ in range(draws))
    deviation = sqrt(expected * (1 - expected) / draws)
    assert abs(due / draws - expected) < 4 * deviation


@pytest.mark.thread_unsafe(reason="seeds the generator of random numbers")
def test_outside_its_margin_xfetch_would_never_be_due():
    seed(20151)
    xfetch = XFetch(1.0)
    margin = xfetch.margin(1000.0, 1.0)
    assert not any(xfetch.is_due(margin, margin) for _ in range(50_000))


@pytest.mark.thread_unsafe(reason="seeds the generator of random numbers")
def test_of_calls_at_a_rate_the_first_early_one_comes_when_theory_says():
    """10 calls a second, 1 s to compute, beta 1: the hazard is 10*exp(-left) a second.

    The time before the end at which the first call is due then has the distribution
    P(left < x) = exp(-10 * exp(-x)) (a Gumbel one): its median is -ln(ln(2) / 10).
    """
    from math import log

    seed(20151)
    xfetch = XFetch(1.0)
    margin = xfetch.margin(60.0, 1.0)
    firsts = []
    for _ in range(2000):
        left = 20.0
        while not xfetch.is_due(left, margin):
            left -= 0.1
        firsts.append(left)
    firsts.sort()
    expected = -log(log(2) / 10)
    assert abs(firsts[len(firsts) // 2] - expected) < 0.15
