"""A checkpoint becomes one file that a device can trust.

graph       network -> float ONNX: read first
windows     which real windows calibrate, and which others judge
quantize    float ONNX -> static INT8 by one way to choose ranges; choose tries them all
describe    the contract into the file, with a parity sound and its scores; evaluation reads what goes into it
verify      torch against ONNX, INT8 against float, the file by itself and through the device's own classifier
bars        how good each of these figures has to be
make        the steps in a row; files writes what they made, all or nothing
card        the contract as Markdown; page is the same with plots
cli         one file a command
"""
