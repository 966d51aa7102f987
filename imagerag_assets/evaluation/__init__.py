"""Measure answers and cues on questions with known truth: files, runs, figures with intervals, reports.

Nothing here decides how a question is answered; see `questions.ask`.
"""
