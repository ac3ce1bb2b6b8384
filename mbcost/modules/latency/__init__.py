"""How long networks take: what is measured, in which order, and what may be said of it.

``statistics`` makes an estimate of samples, ``rounds`` takes them; neither knows torch. ``eager``
and ``layers`` run modules, ``onnx_file`` beside the exported formats runs a file.
"""
