"""Stages: samples in, samples out, in any amounts. They bring a stream to a codec and back."""
