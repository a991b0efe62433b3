"""Why a network gives a face its scores: heat maps, how far they can be believed, and the autopsy of an error.

The fast path (:mod:`head`, :mod:`cam`, :mod:`occlusion`, :mod:`faithfulness`, :mod:`regions`, :mod:`edits`) needs
NumPy, OpenCV and ONNX Runtime only; :mod:`keras_vis` imports TensorFlow when a map is asked for. A map is always one of
a *direction*: the logit of one class, or the logit of one class minus that of another.
"""
