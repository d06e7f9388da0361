"""Commands that find strengths and hyper-parameters on the calibration images."""
