"""Below the matrix: scores of each class, curves, calibration, risk and coverage, hardest pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import streamlit as st

from fer_core import confusion as cm
from fer_core import figures_confusion as figures
from fer_core import whatif
from fer_core.evaluation import calibration
from fer_core.evaluation.predictions import Predictions
from fer_core.labels import EMOTIONS, display_name
from fer_core.report_html import class_records
from fer_core.whatif import Study
from fer_core.wording import percent
from pages._ui.components import chart, is_dark


@dataclass(frozen=True)
class Curves:
    """What is drawn of a study's scores."""

    roc: list[cm.Curve | None]
    precision_recall: list[cm.Curve | None]
    reliability: calibration.Reliability
    risk: cm.Curve

    @classmethod
    def of(cls, study: Study) -> Curves:
        """Compute them."""
        truths = [study.labels == k for k in range(len(EMOTIONS))]
        return cls(
            roc=[cm.roc_curve(truth, study.scores[:, k]) for k, truth in enumerate(truths)],
            precision_recall=[cm.precision_recall_curve(truth, study.scores[:, k]) for k, truth in enumerate(truths)],
            reliability=calibration.reliability(study.labels, study.scores),
            risk=cm.risk_coverage(study.scores.argmax(axis=1) == study.labels, study.scores.max(axis=1)),
        )


def rescue(study: Study, validation: Predictions | None, klass: int) -> None:
    """Draw what recall of a class is bought at what price."""
    name = EMOTIONS[klass]
    setting = study.setting
    # Costs and thresholds need every score at every tau, not only the largest: half as many points keep the pace.
    steps = 2 if setting.cost is not None or setting.abstains else 1
    taus = sorted({*whatif.TAUS[::steps], setting.tau})
    shown = whatif.trade_off(study.labels, study.proba, setting, taus=taus)
    chosen_on = None
    if validation is not None:
        chosen_on = whatif.trade_off(validation.labels, validation.proba, setting, taus=taus)
    at, one, figures_at = shown.at(setting.tau), shown.at(1.0), shown.outcome
    recall, precision = figures_at.recall[:, klass], figures_at.precision[:, klass]

    def change(values: np.ndarray) -> str:
        return f"{(values[at] - values[0]) * 100:+.1f} points".replace("-", "−")

    st.markdown(
        f"At **τ = {setting.tau:.2f}** the model finds {percent(float(recall[at]))} of {name} instead of "
        f"{percent(float(recall[0]))} ({change(recall)}); of its answers {name}, {percent(float(precision[at]))} "
        f"are right instead of {percent(float(precision[0]))}. The price: accuracy changes by "
        f"{change(figures_at.accuracy)}, macro-F1 by {change(figures_at.macro_f1)}."
        if setting.tau
        else f"The model finds {percent(float(recall[0]))} of {name}. With τ above 0, set by hand or "
        f"chosen on validation, the price of more stands here: τ = 1 would find {percent(float(recall[one]))}, "
        f"at an accuracy of {percent(float(figures_at.accuracy[one]))} instead of "
        f"{percent(float(figures_at.accuracy[0]))}."
    )
    chart(
        figures.trade_off_spec(name, dark=is_dark()),
        figures.trade_off_records(shown, chosen_on, klass, setting.tau),
        key=f"trade_off_{name}",
        alt=f"Accuracy, macro-F1 and recall of {name} for τ from 0 to 2. The numbers stand in the table below.",
    )
    st.caption("Solid: the images shown. Dotted: validation, on which τ is chosen. The line marks the τ that is set.")
    with st.expander("As a table", icon=":material/table:"):
        st.dataframe(
            pa.table(
                {
                    "τ": shown.taus,
                    "Accuracy": shown.outcome.accuracy,
                    "Macro-F1": shown.outcome.macro_f1,
                    f"Recall of {name}": shown.outcome.recall[:, klass],
                    f"Precision of {name}": shown.outcome.precision[:, klass],
                }
            ),
            key="trade_off_table",
            column_config={
                column: st.column_config.NumberColumn(format="percent")
                for column in ("Accuracy", "Macro-F1", f"Recall of {name}", f"Precision of {name}")
            },
        )


def per_class(study: Study, curves: Curves) -> None:
    """Draw the table of the classes."""
    st.dataframe(
        pa.Table.from_pylist(class_records(study, curves.roc, curves.precision_recall)),
        key="per_class",
        alt="Precision, recall, F1, support, area under the ROC curve and average precision of each class.",
    )
    st.caption(
        "Intervals are Wilson’s, 95 %. A dash: no denominator (no image with that answer or label). AUC and average "
        "precision are one-vs-rest on the scores."
    )


def roc_and_precision_recall(curves: Curves) -> None:
    """Draw both families of curves."""
    with st.grid(2, min_column_width=330):
        for kind, family in (("roc", curves.roc), ("pr", curves.precision_recall)):
            thin = [None if curve is None else cm.thinned(curve) for curve in family]
            drawn = figures.one_vs_rest(thin, kind)
            spec, records = figures.lines_spec(drawn)
            chart(spec, records, key=kind, alt=f"{drawn.title}: " + ", ".join(s.name for s in drawn.series))


def calibrated(study: Study, curves: Curves) -> None:
    """Draw the reliability diagram."""
    bins = curves.reliability
    spec, records = figures.reliability_spec(bins, dark=is_dark())
    top = study.scores.max(axis=1)
    surer = float(top.mean()) - float((study.scores.argmax(axis=1) == study.labels).mean())
    st.markdown(
        f"**ECE {bins.ece:.3f}** (15 bins): scores and share of right answers differ by {bins.ece * 100:.1f} points on "
        f"average; on the whole the model is {'more' if surer > 0 else 'less'} sure than right, by "
        f"{abs(surer) * 100:.1f} points."
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        chart(spec, records, key="reliability", alt=f"Reliability diagram, ECE {bins.ece:.3f}.")
    filled = np.flatnonzero(bins.count)
    right.dataframe(
        pa.table(
            {
                "Scores": [f"{bins.edges[b]:.2f}–{bins.edges[b + 1]:.2f}" for b in filled],
                "Images": bins.count[filled],
                "Mean score": bins.confidence[filled].round(3),
                "Right": bins.accuracy[filled].round(3),
                "95 % interval": [f"{bins.low[b]:.3f}–{bins.high[b]:.3f}" for b in filled],
            }
        ),
        key="reliability_table",
        alt="The bins of the reliability diagram.",
    )


def risk_and_coverage(curves: Curves) -> None:
    """Draw the risk–coverage curve."""
    drawn = figures.risk_chart(cm.thinned(curves.risk), dark=is_dark())
    spec, records = figures.lines_spec(drawn)
    half = int(np.abs(curves.risk.x - 0.5).argmin())
    st.markdown(
        f"Answering only the surest half, {percent(float(curves.risk.y[half]))} of the answers are wrong; answering "
        f"everything, {percent(float(curves.risk.y[-1]))}."
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        chart(spec, records, key="risk", alt=f"{drawn.title}: {drawn.series[0].name}")
    steps = [int(np.abs(curves.risk.x - share / 10).argmin()) for share in range(1, 11)]
    right.dataframe(
        pa.table(
            {
                "Answered": [percent(float(curves.risk.x[at])) for at in steps],
                "Of these wrong": [percent(float(curves.risk.y[at])) for at in steps],
            }
        ),
        key="risk_table",
        alt="Risk at ten coverages.",
    )


def hardest(study: Study) -> None:
    """Draw the pairs of classes that are most often taken for each other."""
    st.dataframe(
        pa.Table.from_pylist(
            [
                {
                    "Pair": f"{display_name(EMOTIONS[pair.a])} – {display_name(EMOTIONS[pair.b])}",
                    "Taken for each other": percent(pair.rate.value),
                    "95 % interval": pair.rate.interval,
                    "Images of both": pair.rate.n,
                    "First as second": pair.a_as_b,
                    "Second as first": pair.b_as_a,
                }
                for pair in cm.hardest_pairs(study.counts)[:10]
            ]
        ),
        key="pairs",
        alt="The ten pairs of classes most often taken for each other.",
    )


def costs(study: Study) -> None:
    """Draw what a face costs in the mean, and which kinds of error make it."""
    cost = None if study.setting.cost is None else np.array(study.setting.cost)
    total, kinds = cm.error_costs(study.counts, cost)
    prices = "when every error costs 1: the share of wrong answers" if cost is None else "by the costs set above"
    left_out = int(study.counts[:, len(EMOTIONS) :].sum())
    st.markdown(
        f"**Expected cost of an answered face: {total:.3f}**, {prices}."
        + (f" {left_out:,} faces without an answer are left out." if left_out else "")
        if kinds
        else "No error costs anything here."
    )
    if kinds:
        st.dataframe(
            pa.Table.from_pylist(
                [
                    {
                        "Error": f"{display_name(EMOTIONS[kind.label])} → {display_name(EMOTIONS[kind.answer])}",
                        "Images": kind.images,
                        "Cost of one": kind.each,
                        "Adds to the expected cost": round(kind.mean, 4),
                        "Part of it": percent(kind.share),
                    }
                    for kind in kinds[:10]
                ]
            ),
            key="costs",
            alt="The ten kinds of error that add most to the expected cost.",
        )
    st.caption(
        "Costs of your own are set under “What if”, Answer by: then answers of smallest expected cost are given."
    )
