"""Handler: what one worker does with a batch of messages, whatever log they came from."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.pipeline.codec import EventCodec
from sandbox.pipeline.pipeline import Pipeline, Serving

__all__ = ["Handler"]


class Handler:
    """From events' messages to decisions' messages.

    Parameters
    ----------
    codec
        Reads and writes messages.
    pipeline
        Keeps the state.
    serving
        The model that decides.
    """

    def __init__(self, codec: EventCodec, pipeline: Pipeline, serving: Serving) -> None:
        self.codec, self.pipeline, self.serving = codec, pipeline, serving

    def handle(self, messages: Sequence[bytes]) -> list[bytes]:
        """Decide events, in log order.

        Raises
        ------
        msgspec.DecodeError
            For a message that is no event of the schema; nothing was decided then.
        """
        events = self.codec.decode(messages)
        decided = self.pipeline.process(events, serving=self.serving)
        ids = decided.events[self.pipeline.plan.id]
        return self.codec.encode_decisions(ids, decided.decision, decided.score, decided.version)
