"""What an operator returns for downloaded frames, and what it does about frames that are missing."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_renderbus.api.text import join_limited
from airflow_provider_renderbus.transfer.errors import TransferIncomplete

if TYPE_CHECKING:
    from airflow_provider_renderbus.api.models.frames import Frame
    from airflow_provider_renderbus.transfer.delivery import LayerDelivery

log = logging.getLogger(__name__)


class MissingFrames(TransferIncomplete):
    """Frames that are done have no file, or an empty one. A retry downloads what has come meanwhile."""


@dataclass
class Delivery:
    """What has arrived, and what is lacking.

    :param result: what an operator returns.
    :param lacking: what each incomplete layer lacks.
    """

    result: dict[str, Any]
    lacking: dict[str, LayerDelivery] = field(default_factory=dict)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames that lack a file, as far as names of files say so."""
        return tuple(frame for each in self.lacking.values() for frame in each.frames)

    @property
    def message(self) -> str:
        """What is lacking, in words; "" if nothing is."""
        return join_limited([f"{name}: {'; '.join(each.problems)}" for name, each in self.lacking.items()])

    def accept(self) -> dict[str, Any]:
        """Return the result, and log a warning about what is lacking."""
        if self.lacking:
            log.warning(
                "Render %s: accepted without all frames: %s", self.result["render_task_id"], self.message
            )
        return self.result

    def require(self, hint: str = "") -> dict[str, Any]:
        """Return the result if nothing is lacking.

        :raises MissingFrames: something is.
        """
        if self.lacking:
            raise MissingFrames(f"Not all frames that are done have a file: {self.message}{hint}")
        return self.result
