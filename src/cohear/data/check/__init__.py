"""What is in a data set, and what is wrong with it, before anything is trained.

Words: a *survey* listens to every clip once, an *overview* counts (`survey`), a *finding* is something that should be
known or mended (`check`), an *error* is a finding for which training would be refused. A *recording* is what folds
never divide (`kinship`).
"""
