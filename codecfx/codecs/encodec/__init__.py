"""EnCodec: the causal 24 kHz model, exactly streaming, and the 48 kHz model of whole segments."""
