"""Networks of both sizes: what they see, how they are built, and how they run (OpenVINO or torch)."""
