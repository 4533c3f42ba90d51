"""What a person on call can do: names of actions, their settings and their effects."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ACTIONS"]

ACTIONS: Mapping[str, str] = {
    "retrain": "train a challenger; keys of `model` change what is trained from then on",
    "canary": "share=SHARE: let the challenger decide a share of the events",
    "shadow": "end the canary; the challenger only scores",
    "promote": "make the challenger the champion at once",
    "rollback": "put the former champion back",
    "threshold": "block=SHARE, review=SHARE (or off): change when the champion acts",
    "explore": "share=SHARE: let a share of would-be blocked events through, for their labels",
    "rule": "where=CONDITION, then=allow|review|block|off: act on events whatever their score",
    "repair": "field=NAME, factor=NUMBER or from=COLUMN, where=CONDITION, for=TIME: mend a field",
    "quarantine": "field=NAME, where=CONDITION, for=TIME: treat a field as missing",
    "workers": "count=N: run this many workers a stage",
    "shed": "share=SHARE: answer a share of the load with the fallback, before the workers",
    "throttle": "limit every key to its usual rate",
    "redeploy": "put the former release of the service back",
    "rebuild": "build the feature state anew from the log",
    "page": "who=TEAM: wake somebody up",
}
