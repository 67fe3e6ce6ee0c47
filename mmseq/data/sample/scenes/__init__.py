"""The scenes of the sample pictures: one file for each kind, and what they are drawn with."""
