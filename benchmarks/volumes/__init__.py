"""What the benchmarks of CT and MR pipelines share."""
