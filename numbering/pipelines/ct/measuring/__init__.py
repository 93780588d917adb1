"""What is measured of named vertebrae, and their voxels on the source images."""
