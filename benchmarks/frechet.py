"""Fréchet distance and its bootstrap against pytorch-fid, in one run on the same features.

    python benchmarks/frechet.py --images 5000 --dims 2048 --draws 1000

pytorch-fid's function takes means and covariances; ours is timed from the same statistics and from the features. Two
kinds of features: of a flat spectrum, and of one that falls as fast as Inception's (covariances of condition 1e8),
where the way through the covariances is too inexact and the singular values are taken instead.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np


def timed(function, *arguments, **options):
    """Result and seconds."""
    began = time.perf_counter()
    result = function(*arguments, **options)
    return result, time.perf_counter() - began


def theirs():
    """``pytorch_fid``'s function, with the argument that SciPy 1.18 took from its square root given back."""
    import scipy.linalg
    from pytorch_fid import fid_score

    root = scipy.linalg.sqrtm
    fid_score.linalg.sqrtm = lambda matrix, disp=True: root(matrix) if disp else (root(matrix), 0.0)
    return fid_score.calculate_frechet_distance


def features(images, dims, decay, rng):
    """Two sets of correlated features whose standard deviations fall as rank^-decay."""
    spread = np.arange(1, dims + 1) ** -decay
    x, y = rng.standard_normal((2, images, dims)) * spread
    turn = np.linalg.qr(rng.standard_normal((dims, dims)))[0]
    return x @ turn, (1.1 * y + 0.05 * spread) @ turn


def compare(images, dims, draws, decay, rng):
    """Print one block of lines."""
    from eval.metrics.frechet import frechet_distance, frechet_from_statistics
    from eval.metrics.frechet_bootstrap import frechet_interval

    x, y = features(images, dims, decay, rng)
    statistics = [part for z in (x, y) for part in (z.mean(0), np.cov(z, rowvar=False))]
    frechet_distance(x[: dims // 2], y[: dims // 2])  # loads the libraries
    expected, their_s = timed(theirs(), *statistics)
    print(f"standard deviations ~ rank^-{decay:g}, D={dims}, N={images}, {os.cpu_count()} cores", flush=True)
    print(f"  pytorch_fid.calculate_frechet_distance  {their_s:8.2f} s  {expected:.9g}", flush=True)
    for name, function, arguments in (
        ("ours, from the same statistics", frechet_from_statistics, statistics),
        ("ours, from the features", frechet_distance, (x, y)),
    ):
        value, seconds = timed(function, *arguments)
        print(
            f"  {name:38}  {seconds:8.2f} s  {value:.9g}  {their_s / seconds:6.1f} x  "
            f"relative difference {abs(value / expected - 1):.1e}",
            flush=True,
        )
    interval, seconds = timed(frechet_interval, x, y, draws, np.random.default_rng(1))
    print(
        f"  ours, interval of {draws} linear draws       {seconds:8.2f} s  [{interval.low:.6g}, {interval.high:.6g}]"
        f"  {their_s / seconds:6.1f} x",
        flush=True,
    )


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000, help="N of each set")
    parser.add_argument("--dims", type=int, default=2048, help="D")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws")
    parser.add_argument("--decay", type=float, nargs="*", default=[0.0, 1.2], help="how the spectra fall")
    arguments = parser.parse_args()
    for decay in arguments.decay:
        compare(arguments.images, arguments.dims, arguments.draws, decay, np.random.default_rng(0))


if __name__ == "__main__":
    main()
