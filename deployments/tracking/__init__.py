"""Track people over a whole clip: from segments to people, the primary person first."""
