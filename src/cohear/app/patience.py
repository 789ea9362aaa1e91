"""How long the server waits for a request that has begun: who says nothing, or next to nothing, is hung up on."""

import asyncio
from typing import Any

PATIENCE_S = 10.0
"""Seconds. Within two of it the head of a request has to come, and within each something of its body."""


def patient_protocol(patience_s: float = PATIENCE_S) -> type[asyncio.Protocol]:
    """Return the protocol of uvicorn, which by itself waits for ever, with limits.

    Args:
        patience_s: time between two looks at a line, seconds.
    """
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Patient(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._has_come, self._was_due = False, False
            self._next_look = self.loop.call_later(patience_s, self._look)

        def data_received(self, data: bytes) -> None:
            self._has_come = True
            super().data_received(data)

        def connection_lost(self, exc: Exception | None) -> None:
            self._next_look.cancel()
            super().connection_lost(exc)

        def _look(self) -> None:
            is_due, is_under_way = (self.conn.their_state is state for state in (h11.IDLE, h11.SEND_BODY))
            is_stuck = is_under_way and not self._has_come and not self.flow.read_paused
            if is_stuck or (is_due and self._was_due):
                self.transport.close()
                return
            self._has_come, self._was_due = False, is_due
            self._next_look = self.loop.call_later(patience_s, self._look)

    return Patient
