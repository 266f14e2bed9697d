"""Lyra v2: Google's SoundStream for speech, its published networks run by numpy or by LiteRT."""
