import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from eval.statistics.logistic import logistic_regression


@pytest.mark.parametrize(("count", "size", "penalty"), [(400, 5, 1.0), (120, 300, 0.01)])
def test_agrees_with_scikit_learn(count, size, penalty):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(count, size)) * rng.uniform(0.2, 4, size) + rng.normal(size=size)
    y = x[:, 0] / x[:, 0].std() + rng.normal(size=count) > 1.2  # about a fifth
    scaled = (x - x.mean(0)) / x.std(0)
    other = LogisticRegression(C=penalty, class_weight="balanced", tol=1e-10, max_iter=10_000).fit(scaled, y)
    weight, bias = logistic_regression(x, y, penalty)
    np.testing.assert_allclose(x @ weight + bias, other.decision_function(scaled), atol=2e-4)


def test_separable_classes_converge():
    weight, bias = logistic_regression(np.array([[0.0], [1.0]]), np.array([0, 1]), penalty=1e6)
    assert np.isfinite([*weight, bias]).all() and weight[0] * 0.5 + bias == pytest.approx(0, abs=1e-6)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="both classes"):
        logistic_regression(np.zeros((3, 2)), np.ones(3))
