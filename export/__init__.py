"""A checkpoint becomes one file that a device can trust.

graph       network -> float ONNX: read first
quantize    float ONNX -> static INT8, calibrated with real windows
describe    the contract into the file, with a parity sound and its scores
verify      torch against ONNX, INT8 against float, and the file through the device's own classifier
card        the contract as a Markdown page
"""
