"""Training: recipes, augmentation, a loop that resumes exactly, and the export of a trained model to its folder."""
