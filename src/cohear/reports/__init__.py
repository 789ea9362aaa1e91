"""What people see of finished runs: tables, plots and self-contained HTML pages.

Reports know a run only by the files of its folder; nothing here needs torch or the sounds.
"""
