"""Watching a running design: data quality, drift, performance in three views, alerts, money."""

from sandbox.monitor.alerts import AlertEngine, AlertTask, QualityWindow
from sandbox.monitor.binning import Binner
from sandbox.monitor.data_quality import dead_letter_shares, missing_shares
from sandbox.monitor.detectors import DETECTORS, Change, Detector, river_detector
from sandbox.monitor.distances import expected_psi, js, ks, psi
from sandbox.monitor.drift import DISTANCES, DriftMonitor
from sandbox.monitor.ledger import CostLedger, Money, cost_of
from sandbox.monitor.quality import VIEWS, QualityMonitor, QualityPoint, QualityTask, known_labels
from sandbox.monitor.rules import Baseline, Signals
from sandbox.monitor.slo import budget_left, burn_rate, error_budget
from sandbox.monitor.streams import STREAMS, matured_labels

__all__ = [
    "DETECTORS",
    "DISTANCES",
    "STREAMS",
    "VIEWS",
    "AlertEngine",
    "AlertTask",
    "Baseline",
    "Binner",
    "Change",
    "CostLedger",
    "Detector",
    "DriftMonitor",
    "Money",
    "QualityMonitor",
    "QualityPoint",
    "QualityTask",
    "QualityWindow",
    "Signals",
    "budget_left",
    "burn_rate",
    "cost_of",
    "dead_letter_shares",
    "error_budget",
    "expected_psi",
    "js",
    "known_labels",
    "ks",
    "matured_labels",
    "missing_shares",
    "psi",
    "river_detector",
]
