"""What the evaluations of all pipelines share: intervals, calibration, tables' cells, sheets of pictures, patients."""
