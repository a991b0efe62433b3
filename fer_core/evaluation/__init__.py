"""How good a model is, how sure that is, and what a published report can and cannot be.

Every figure shown anywhere is computed here from stored predictions
(:mod:`~fer_core.evaluation.predictions`), never typed in.
"""
