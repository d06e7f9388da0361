"""Fréchet distance and its bootstrap against pytorch-fid, in one run on the same features.

    OMP_NUM_THREADS=1 python benchmarks/frechet.py --images 5000 --dims 2048 --draws 1000

pytorch-fid's function takes means and covariances; ours is timed from the same statistics, and both also from the
features (theirs with NumPy's means and covariances). Two kinds of features: of a flat spectrum, and of one that falls
as fast as Inception's (covariances of condition 1e8), where products of covariances are too inexact.

The competitors take turns; printed are medians of the processor's seconds (which other work on the machine disturbs
little, and which are wall clock times on one idle thread) and of the wall clock.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings

import numpy as np


def timed(function, *arguments, **options):
    """Result, the processor's seconds and those of the clock."""
    clock, processor = time.perf_counter(), time.process_time()
    result = function(*arguments, **options)
    return result, time.process_time() - processor, time.perf_counter() - clock


def theirs():
    """``pytorch_fid``'s function, with the argument that SciPy 1.18 took from its square root given back."""
    import scipy.linalg
    from pytorch_fid import fid_score

    root = scipy.linalg.sqrtm
    fid_score.linalg.sqrtm = lambda matrix, disp=True: root(matrix) if disp else (root(matrix), 0.0)
    return fid_score.calculate_frechet_distance


def statistics_of(x, y):
    """mean, covariance, mean, covariance."""
    return [part for z in (x, y) for part in (z.mean(0), np.cov(z, rowvar=False))]


def features(images, dims, decay, rng):
    """Two sets of correlated features whose standard deviations fall as rank^-decay."""
    spread = np.arange(1, dims + 1) ** -decay
    x, y = rng.standard_normal((2, images, dims)) * spread
    turn = np.linalg.qr(rng.standard_normal((dims, dims)))[0]
    return x @ turn, (1.1 * y + 0.05 * spread) @ turn


def compare(x, y, draws, rounds):
    """Print one block of lines."""
    from eval.metrics.frechet import frechet_distance, frechet_from_statistics
    from eval.metrics.frechet_bootstrap import frechet_interval

    statistics, their_function = statistics_of(x, y), theirs()
    ways = {
        "pytorch_fid.calculate_frechet_distance": lambda: their_function(*statistics),
        "ours, from the same statistics": lambda: frechet_from_statistics(*statistics),
        "pytorch_fid, from the features": lambda: their_function(*statistics_of(x, y)),
        "ours, from the features": lambda: frechet_distance(x, y),
        f"ours, interval of {draws} linear draws": lambda: frechet_interval(x, y, draws, np.random.default_rng(1)),
    }
    repeats = dict(zip(ways, (1, 5, 0, 3, 1), strict=True))  # the slow ones once a round
    values, seconds = {}, {name: [] for name in ways}
    ways["ours, from the same statistics"]()  # loads the libraries
    for _ in range(rounds):
        for name, function in ways.items():
            for _ in range(repeats[name]):
                values[name], *spent = timed(function)
                seconds[name].append(spent)
    covariances = np.array([timed(statistics_of, x, y)[1:] for _ in range(rounds)])
    seconds["pytorch_fid, from the features"] = (
        np.median(seconds["pytorch_fid.calculate_frechet_distance"], 0) + (np.median(covariances, 0)[None])
    )
    report(values, {name: np.median(spent, 0) for name, spent in seconds.items()})


def report(values, seconds):
    """One line for each way; ratios to pytorch-fid of the same input."""
    given, from_features = "pytorch_fid.calculate_frechet_distance", "pytorch_fid, from the features"
    expected = values[given]
    for name, (processor, clock) in seconds.items():
        base = seconds[from_features if name.endswith("from the features") else given]
        value = values.get(name, expected)
        text = f"  {name:38}  {processor:7.2f} s  {clock:7.2f} s of wall clock"
        if name not in (given, from_features):
            text += f"  {base[0] / processor:5.1f} x  {base[1] / clock:5.1f} x of wall clock"
        if hasattr(value, "low"):
            print(f"{text}  [{value.low:.6g}, {value.high:.6g}]", flush=True)
        else:
            print(f"{text}  {value:.9g}  relative difference {abs(value / expected - 1):.1e}", flush=True)


def versions():
    """Libraries, the kernels that their linear algebra runs, and threads."""
    import scipy
    import scipy.linalg  # loads the library that is asked for below
    from threadpoolctl import threadpool_info

    libraries = {
        f"{library['internal_api']} {library['version']} ({library.get('architecture', '')}, "
        f"{library['num_threads']} threads)"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }
    return f"NumPy {np.__version__}, SciPy {scipy.__version__}, {', '.join(sorted(libraries))}"


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000, help="N of each set")
    parser.add_argument("--dims", type=int, default=2048, help="D")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws")
    parser.add_argument("--decay", type=float, nargs="*", default=[0.0, 1.2], help="how the spectra fall")
    parser.add_argument("--rounds", type=int, default=3, help="turns of every competitor")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)  # of pytorch-fid's call to SciPy
    print(versions(), f"Python {sys.version.split()[0]}", sep=", ", flush=True)
    for decay in arguments.decay:
        print(f"standard deviations ~ rank^-{decay:g}, D={arguments.dims}, N={arguments.images}", flush=True)
        sets = features(arguments.images, arguments.dims, decay, np.random.default_rng(0))
        compare(*sets, arguments.draws, arguments.rounds)


if __name__ == "__main__":
    main()
