"""How good answers and cues are: question files with known truth, runs over them, figures with intervals, reports.

Nothing here decides how a question is answered; that is `questions.ask`.
"""
