"""Standing questions: asked again with each new acquisition, each answer compared with the one before."""
