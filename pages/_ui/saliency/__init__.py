"""The parts of the page "Saliency"."""
