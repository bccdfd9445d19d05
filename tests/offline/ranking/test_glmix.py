"""Mixed effects: exact at small size, planted ones recovered at a larger one, started warm."""

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs
from scipy.optimize import minimize

from shortlist.config.schema import RankerSection
from shortlist.core.progress import Silent
from shortlist.core.times import DAY
from shortlist.offline.ranking.glmix import fit_glmix
from shortlist.offline.ranking.mixed import fit_mixed
from shortlist.release.ranking.glmix import Design, Effects, score_glmix
from shortlist.testing.rankers import rows_of

PRIORS = (0.5, 2.0, 3.0)


def small_design(n: int, seed: int) -> Design:
    """A constant, two features, and the leaves of two trees of three."""
    rng = np.random.default_rng(seed)
    dense = np.column_stack([np.ones(n), rng.normal(size=(n, 2))]).astype(np.float32)
    leaf = np.column_stack([3 + rng.integers(0, 3, n), 6 + rng.integers(0, 3, n)])
    return Design(dense, leaf.astype(np.int32), 9)


def whole(design: Design) -> np.ndarray:
    z = np.zeros((len(design.dense), design.columns))
    z[:, : design.dense.shape[1]] = design.dense
    z[np.arange(len(z))[:, None], design.leaf] = 1
    return z


def full(effects: Effects, columns: int) -> np.ndarray:
    out = np.zeros((len(effects), columns))
    entity = np.repeat(np.arange(len(effects)), np.diff(effects.offsets))
    out[entity, effects.columns] = effects.values
    return out


def test_it_finds_the_exact_posterior_mode() -> None:
    """All levels at once as one dense penalised logistic regression, by another method."""
    n, users, items = 300, 6, 5
    rng = np.random.default_rng(1)
    design = small_design(n, 1)
    user, item = rng.integers(0, users, n), rng.integers(0, items, n)
    weight = rng.uniform(0.5, 2, n).astype(np.float32)
    label = (rng.random(n) < 0.4).astype(np.float32)
    found = fit_mixed(
        design, label, weight, user.astype(np.uint64), item.astype(np.uint64), PRIORS, 500, Silent()
    )

    z, c = whole(design), design.columns
    blocks = [z]
    for who, many in ((user, users), (item, items)):
        block = np.zeros((n, many * c))
        for e in range(many):
            block[who == e, e * c : (e + 1) * c] = z[who == e]
        blocks.append(block)
    joint = np.concatenate(blocks, axis=1)
    prior = np.repeat(PRIORS, [c, users * c, items * c])
    sign = np.where(label > 0, 1.0, -1.0)

    def objective(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (joint @ w)
        value = weight @ np.logaddexp(0, -margin) + 0.5 * prior @ (w * w)
        slope = -weight * sign / (1 + np.exp(margin))
        return float(value), joint.T @ slope + prior * w

    exact = minimize(objective, np.zeros(joint.shape[1]), jac=True, method="BFGS", tol=1e-8)
    assert found.objective[-1] == pytest.approx(exact.fun, rel=1e-4)
    mine = z @ found.shared
    mine += (z * full(found.user, c)[user]).sum(axis=1)
    mine += (z * full(found.item, c)[item]).sum(axis=1)
    np.testing.assert_allclose(mine, joint @ exact.x, atol=0.03)
    np.testing.assert_allclose(full(found.user, c).ravel(), exact.x[c : c + users * c], atol=0.03)


def test_every_sweep_lowers_the_objective() -> None:
    rng = np.random.default_rng(2)
    n = 400
    keys = rng.integers(0, 9, (2, n)).astype(np.uint64)
    label = (rng.random(n) < 0.3).astype(np.float32)
    found = fit_mixed(
        small_design(n, 2), label, np.ones(n, np.float32), *keys, PRIORS, 30, Silent()
    )
    assert len(found.objective) > 2
    assert (np.diff(found.objective) <= 1e-9).all()


def test_planted_effects_are_recovered() -> None:
    rng = np.random.default_rng(3)
    users, items, n = 60, 40, 40_000
    columns = 4
    dense = np.column_stack([np.ones(n), rng.normal(size=(n, 3))]).astype(np.float32)
    design = Design(dense, np.empty((n, 0), np.int32), columns)
    shared = np.array([-0.5, 0.8, -0.4, 0.2])
    of_user = rng.normal(0, 0.8, (users, columns))
    of_item = rng.normal(0, 0.5, (items, columns))
    user, item = rng.integers(0, users, n), rng.integers(0, items, n)
    logit = (dense * (shared + of_user[user] + of_item[item])).sum(axis=1)
    label = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    found = fit_mixed(
        design, label, np.ones(n, np.float32), user.astype(np.uint64), item.astype(np.uint64),
        (1e-3, 1 / 0.64, 1 / 0.25), 60, Silent(),
    )  # fmt: skip
    for told, planted in ((found.user, of_user), (found.item, of_item)):
        for column in range(columns):
            correlation = np.corrcoef(full(told, columns)[:, column], planted[:, column])[0, 1]
            assert correlation > 0.9
    # Deviations have zero mean only up to sampling: shared + mean effect is what is identified.
    together = found.shared + full(found.user, columns).mean(0) + full(found.item, columns).mean(0)
    truth = shared + of_user.mean(0) + of_item.mean(0)
    np.testing.assert_allclose(together, truth, atol=0.08)


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    n = 500
    design = small_design(n, 4)
    keys = rng.integers(0, 20, (2, n)).astype(np.uint64)
    label = (rng.random(n) < 0.3).astype(np.float32)

    def fitted(threads: int) -> bytes:
        monkeypatch.setattr("os.cpu_count", lambda: threads)
        found = fit_mixed(design, label, np.ones(n, np.float32), *keys, PRIORS, 4, Silent())
        return found.user.values.tobytes() + found.item.values.tobytes() + found.shared.tobytes()

    assert fitted(1) == fitted(3) == fitted(16)


CONFIG = RankerSection(
    kind="glmix",
    trees=20,
    leaves=6,
    interactions=5,
    prior_global=1.0,
    prior_user=10.0,
    prior_item=10.0,
)


def test_a_user_who_likes_what_others_do_not_gets_it() -> None:
    rows = rows_of(400, seed=5)
    odd = rows.user == 7
    request = np.repeat(np.arange(rows.requests), 20)
    label = rows.label.copy()
    turned = odd[request]
    label[turned] = (rows.x[0, turned] < -0.5).astype(np.float32)
    model = fit_glmix(replace(rows, label=label), CONFIG, 0, Silent())
    scores = score_glmix(model, rows.batch())
    assert np.corrcoef(scores[turned], rows.x[0, turned])[0, 1] < -0.3
    assert np.corrcoef(scores[~turned], rows.x[0, ~turned])[0, 1] > 0.5


def test_a_warm_start_keeps_the_trees_and_the_users_who_did_not_come_back() -> None:
    rows = rows_of(300)
    first = fit_glmix(rows.part(0, 200), CONFIG, 0, Silent())
    later = rows.part(200, 300)
    gone = rows.key[199]
    later = replace(later, user=np.where(later.key == gone, 0, later.user).astype(np.int32))
    later = replace(later, key=np.where(later.key == gone, rows.key[0], later.key))
    second = fit_glmix(later, CONFIG, 0, Silent(), previous=first)
    np.testing.assert_array_equal(second.first.threshold, first.first.threshold)
    assert second.trained == first.trained

    def own(effects: Effects) -> np.ndarray:
        place = int(effects.places(np.array([gone]))[0])
        return effects.values[effects.offsets[place] : effects.offsets[place + 1]]

    np.testing.assert_array_equal(own(second.user), own(first.user))
    assert len(own(first.user))


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    rows = rows_of(200)
    long = structs.replace(CONFIG, sweeps=200)
    cold = fit_glmix(rows, long, 0, Silent())
    warm = fit_glmix(rows, long, 0, Silent(), previous=cold)
    batch = rows.part(150, 200).batch()
    np.testing.assert_allclose(score_glmix(warm, batch), score_glmix(cold, batch), atol=0.05)


def test_trees_that_are_too_old_are_trained_again() -> None:
    rows = rows_of(100)
    first = fit_glmix(rows, CONFIG, 0, Silent())
    much_later = replace(rows, time=rows.time + 8 * DAY)
    second = fit_glmix(much_later, CONFIG, 0, Silent(), previous=first)
    assert second.trained > first.trained + 7 * DAY


def test_priors_are_estimated_from_the_rows_alone() -> None:
    """Variances come out near those that effects were drawn with, and none where none were."""
    rng = np.random.default_rng(6)
    users, items, n, columns = 150, 60, 60_000, 3
    dense = np.column_stack([np.ones(n), rng.normal(size=(n, 2))]).astype(np.float32)
    design = Design(dense, np.empty((n, 0), np.int32), columns)
    of_user = rng.normal(0, 0.7, (users, columns))
    user, item = rng.integers(0, users, n), rng.integers(0, items, n)
    logit = (dense * (np.array([-0.5, 0.8, -0.4]) + of_user[user])).sum(axis=1)
    label = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    found = fit_mixed(
        design, label, np.ones(n, np.float32), user.astype(np.uint64), item.astype(np.uint64),
        (None, None, None), 40, Silent(),
    )  # fmt: skip
    _, of_users, of_items = found.priors
    assert of_users == pytest.approx(1 / 0.49, rel=0.25)
    assert of_items > 200  # items are all alike


def test_a_warm_start_keeps_the_priors() -> None:
    rows = rows_of(200)
    auto = structs.replace(CONFIG, prior_global="auto", prior_user="auto", prior_item="auto")
    first = fit_glmix(rows.part(0, 150), auto, 0, Silent())
    assert (first.priors > 0).all()
    second = fit_glmix(rows, auto, 0, Silent(), previous=first)
    np.testing.assert_array_equal(second.priors, first.priors)
