"""What a question was understood to ask.  From words to a plan; computing it is in `questions/`."""
