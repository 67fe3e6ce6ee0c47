"""The sample data set: tweet-like sentences with drawn pictures that settle what words leave open.

A name such as Jordan or Chelsea is a person, a place, an organisation or a work according to the
picture. The generator knows the best score that words alone can reach.
"""

from mmseq.data.sample.write import SAMPLE_VERSION, SampleSummary, SplitSummary, write_sample

__all__ = ["SAMPLE_VERSION", "SampleSummary", "SplitSummary", "write_sample"]
