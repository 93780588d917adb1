"""The posed patient as structures with labels and signed distances, and the painter of volumes."""
