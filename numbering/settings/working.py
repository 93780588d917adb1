"""Jobs and networks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class Working(BaseModel):
    """Settings of workers and sweeper."""

    lease_seconds: Annotated[float, Field(gt=0)] = Field(
        300.0, description="A worker that has not renewed its claim on a job for this long has lost it to the sweeper."
    )
    longest_job_seconds: Annotated[float, Field(gt=0)] = Field(
        1800.0, description="A job that takes longer than this is taken for stuck: its claim is renewed no more."
    )
    sweep_seconds: Annotated[float, Field(gt=0)] = Field(1.0, description="How often the sweeper looks for work.")
    max_attempts: Annotated[int, Field(ge=1)] = Field(3, description="Attempts at a job before it is given up.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where networks run: OpenVINO on a CPU, torch on a GPU; auto takes a GPU if there is one."
    )
    segmentations: bool = Field(
        False, description="Of films, also write a DICOM segmentation of the vertebral bodies whose corners are known."
    )
    inference_threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads a network may use; 0: all.")
