"""Understanding a facial-expression classifier: data, models, evaluation, explanation.

The package imports no Streamlit, and importing it loads nothing heavy: TensorFlow, ONNX Runtime, pandas and
scikit-learn are imported by the functions that need them.
"""

__version__ = "0.1.0"
